"""Predictions are compared with what the expert drew, on the grid that it was drawn on."""

import csv
import math
from dataclasses import replace

import nibabel
import numpy as np
import pytest

from semiqc.cli.app import main
from semiqc.experiment.evaluation import overlap_rows, true_dice
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.images.preparing import prepared
from semiqc.images.raw import RawStudy
from semiqc.images.resampling import to_source
from semiqc.measuring.metrics import dice
from semiqc.phantom import short_axis_study
from semiqc.schemes import SHORT_AXIS, UNLABELLED
from semiqc.study import Prediction

DRAWN_MM = (9.0, 1.0, 1.6)
"""Spacing (z, y, x) that the labels were drawn on."""

STUDY_MM = 1.3
LV = SHORT_AXIS.structure("LV")


def drawn(name="a", *, labelled=(0, 2), mm=DRAWN_MM):
    """A phantom of three frames as a reader gives it, on a grid with pixels that are oblong."""
    phantom = short_axis_study(seed=3, size=48, slices=3, frames=3)
    labels = np.array(phantom.labels[:, :, :40])
    for frame in set(range(3)) - set(labelled):
        labels[frame] = UNLABELLED
    affine = np.diag([mm[2], mm[1], mm[0], 1.0])
    return RawStudy(name, np.array(phantom.image[..., :40, :]), labels, mm, affine)


def said(study, labels):
    return Prediction(study.name, study.image, labels, study.spacing)


def figures(study, labels, grid):
    """By frame and structure."""
    rows = overlap_rows(said(study, labels), study, SHORT_AXIS, tolerance_mm=2.0, grid=grid)
    return {(row.frame, row.structure): row.figures for row in rows}


def test_a_prediction_is_brought_back_to_the_grid_that_labels_were_drawn_on():
    raw = drawn()
    study = prepared(raw, STUDY_MM)
    assert study.labels.shape[2:] != raw.labels.shape[2:]

    found = figures(study, study.labels, "source")

    assert figures(study, study.labels, "study")[0, "LV"]["dice"] == 1
    assert {frame for frame, _ in found} == {0, 2}
    for (frame, structure), one in found.items():
        back = to_source(study.labels[frame], study.geometry)
        expected = dice(back, raw.labels[frame], SHORT_AXIS.structure(structure))
        assert one["dice"] == expected < 1
        assert one["dice"] > 0.8
    mean = np.mean([one["dice"] for one in found.values()])
    whole = true_dice(said(study, study.labels), study, SHORT_AXIS, "source")
    assert whole == pytest.approx(mean)


def test_distances_are_those_of_the_grid_that_labels_were_drawn_on():
    raw = drawn(labelled=(0,))
    raw.labels[0] = 0
    raw.labels[0, :, 10:20, 10:20] = LV.values[0]
    study = prepared(raw, 0.5)
    moved = np.zeros_like(study.labels)
    # Four columns of .5 mm to the right.
    moved[..., 4:] = np.asarray(study.labels)[..., :-4]

    assert figures(study, moved, "study")[0, "LV"]["hd95_mm"] == pytest.approx(2.0)
    # Brought back, the border lies on the next column, which is 1.6 mm wide.
    assert figures(study, moved, "source")[0, "LV"]["hd95_mm"] == pytest.approx(1.6)


def test_a_structure_that_was_missed_scores_worst_on_the_drawn_grid_too():
    study = prepared(drawn(), STUDY_MM)

    missed = figures(study, np.zeros_like(study.labels), "source")[2, "LV"]

    assert missed["dice"] == missed["nsd"] == 0
    assert missed["hd95_mm"] == pytest.approx(math.dist((0, 0, 0), (3 * 9.0, 40 * 1.0, 48 * 1.6)))


def test_where_labels_were_drawn_on_the_grid_of_the_study_it_is_compared_there():
    raw = drawn()
    same = RawStudy(raw.name, raw.image, raw.labels, (9.0, STUDY_MM, STUDY_MM), raw.affine)
    study = prepared(same, STUDY_MM)
    shifted = np.roll(study.labels, 1, axis=-1)

    assert study.source_labels is None
    assert figures(study, shifted, "source") == figures(study, shifted, "study")


def test_whoever_hides_labels_hides_those_that_were_drawn():
    study = prepared(drawn(), STUDY_MM)

    assert study.without_labels().source_labels[:].max() == UNLABELLED
    one = study.keeping((2,)).source_labels
    assert (one[0] == UNLABELLED).all()
    np.testing.assert_array_equal(one[2], study.source_labels[2])
    assert study.with_labels(np.zeros_like(study.labels)).source_labels is None
    assert study.load().without_labels().load().source_labels.max() == UNLABELLED


def test_a_store_keeps_labels_as_they_were_drawn(tmp_path):
    raw = drawn()
    written = store_of(tmp_path / "s.h5", prepared(raw, STUDY_MM)).study("a")

    np.testing.assert_array_equal(written.source_labels[:], raw.labels)
    assert written.source_labels.labelled_frames == (0, 2)
    other = np.array(raw.labels)
    other[0, 0, 0, 0] = LV.values[0]
    again = store_of(tmp_path / "t.h5", replace(prepared(raw, STUDY_MM), source_labels=other))
    assert again.fingerprint() != Store(tmp_path / "s.h5").fingerprint()


def store_of(path, *studies):
    with StoreWriter(path, SHORT_AXIS) as writer:
        for study in studies:
            writer.add(study)
    return Store(path)


@pytest.mark.usefixtures("undrawn")
def test_evaluate_measures_what_predict_writes(finished_run, tmp_path):
    spacing = next(iter(Store(next(finished_run.glob("stages/phantom-*/store.h5"))))).spacing[1]
    raw = drawn(mm=(DRAWN_MM[0], 0.9 * spacing, 0.7 * spacing))
    store_of(tmp_path / "s.h5", prepared(raw, spacing))

    store, out, files = (str(tmp_path / name) for name in ("s.h5", "out", "files"))
    assert main(["evaluate", str(finished_run), store, "-o", out]) == 0
    assert main(["predict", str(finished_run), store, "-o", files, "--scenario", "few"]) == 0

    labels = np.asarray(nibabel.load(tmp_path / "files" / "a.nii.gz").dataobj).T
    with (tmp_path / "out" / "overlap.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["scenario"] == "few"]
    assert len(rows) == 6
    for row in rows:
        frame, structure = int(row["frame"]), SHORT_AXIS.structure(row["structure"])
        assert float(row["dice"]) == dice(labels[frame], raw.labels[frame], structure)
