"""What is odd about an image or a segmentation is said by every command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import study_of
from source_builders import AFFINE, acdc, pixels, save

from qc import Quality
from qc.consensus.panel import Panel
from semiqc.doors.hdf5_file import MOST_CHUNKS
from semiqc.exchange.importing import import_data, read_images
from semiqc.experiment.data import Data
from semiqc.experiment.flagging import Flagging
from semiqc.experiment.learned import Learned
from semiqc.files.store.reader import Store
from semiqc.images.notes import summed_up
from semiqc.images.plausible import oddities
from semiqc.images.preparing import check_size
from semiqc.images.raw import RawStudy, UnusableError
from semiqc.images.sizes import MOST_SLICES
from semiqc.measuring.measures import ClinicalMeasure
from semiqc.measuring.plausible import implausible
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction


def raw(shape, mm, **fields):
    image = np.broadcast_to(np.float32(0), (1, 1, *shape))
    labels = np.broadcast_to(np.int8(-1), (1, *shape))
    return RawStudy("a", image, labels, mm, np.diag([*mm[::-1], 1.0]), **fields)


@pytest.mark.parametrize(
    ("shape", "mm", "note"),
    [
        ((10, 200, 160), (8, 1.5, 1.5), None),
        ((155, 240, 240), (1, 1, 1), None),
        ((10, 16, 16), (10, 4, 4), None),
        ((10, 200, 160), (1, 1, 1), "exactly 1 x 1 x 1 mm"),
        ((10, 200, 160), (8, 0.05, 0.05), "pixels of 0.05 x 0.05 mm; is the spacing in mm"),
        ((10, 30, 30), (8, 15, 15), "pixels of 15 x 15 mm; is the spacing in mm"),
        ((10, 200, 160), (8, 4, 1.5), "far from square"),
        ((10, 200, 160), (80, 1.5, 1.5), "slices 80 mm apart"),
        ((10, 200, 160), (0.8, 0.15, 0.15), "the image measures 8 x 30 x 24 mm"),
        ((200, 200, 160), (8, 1.5, 1.5), "the image measures 1.6e+03 x 300 x 240 mm"),
        ((48, 5, 48), (4, 4, 4), "48 slices of 5 x 48 pixels; do its slices lie"),
    ],
)
def test_what_an_image_cannot_well_be_is_told(shape, mm, note):
    found = list(oddities(raw(shape, mm)))

    assert found == [] if note is None else any(note in line for line in found)


def test_a_file_of_two_axes_does_not_know_how_thick_it_is():
    [found] = oddities(raw((1, 48, 48), (1, 4, 4), form={"dim": [48, 48]}))

    assert found == "the file has two axes, so slice thickness is not known; 1 mm is taken"


@pytest.mark.parametrize(
    ("measure", "unit", "value", "is_odd"),
    [
        ("EDV", "ml", 1326, True),
        ("EDV", "ml", 5, False),
        ("EDV", "ml", 0, False),
        ("EDV", "ml", float("nan"), False),
        ("EDV", "ml", 350, False),
        ("EF", "%", 92.4, True),
        ("mass", "g", 700, True),
        ("mass", "g", 130, False),
        ("SV", "ml", 9999, False),
    ],
)
def test_what_no_heart_measures_is_told(measure, unit, value, is_odd):
    found = implausible([ClinicalMeasure("LV", measure, unit, value)])

    assert [line.startswith(f"LV {measure} {value} {unit} is impl") for line in found] == (
        [True] if is_odd else []
    )


def odd_folder(path: Path) -> Path:
    """Images whose voxel size is half of what the affine says."""
    for name in ("a", "b"):
        seed = ord(name)
        save(path / f"{name}.nii", pixels(seed), pixdim=[1, 0.75, 0.75, 4, 1, 1, 1, 1])
    return path


def test_notes_of_new_images_reach_whoever_segments_them(tmp_path):
    studies = read_images(
        odd_folder(tmp_path / "in"), spacing=1.5, modalities=1, scheme=SHORT_AXIS
    )

    [line] = summed_up((study.name, study.notes) for study in studies)
    assert line.startswith("a, b: header's voxel size and affine contradict each other")


def test_notes_stay_with_a_store_and_a_run_tells_them(tmp_path):
    acdc(tmp_path / "in", "patient001")
    (tmp_path / "in" / "patient001" / "patient001_frame03_gt.nii.gz").unlink()
    acdc(tmp_path / "in", "patient002", seed=1)
    report = import_data(tmp_path / "in", tmp_path / "a.h5")

    expected = ("patient001: only one of the ED and ES frames has labels",)
    assert Data(Store(tmp_path / "a.h5")).notes == report.warnings == expected


def flagging(*threshold: float) -> Flagging:
    learned = Learned(None, Panel({}), SHORT_AXIS, 1.5, 1, True, "", "phantom", 0)
    return Flagging(learned, *threshold)


def judged(name="a", **fields):
    study = replace(study_of(name), **fields)
    labels = np.maximum(study.labels, 0)
    return study, Prediction(name, study.image, labels, study.spacing)


def test_an_impossible_volume_is_flagged_with_its_reason_on_the_page(tmp_path):
    found = flagging()
    wild = [ClinicalMeasure("LV", "EDV", "ml", 1326.0)]
    found.keep(*found.flag(*judged("wild"), {}, wild))
    found.keep(*found.flag(*judged("calm"), {}, []))
    found.write(tmp_path, [("gone", "gone.nii: empty file")], whole=lambda one: one)

    assert [(one.study, one.flagged) for one in found.scores] == [("wild", True), ("calm", False)]
    for file in ("studies.csv", "quality.json", "report.html"):
        text = (tmp_path / file).read_text(encoding="utf-8")
        assert "LV EDV 1326 ml is implausible, expected 700 at most" in text, file
    assert "gone.nii: empty file" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_estimator_is_named_once_before_its_reasons(tmp_path):
    found, reasons = flagging(), ("walls too thin", "walls too long")
    low = Quality("a", 0.4, dice={"LV": 0.4}, reasons=reasons)
    found.keep(*found.flag(*judged(), {"told": low}, []))
    found.write(tmp_path, [], whole=lambda one: one)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")

    assert page.count("walls too long") == page.count("told: walls too thin") > 0
    assert "told: walls too long" not in page


def test_a_low_score_is_flagged_as_score_does_with_reasons_and_intervals(tmp_path):
    found = flagging()
    low = Quality(
        "a", 0.4, dice={"LV": 0.4}, interval={"LV": (0.25, 0.55)}, reasons=("walls too thin",)
    )
    found.keep(*found.flag(*judged(notes=("affine is odd",)), {"told": low}, []))
    found.keep(*found.flag(*judged("b"), {"told": replace(low, study="b", score=0.9)}, []))
    found.write(tmp_path, [], whole=lambda one: one)

    assert [one.flagged for one in found.scores] == [True, False]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in ("affine is odd", "told: walls too thin", "0.25 to 0.55", "Who judged"):
        assert words in page
    assert (tmp_path / "structures.csv").read_text().splitlines()[1].endswith("0.25,0.55")


def test_slices_on_the_first_axis_are_told(tmp_path):
    save(tmp_path / "a.nii", pixels(shape=(3, 7, 6)), AFFINE[:, [2, 0, 1, 3]])
    [study] = read_images(tmp_path / "a.nii", spacing=1.5, modalities=1, scheme=SHORT_AXIS)

    assert study.notes == ("slices lie along the first axis; turned, and results are turned back",)


def test_the_threshold_that_is_asked_for_flags_and_is_told(tmp_path):
    found = flagging(0.95)
    found.keep(*found.flag(*judged("b"), {"told": Quality("b", 0.9)}, []))
    found.write(tmp_path, [], whole=lambda one: one)

    assert [one.flagged for one in found.scores] == [True]
    assert json.loads((tmp_path / "quality.json").read_text())["flag_below"] == 0.95
    assert "scores below 0.95" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_an_image_wider_than_a_person_is_refused_before_memory_is_taken():
    with pytest.raises(UnusableError, match="60 pixels of 90 mm measure 5400 mm, expected 3000"):
        check_size("a", (1, 1, 60, 60, 60), (90, 90, 90), 6.0)
    check_size("a", (1, 1, 60, 300, 300), (90, 9, 9), 6.0)


def test_an_image_of_more_slices_than_a_store_takes_is_refused():
    assert MOST_SLICES == MOST_CHUNKS
    with pytest.raises(
        UnusableError, match="a: 1000 frames of 132 slices, expected 131072 slices"
    ):
        check_size("a", (1, 1000, 132, 20, 20), (8, 2, 2), 2.0)
    check_size("a", (1, 1000, 131, 20, 20), (8, 2, 2), 2.0)
