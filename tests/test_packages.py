import json
import subprocess
import sys
import tomllib
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

import loops
import qc
import segmenters
import semiqc

PACKAGES = (semiqc, segmenters, qc, loops)
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph(*(package.__name__ for package in PACKAGES), cache_dir=None)


@pytest.fixture(scope="module")
def contracts():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return settings["tool"]["importlinter"]["contracts"]


def layered(contracts):
    return {
        name.strip()
        for contract in contracts
        if contract["type"] == "layers"
        for layer in contract["layers"]
        for name in layer.split("|")
    }


def test_the_four_packages_come_from_one_folder():
    folders = {Path(package.__file__).parents[1] for package in PACKAGES}

    assert folders == {Path(__file__).parents[1]}


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from semiqc.cli import main; main(['--help']);"
        "heavy = ('numpy', 'torch', 'monai', 'h5py', 'scipy', 'sklearn');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


# From the lightest to the heaviest; one process imports one after another.
PLOTTING = ("matplotlib", "jinja2", "monai", "optuna", "lightning_fabric")
READING = ("nibabel", "pydicom", "PIL")
LIGHT = {
    "from segmenters import FCN, UNet": (*PLOTTING, *READING),
    "from qc import Suite": (*PLOTTING, *READING, "h5py"),
    "import semiqc.experiment.worker": (*PLOTTING, *READING),
    "import semiqc.experiment.predicting, semiqc.scoring.scoring": PLOTTING,
}


@pytest.fixture(scope="module")
def brought():
    """The modules that are there after each statement of ``LIGHT``."""
    code = "import json, sys\n" + "".join(
        f"{statement}; print(json.dumps(sorted(sys.modules)))\n" for statement in LIGHT
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return dict(zip(LIGHT, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("statement", LIGHT)
def test_nothing_is_imported_that_is_not_needed(brought, statement):
    assert not set(LIGHT[statement]) & set(brought[statement])


def test_no_module_imports_itself_by_way_of_others(imports):
    imported = {name: imports.find_modules_directly_imported_by(name) for name in imports.modules}

    assert set(TopologicalSorter(imported).static_order()) == imports.modules


@pytest.mark.parametrize("package", ["semiqc", "qc"])
def test_every_part_of_a_package_stands_in_a_layer(package, imports, contracts):
    assert imports.find_children(package) <= layered(contracts)


def test_every_package_stands_in_a_layer(contracts):
    parts = {name.partition(".")[0] for name in layered(contracts)}

    assert parts == {package.__name__ for package in PACKAGES}


def test_every_folder_of_an_estimator_is_independent(imports, contracts):
    folders = {
        name for name in imports.find_children("qc.estimators") if imports.find_children(name)
    }
    [independent] = [c["modules"] for c in contracts if c["type"] == "independence"]
    shared = {"qc.estimators.network"}  # What several methods are made of, and no method.

    assert folders == set(independent) & folders | shared
