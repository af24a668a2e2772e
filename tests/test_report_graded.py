"""What the estimators of a run learned from, in its report."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from builders import study_of
from report_builders import empty_report, full_report

from qc import Graded, Quality
from semiqc.experiment.held_out import HeldOut
from semiqc.files.tables import NAN, GradedRow, read_rows, write_rows
from semiqc.report.graded import balance_plots, estimate_plots
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction


def test_each_estimator_that_tells_the_dice_is_compared_with_the_truth():
    pictures = {one.title: one for one in estimate_plots(full_report())}

    assert list(pictures) == ["cnn", "svr"]
    assert pictures["svr"].caption == (
        "Mean absolute error and rank correlation:"
        " ● LV 0.050, ρ 1.00; ■ MYO 0.050, ρ 1.00; ▲ RV 0.050, ρ 1.00."  # noqa: RUF001
    )
    assert pictures["cnn"].caption.endswith(": ● LV 0.200, ρ 1.00.")  # noqa: RUF001


def test_segmentations_are_counted_before_and_after_balancing():
    data = full_report()
    [picture] = balance_plots(data)
    assert picture.caption.startswith("20 segmentations of 10 studies;")

    unknown = replace(data, graded=[replace(row, dice=NAN) for row in data.graded])
    assert balance_plots(unknown) == estimate_plots(unknown) == []


def test_a_run_that_kept_none_shows_none():
    assert balance_plots(empty_report()) == estimate_plots(empty_report()) == []


def test_rows_hold_what_estimators_of_other_folds_said(tmp_path):
    study = study_of("a")
    one = Prediction(study.name, study.image[:, :2], study.labels[:2] * 0, study.spacing)
    dice = np.array([[0.9, 0.5, NAN], [0.7, 0.5, NAN]])
    graded = [Graded(one, source="first@45", dice=dice)] * 2
    stages = SimpleNamespace(trainer=SimpleNamespace(store=SimpleNamespace(scheme=SHORT_AXIS)))
    held_out = HeldOut(stages, graded, [])
    said = Quality(one.study, 0.8, dice={"LV": 0.75})
    held_out._said["svr"] = [said, None]
    rows = held_out.rows(3)
    write_rows(tmp_path / "graded.csv", GradedRow, rows)

    assert len(rows) == 6
    assert [row.structure for row in rows[:3]] == ["LV", "MYO", "RV"]
    assert [row.estimated for row in rows] == [{"svr": 0.75}, *[{}] * 5]
    assert rows[0] == GradedRow(3, one.study, "first@45", "LV", 0.8, {"svr": 0.75})
    assert read_rows(tmp_path / "graded.csv", GradedRow)[0].estimated == {"svr": 0.75}
