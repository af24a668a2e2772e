"""The page of `semiqc qc evaluate`, its calibration, and error maps beside the true errors."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_qc_evaluation import SCHEME, graded_of, told
from test_qc_evaluation_plots import judgements_of

from qc.evaluation import evaluate
from qc.evaluation.reliability import reliability, reliability_curves
from semiqc.pages.mosaic import tinted
from semiqc.suites.page import Judges, findings, write_evaluation_page


def evaluated(judges=("net", "rules")):
    """Eight studies of Dice 0 to 1; the first estimator is near the truth and has error maps."""
    graded = [graded_of(f"s{n}", a=n // 2, b=n // 2, group="NOR") for n in range(9)]
    near = told({f"s{n}": min(n // 2 / 4 + 0.02, 1) for n in range(9)})
    far = told({f"s{n}": 0.5 for n in range(9)})
    for one in graded:
        study, shape = one.prediction.study, one.prediction.labels.shape
        maps = {"A": np.zeros(shape, np.float16)}
        maps["A"][0, 0, 3, :2] = 0.75
        quality = near.qualities[study]
        slices = {"A": np.array([[0.5, np.nan]])}
        near.qualities[study] = replace(quality, error_maps=maps, slice_dice=slices)
    return evaluate(dict(zip(judges, (near, far), strict=True)), graded, SCHEME)


@pytest.fixture(scope="module")
def evaluation():
    return evaluated()


def test_calibration_is_told_by_tenths_of_the_estimates():
    rows = judgements_of("e", [0.2, 0.4, 0.9, 0.7], [0.31, 0.35, 1.0, float("nan")])

    found = [row for row in reliability(rows) if row.structure == "all"]

    assert [r.n for r in found] == [2, 1]
    assert [end for r in found for end in (r.low, r.high)] == pytest.approx([0.3, 0.4, 0.9, 1.0])
    assert [r.dice for r in found] == pytest.approx([0.33, 1.0])
    assert [r.true_dice for r in found] == pytest.approx([0.3, 0.9])
    drawn, _ = reliability_curves(found).axes[0].lines
    assert drawn.get_xydata() == pytest.approx(np.array([[0.33, 0.3], [1.0, 0.9]]))


def test_maps_are_kept_from_poor_to_good_in_the_slice_with_most_errors(evaluation):
    found = evaluation.maps

    # Of nothing right, a half, and three quarters; where all is right there is no error.
    assert [(one.estimator, one.study) for one in found] == [
        ("net", "s0"), ("net", "s2"), ("net", "s4"), ("net", "s6"),
    ]  # fmt: skip
    assert [(one.structure, one.slice_) for one in found] == [("A", 0)] * 4
    assert found[0].true.sum() == 8
    assert found[2].estimated.sum() == 1.5
    assert found[2].true_dice == 0.5


def test_tint_follows_the_strength():
    grey = np.full((2, 2), 100, np.uint8)

    pixels = tinted(grey, np.array([[0, 0.5], [1, 2]]), size=2)

    assert pixels[0, 0].tolist() == [100, 100, 100]
    assert pixels[0, 0, 1] > pixels[0, 1, 1] > pixels[1, 0, 1]
    assert pixels[1, 0].tolist() == pixels[1, 1].tolist()


def test_the_first_sentences_name_the_best_and_whom_it_surpasses(evaluation):
    said = findings(evaluation, evaluation.table())

    assert said[0].startswith("Of those that judge all 9 segmentations net errs least: MAE 0.018")
    assert said[-1].startswith("Its errors differ from those of rules (")


def test_the_page_has_figures_tables_and_maps(evaluation, tmp_path):
    figures = evaluation.write(tmp_path)

    judges = Judges([Path("a/<suite>")], Path("b/test.h5"), ["x", "y"], is_balanced=True)
    page = write_evaluation_page(evaluation, figures, SCHEME, judges, tmp_path)

    text = page.read_text(encoding="utf-8")
    assert page.name == "report.html"
    assert "&lt;suite&gt; on test.h5: 9 segmentations of 9 studies" in text
    assert "2 studies left out" in text
    for title in ("Mean over structures", "Each structure", "Single slices", "Between estimators"):
        assert title in text
    # Scatter, risk and coverage, boxes, balance, calibration; A, B, slices; four maps.
    assert text.count("<img ") == 5 + 3 + 4
    with (tmp_path / "calibration.csv").open(newline="") as file:
        assert {row["estimator"] for row in csv.DictReader(file)} == {"net", "rules"}


def test_a_page_of_scores_alone_says_so(tmp_path):
    graded = [graded_of(f"s{n}", a=n) for n in (1, 4)]
    mute = told({"s1": 0.2, "s4": 0.9})
    mute.qualities = {name: replace(q, dice={}) for name, q in mute.qualities.items()}
    evaluation = evaluate({"curve": mute}, graded, SCHEME)

    judges = Judges([Path("s")], Path("test.h5"))
    page = write_evaluation_page(evaluation, evaluation.write(tmp_path), SCHEME, judges, tmp_path)

    assert "No estimator gives a Dice" in page.read_text(encoding="utf-8")
