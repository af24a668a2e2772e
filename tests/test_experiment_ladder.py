"""Which studies and segmenters the estimators of a run learn from."""

import pytest
from builders import study_of

from semiqc.experiment.ladder import deal
from semiqc.experiment.qc_settings import QcSettings, Rung
from semiqc.experiment.rungs import RungSteps, Snapshot


def test_every_fold_has_its_share_of_the_groups_that_come_in_blocks():
    studies = [study_of(f"s{n}", group=group) for n, group in enumerate("aaabbb")]

    dealt = deal(studies, folds=3, seed=0)

    assert [sorted(study.group for study in fold) for fold in dealt] == [["a", "b"]] * 3


def test_a_single_subject_cannot_be_dealt():
    assert deal([study_of("ed", subject="p"), study_of("es", subject="p")], folds=2, seed=0) == []


def test_snapshots_are_told_apart_by_rung_and_step():
    steps = RungSteps(Rung(name="half", steps=0.5, snapshots=(0.1, 0.5, 1.0)), whole=400)

    assert steps.before_end == (20, 100)
    assert steps.end == Snapshot("half", 200) == steps.at(200)
    assert [steps.at(step).source for step in steps.before_end] == ["half@20", "half@100"]


def test_snapshots_that_fall_on_one_step_or_on_the_end_are_one():
    steps = RungSteps(Rung(name="short", snapshots=(0.01, 0.02, 0.3, 0.99)), whole=3)

    assert steps.before_end == (1,)
    assert RungSteps(Rung(name="tiny", steps=0.01), whole=10).count == 1


@pytest.mark.parametrize("held_back", ["labelled", "width", "steps"])
def test_a_rung_that_holds_something_back_is_not_the_first_segmenter(held_back):
    rung = Rung(name="fewer", **{held_back: 0.5})

    assert not rung.is_whole
    assert rung.is_full_size == (held_back == "labelled")
    assert Rung(name="whole").is_whole


def test_of_the_whole_rungs_those_that_reach_their_end_come_first():
    early, late = Rung(name="early", snapshots=(0.5,)), Rung(name="late")
    qc = QcSettings(ladder=(early, Rung(name="small", width=0.5), late))

    assert qc.whole == [late, early]
