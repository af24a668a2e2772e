import re
import shlex
from pathlib import Path

import pytest

from loops.repair import REPAIRS
from qc import ESTIMATORS, GATES, GRAINS
from segmenters import SEGMENTERS
from semiqc.cli.app import main
from semiqc.experiment import read_settings

README = Path(__file__).parents[1] / "README.md"


def commands():
    """The lines of the README's complete run, each as ``semiqc`` gets it."""
    section = README.read_text(encoding="utf-8").split("## One complete run")[1]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL).group(1)
    return [shlex.split(line)[1:] for line in block.replace("\\\n", " ").splitlines()]


def test_the_readme_shows_the_scenarios_that_the_demo_compares():
    block = README.read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
    rows = block.split("All structures\n")[1].split("\nMean true Dice")[0].splitlines()

    shown = [re.fullmatch(r"  (.+?) {2,}0\.\d{3}", row).group(1) for row in rows]

    assert shown == [one.title for one in read_settings(None).compared().values()]


def test_the_readmes_pictures_are_there_light_and_dark():
    named = re.findall(r'(?:src|srcset)="([^"]+)"', README.read_text(encoding="utf-8"))

    assert {Path(name).stem.split("-")[1] for name in named} == {"light", "dark"}
    assert all((README.parent / name).is_file() for name in named)


@pytest.mark.slow
def test_the_readmes_complete_run_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert [command[0] for command in commands()] == ["phantom", "run", "predict"]
    assert [main(command) for command in commands()] == [0, 0, 0]
    assert (tmp_path / "run" / "report.html").exists()
    assert len(list((tmp_path / "segmented").glob("*.nii.gz"))) == 20


@pytest.mark.parametrize(
    ("what", "registry"),
    [
        ("estimator", ESTIMATORS),
        ("gate", GATES),
        ("grain", GRAINS),
        ("repair", REPAIRS),
        ("segmenter", SEGMENTERS),
    ],
)
def test_the_readmes_table_lists_every_method_that_has_a_paper(what, registry):
    table = README.read_text(encoding="utf-8").split("## Methods")[1].split("## ")[0]

    listed = set(re.findall(rf"^\| `(\w+)` \({what}\) \|", table, re.MULTILINE))

    assert listed == {
        name for name, kind in registry.items() if "Reference:" in (kind.__doc__ or "")
    }
