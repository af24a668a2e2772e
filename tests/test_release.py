"""What a release tells of itself and of what it depends on."""

import csv
import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import semiqc

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def sbom():
    spec = importlib.util.spec_from_file_location("sbom", ROOT / "release/sbom.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["sbom"] = module
    spec.loader.exec_module(module)
    return module


def test_the_bill_names_all_that_is_needed_with_licences(sbom, tmp_path):
    found = {one.name: one for one in sbom.write(tmp_path)}
    bill = json.loads((tmp_path / "sbom.cdx.json").read_text())
    with (tmp_path / "licences.csv").open() as file:
        rows = {row["package"]: row for row in csv.DictReader(file)}

    assert {"semiqc", "torch", "numpy", "monai", "typer"} <= set(found)
    assert "pytest" not in found
    assert set(rows) == set(found)
    assert rows["semiqc"]["licence"] == "Apache-2.0"
    assert [one.name for one in found.values() if one.licence == sbom.UNKNOWN] == []
    assert bill["metadata"]["component"]["name"] == "semiqc"
    assert {one["name"] for one in bill["components"]} == set(found) - {"semiqc"}
    refs = {one["ref"] for one in bill["dependencies"]}
    assert all(set(one["dependsOn"]) <= refs for one in bill["dependencies"])
    before = (tmp_path / "sbom.cdx.json").read_bytes()
    sbom.write(tmp_path)
    assert (tmp_path / "sbom.cdx.json").read_bytes() == before


def test_extras_are_part_of_the_bill_where_they_are_named(sbom):
    names = {one.name for one in sbom.components("semiqc", ["pairwise"])}
    assert "simpleitk" in names - {one.name for one in sbom.components("semiqc")}


def test_the_wheel_holds_what_a_run_needs_and_nothing_else(tmp_path):
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run([*build, "--directory", tmp_path], cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}

    assert tops == {"semiqc", "segmenters", "qc", "loops"}
    shipped = subprocess.run(
        ["git", "ls-files", *sorted(tops)], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert set(shipped) <= names
    assert f"semiqc-{semiqc.__version__}.dist-info/licenses/LICENSE" in names
