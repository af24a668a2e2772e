import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
OPTIONAL = {"pydensecrf", "SimpleITK"}


SCRIPTS = [*BENCHMARKS.glob("*.py"), *BENCHMARKS.glob("gpu/*.py")]


@pytest.mark.parametrize("path", sorted(SCRIPTS), ids=lambda path: path.stem)
def test_every_name_that_a_benchmark_imports_is_there(path, monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
        pytest.skip(f"{error.name} is not installed")
