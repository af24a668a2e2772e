"""Background and whole heart: Robinson's outputs beside those of structures."""

from dataclasses import replace

import numpy as np
import pytest
from curve_builders import graded_hearts
from test_qc_evaluation import SCHEME, graded_of, row_of, told

from qc import ESTIMATORS
from qc.estimators.frame_estimator import Judged
from qc.estimators.network.crops import with_beyond
from qc.evaluation import evaluate
from qc.frames import Frame
from qc.graded.truth import foreground_dice
from qc.qualities_file import quality_from_json, quality_to_json
from semiqc.images.crop import box_around
from semiqc.schemes import SHORT_AXIS, UNLABELLED


def test_the_whole_counts_voxels_of_any_structure_and_leaves_out_what_nobody_labelled():
    predicted = np.array([0, 1, 2, 1, 0, 1])
    reference = np.array([0, 2, 1, 0, UNLABELLED, UNLABELLED])

    # Of the four labelled voxels three are predicted and two are in the reference, both found.
    assert foreground_dice(predicted, reference) == pytest.approx(4 / 5)
    assert foreground_dice(predicted, reference, inside=False) == pytest.approx(2 / 3)
    assert np.isnan(foreground_dice(np.zeros(3), np.zeros(3)))


@pytest.fixture(scope="module")
def network():
    small = {"width": 4, "size": (4, 32, 32), "steps": 2, "batch_size": 2}
    return ESTIMATORS["cnn"](SHORT_AXIS, **small).fit(graded_hearts(2))


def test_the_network_tells_what_it_learned_of_background_and_whole_heart(network):
    (quality,) = network.predict([graded_hearts(1)[0].prediction])

    assert list(quality.overall) == ["background", "foreground", "all classes"]
    assert all(0 < dice < 1 for dice in quality.overall.values())
    assert list(quality.dice) == [part.name for part in SHORT_AXIS.structures]
    kept = quality_from_json(quality_to_json(quality))
    assert kept.overall == quality.overall


def test_beyond_the_box_segmented_voxels_are_wrong_and_background_is_right():
    labels = np.zeros((1, 40, 40), np.int8)
    labels[0, 4:8, 4:8] = 1
    labels[0, 36, 36:38] = 2
    frame = Frame("a", np.zeros((1, 1, 40, 40), np.float32), labels, (8.0, 1.0, 1.0))
    box = box_around(labels, (1, 16, 16))
    judged = Judged(np.full(3, 0.5), overall=np.array([0.75, 0.9]))

    background, foreground = with_beyond(judged, frame, box, SHORT_AXIS).overall

    within = 16 * 16 - 16
    beyond = 40 * 40 - 16 * 16 - 2
    assert background == pytest.approx((0.75 * within + beyond) / (within + beyond))
    share = 16 / 18
    assert foreground == pytest.approx(0.9 * 2 * share / (1 + share))


def test_background_and_whole_are_evaluated_beside_structures():
    graded = [graded_of("s1", a=4, b=2), graded_of("s2", a=1, b=0)]
    estimator = told({"s1": 0.8, "s2": 0.2})
    for study, dice in (("s1", 0.7), ("s2", 0.1)):
        spoken = estimator.qualities[study]
        overall = {"background": 0.9, "foreground": dice}
        estimator.qualities[study] = replace(spoken, overall=overall)

    found = evaluate({"net": estimator, "mute": told({"s1": 0.5, "s2": 0.5})}, graded, SCHEME)

    # The whole is found by 6 and 1 of 8 voxels, with 2 and 7 elsewhere: Dice .75 and .125.
    row = row_of(found.table(), estimator="net", structure="foreground", by="all")
    assert row.mae == pytest.approx((0.05 + 0.025) / 2)
    assert (row.n_below, row.mae_below) == (1, pytest.approx(0.025))
    assert (row.accuracy, row.tpr, row.fpr, row.threshold) == (1, 1, 0, 0.7)
    assert {r.estimator for r in found.judgements if r.structure == "background"} == {"net"}
    # The mean over structures, and what is drawn of it, stay those of structures.
    assert row_of(found.table(), estimator="net", structure="all", by="all").mae == pytest.approx(
        (0.05 + 0.075) / 2
    )


def test_pictures_show_structures_alone(tmp_path):
    graded = [graded_of("s1", a=4, b=2), graded_of("s2", a=1, b=0)]
    estimator = told({"s1": 0.8, "s2": 0.2})
    for study in ("s1", "s2"):
        overall = {"background": 0.9, "foreground": 0.5}
        estimator.qualities[study] = replace(estimator.qualities[study], overall=overall)
    found = evaluate({"net": estimator}, graded, SCHEME)

    from qc.evaluation.plots import error_boxes, true_means

    assert true_means(found.judgements).tolist() == pytest.approx([0.75, 0.125])
    legend = error_boxes(found.judgements).legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["mean over structures", "A", "B"]
