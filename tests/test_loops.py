"""Loops are tested with fakes: a bench that remembers what it was asked."""

import math
from dataclasses import replace

import numpy as np
import pytest
from builders import SPACING, study_of

from loops import Judged, Labelled, Outcome, Segmented, self_train, supervised, with_pseudo_labels
from qc import Decision, Quality
from qc.grains.labels import Kept
from semiqc.schemes import UNLABELLED
from semiqc.study import Prediction


class FakeBench:
    """Trains models that are numbers; model n labels every voxel n."""

    def __init__(self, scores, losses=()):
        self.scores = scores
        self.losses = losses
        self.trained = []
        self.last = []
        self.seen = []

    def train(self, experts, pseudo, *, number, is_last):
        self.trained.append((number, [s.name for s in experts], {s.name: s for s in pseudo}))
        self.last.append(is_last)
        return len(self.trained)

    def predict(self, model, studies):
        self.seen += [study.labelled_frames for study in studies]
        return Segmented(
            [
                Prediction(s.name, s.image, np.full(s.labels.shape, model, np.int8), SPACING)
                for s in studies
            ],
            repairs={"poor": f"mended by {model}"},
        )

    def judge(self, predictions):
        qualities = [Quality(p.study, self.scores[p.study]) for p in predictions]
        others = {p.study: {"a": self.scores[p.study], "b": 0.3} for p in predictions}
        return Judged(qualities, others)

    def choose(self, predictions, qualities):
        assert [one.study for one in predictions] == [one.study for one in qualities]
        return [Decision(q.study, q.score >= 0.5, "") for q in qualities]

    def label(self, studies, predictions, qualities, decisions):
        return Labelled(with_pseudo_labels(studies, predictions, decisions))

    def validation_loss(self, model):
        return self.losses[model] if self.losses else math.nan


class GrainingBench(FakeBench):
    """Leaves half of a good study, and nothing of any other, whatever the gate says."""

    def choose(self, predictions, qualities):
        return [Decision(q.study, True, "admitted") for q in qualities]

    def label(self, studies, predictions, qualities, decisions):
        outcomes = {}
        for decision in decisions:
            is_good = decision.study == "good"
            left = replace(decision, admitted=is_good, reason="half left" if is_good else "none")
            outcomes[decision.study] = Outcome(left, Kept(0.5, float(is_good) / 2, (0,)))
        decided = [outcome.decision for outcome in outcomes.values()]
        return Labelled(with_pseudo_labels(studies, predictions, decided), outcomes)


EXPERTS = [study_of("expert")]
CANDIDATES = [study_of("good", labelled=(0, 1)), study_of("poor")]
SCORES = {"good": 0.5, "poor": 0.4}


def rounds(bench, **options):
    return list(self_train(bench, 0, EXPERTS, CANDIDATES, **options))


def test_every_frame_of_what_the_gate_admits_is_learned_from():
    bench = FakeBench(SCORES)
    [record] = rounds(bench)

    [(_, experts, pseudo)] = bench.trained
    assert experts == ["expert"]
    assert set(pseudo) == {"good"}
    assert pseudo["good"].labelled_frames == (0, 1, 2)
    assert record.admitted == ("good",)
    assert record.is_kept


def test_candidates_are_segmented_without_their_labels():
    bench = FakeBench(SCORES)
    rounds(bench)

    assert bench.seen == [(), ()]
    assert CANDIDATES[0].labelled_frames == (0, 1)


def test_each_round_learns_from_the_labels_of_the_model_before_it():
    bench = FakeBench(SCORES)
    found = rounds(bench, rounds=2)

    learned = [pseudo["good"].labels[0, 0, 0, 0] for _, _, pseudo in bench.trained]
    assert learned == [0, 1]
    assert [record.number for record in found] == [1, 2]
    assert [number for number, _, _ in bench.trained] == [1, 2]


def test_a_rising_validation_loss_ends_it_and_takes_the_round_back():
    bench = FakeBench(SCORES, losses=[1.0, 0.8, 0.9, 0.1])
    found = rounds(bench, rounds=3)

    assert [record.is_kept for record in found] == [True, False]


def test_the_first_round_is_taken_back_where_its_loss_is_above_the_first_segmenters():
    bench = FakeBench(SCORES, losses=[0.7, 0.8, 0.1])
    [record] = rounds(bench, rounds=3)

    assert not record.is_kept
    assert record.validation_loss == 0.8


def test_without_validation_studies_every_round_is_kept():
    assert [record.is_kept for record in rounds(FakeBench(SCORES), rounds=3)] == [True] * 3


def test_an_equal_validation_loss_is_no_rise():
    bench = FakeBench(SCORES, losses=[1.0, 0.8, 0.8])

    assert [record.is_kept for record in rounds(bench, rounds=2)] == [True, True]


def test_a_gate_that_admits_nothing_ends_it_without_training():
    bench = FakeBench({"good": 0.1, "poor": 0.2})
    [record] = rounds(bench, rounds=3)

    assert bench.trained == []
    assert not record.is_kept
    assert record.model == 0


def test_a_record_holds_all_that_a_round_did_with_each_candidate():
    bench = FakeBench(SCORES)
    _, record = rounds(bench, rounds=2)
    good, poor = record.candidates

    assert (record.number, record.model, record.predicted_by) == (2, 2, 1)
    assert [one.prediction.labels[0, 0, 0, 0] for one in record.candidates] == [1, 1]
    assert (good.study, good.quality.score, good.decision.admitted) == ("good", 0.5, True)
    assert (poor.study, poor.quality.score, poor.decision.admitted) == ("poor", 0.4, False)
    assert good.scores == {"a": 0.5, "b": 0.3}
    assert (good.repair, poor.repair) == ("", "mended by 1")
    assert good.kept is None


def test_a_record_holds_what_became_of_a_study_after_the_gate_admitted_it():
    [record] = rounds(GrainingBench(SCORES))
    good, poor = record.candidates

    assert record.admitted == ("good",)
    assert [study.name for study in record.pseudo] == ["good"]
    assert (good.decision.reason, good.kept.foreground) == ("half left", 0.5)
    assert (poor.decision.reason, poor.kept.foreground) == ("none", 0)


def test_a_bench_is_told_which_round_is_the_last():
    bench = FakeBench(SCORES)
    rounds(bench, rounds=3)

    assert bench.last == [False, False, True]


def test_a_loop_goes_on_only_as_far_as_it_is_asked():
    bench = FakeBench(SCORES)
    next(self_train(bench, 0, EXPERTS, CANDIDATES, rounds=5))

    assert len(bench.trained) == 1


def test_supervised_training_uses_expert_labels_alone():
    bench = FakeBench(SCORES)
    [record] = supervised(bench, "first", EXPERTS)

    assert bench.trained == [(0, ["expert"], {})]
    assert record.number == 0


def test_pseudo_labels_never_touch_the_studies_they_are_made_for():
    study = study_of("good")
    before = study.labels.copy()
    predicted = Prediction("good", study.image, np.zeros_like(study.labels), SPACING)
    [labelled] = with_pseudo_labels([study], [predicted], [Decision("good", True, "")])

    assert (labelled.labels[:] != UNLABELLED).all()
    np.testing.assert_array_equal(study.labels, before)


def test_an_admitted_study_that_nobody_predicted_is_refused():
    with pytest.raises(ValueError, match="not predicted: good"):
        with_pseudo_labels([study_of("good")], [], [Decision("good", True, "")])
