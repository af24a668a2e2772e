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


def test_a_segmenter_is_imported_without_readers_of_images_and_plotting():
    code = (
        "import sys; from segmenters import FCN, UNet;"
        "print([m for m in ('monai', 'nibabel', 'pydicom', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


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


def test_judging_imports_nothing_that_reads_images_plots_or_trains():
    unwanted = ("monai", "lightning_fabric", "matplotlib", "nibabel", "pydicom", "h5py")
    code = f"import sys; from qc import Suite; print([m for m in {unwanted} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
