"""No command writes its results over what they are made of, also where it may replace files."""

import json

import h5py
import numpy as np
import pytest
from source_builders import pixels, save

from semiqc.cli.app import main
from semiqc.files.places import require_apart


@pytest.fixture
def place(tmp_path):
    """A folder with images, segmentations of the same names, and tables of them."""
    image = pixels(shape=(12, 11, 3))
    for name in "ab":
        save(tmp_path / "in" / f"{name}.nii.gz", image, np.diag([1.5, 1.5, 8, 1]))
        labels = (image > np.median(image)).astype(np.uint8)
        save(tmp_path / "seg" / f"{name}.nii.gz", labels, np.diag([1.5, 1.5, 8, 1]))
    (tmp_path / "manifest.csv").write_text("study,image\na,in/a.nii.gz\nb,in/b.nii.gz\n")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(capsys, *words):
    code = main([str(word) for word in words])
    return code == 2 and "is read from there; name another place" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("read", "output"),
    [
        ("in", "in"),
        ("in/a.nii.gz", "in"),
        ("in", "in/../in"),
        ("manifest.csv", "in"),
        ("manifest.csv", "."),
    ],
)
def test_predictions_do_not_replace_their_images(place, capsys, read, output):
    before = contents(place)

    words = ("predict", "phantom", place / read, "-o", place / output, "--overwrite")
    assert refused(capsys, *words)
    assert contents(place) == before


def test_a_link_to_the_images_is_not_another_folder(place, capsys):
    (place / "link").symlink_to("in")

    assert refused(capsys, "predict", "phantom", place / "in", "-o", place / "link", "--overwrite")


def test_predictions_do_not_damage_the_run_that_makes_them(finished_run, place, capsys):
    before = contents(finished_run)

    words = ("predict", finished_run, place / "in", "-o", finished_run, "--overwrite")
    assert refused(capsys, *words)
    assert contents(finished_run) == before


@pytest.mark.parametrize("output", ["in", "seg"])
def test_scores_do_not_lie_among_what_they_judge(place, capsys, output):
    before = contents(place)

    words = ("score", "phantom", place / "in", place / "seg", "-o", place / output, "--overwrite")
    assert refused(capsys, *words)
    assert contents(place) == before


def test_a_draft_does_not_replace_the_table_that_is_checked(place, capsys):
    before = contents(place)

    words = ["check", str(place / "manifest.csv"), "-o", str(place), "--overwrite"]
    assert main([*words, "--no-time"]) == 2
    assert "is what is checked" in capsys.readouterr().err
    assert contents(place) == before


def test_graded_segmentations_do_not_replace_their_store(suite_store, place, capsys):
    before = suite_store.read_bytes()

    words = ("qc", "grade", suite_store, place / "seg", "-o", suite_store, "--overwrite")
    assert refused(capsys, *words)
    assert suite_store.read_bytes() == before


def test_an_evaluation_does_not_damage_its_suite(fitted_suite, capsys):
    before = contents(fitted_suite)

    words = ("qc", "evaluate", fitted_suite, fitted_suite / "test.h5", "-o", fitted_suite)
    assert refused(capsys, *words, "--overwrite")
    assert contents(fitted_suite) == before
    assert json.loads((fitted_suite / "suite.json").read_text())


def test_a_folder_beside_or_within_is_another(place):
    require_apart(place / "out", place / "in", place / "none")
    require_apart(place / "in" / "out", place / "in")
    require_apart(place / "in", place / "seg" / "a.nii.gz")


@pytest.mark.parametrize(
    "words",
    [
        "qc fit {store} -o {run} --estimators svr --sources failures",
        "qc fit {store} -o {suite} --estimators svr --sources failures",
        "qc grade {store} {seg} -o {run}/results/overlays.h5 --overwrite",
        "qc grade {store} {seg} -o {seg}/a.nii.gz --overwrite",
        "qc evaluate {suite} {suite}/test.h5 -o {run} --overwrite",
        "check {in} -o {run} --overwrite --no-time",
        "import {manifest} {run}/results/overlays.h5 --overwrite",
        "phantom {suite}/suite.json --overwrite",
        "tune {run}/settings.yaml --over training.clip=[1,2] -o {run} --set split.validation=1",
        "pretrain -o {run}/models/few-seed0.safetensors --overwrite",
        "review {run} --export {run}/results",
        "score phantom {in} {seg} -o {run} --overwrite",
        "predict phantom {in} -o {run}/results --overwrite",
        "run -o {suite}",
    ],
)
def test_no_command_writes_over_what_is_finished(
    finished_run, fitted_suite, suite_store, place, capsys, words
):
    folders = {"run": finished_run, "suite": fitted_suite, "store": suite_store}
    folders |= {name: place / name for name in ("in", "seg")}
    folders["manifest"] = place / "manifest.csv"
    read = [finished_run, fitted_suite, place]
    before = [contents(folder) for folder in read]

    assert main(words.format(**folders).split()) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "another" in said
    after = [contents(folder) for folder in read]
    assert all(was.items() <= now.items() for was, now in zip(before, after, strict=True))


@pytest.mark.parametrize(
    "words",
    ["phantom {} --overwrite", "import {manifest} {} --overwrite",
     "qc grade {store} {seg} -o {} --overwrite"],
)  # fmt: skip
def test_hdf5_of_another_program_is_not_replaced(place, suite_store, capsys, words):
    theirs = place / "theirs.h5"
    with h5py.File(theirs, "w") as file:
        file["image"] = np.ones(3)
    before = theirs.read_bytes()
    told = words.format(
        theirs, store=suite_store, seg=place / "seg", manifest=place / "manifest.csv"
    )

    assert main(told.split()) == 2
    assert "name another file" in capsys.readouterr().err
    assert theirs.read_bytes() == before
