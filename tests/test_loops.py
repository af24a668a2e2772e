"""Loops are tested with fakes: a bench that remembers what it was asked."""

import math

import numpy as np
import pytest
from builders import SPACING, study_of

from loops import self_train, supervised, with_pseudo_labels
from qc import Decision, Quality
from semiqc.schemes import UNLABELLED
from semiqc.study import Prediction


class FakeBench:
    """Trains models that are numbers; model n labels every voxel n."""

    def __init__(self, scores, losses=()):
        self.scores = scores
        self.losses = losses
        self.trained = []
        self.seen = []

    def train(self, name, experts, pseudo):
        self.trained.append((name, [s.name for s in experts], {s.name: s for s in pseudo}))
        return len(self.trained)

    def predict(self, model, studies):
        self.seen += [study.labelled_frames for study in studies]
        return [
            Prediction(s.name, s.image, np.full(s.labels.shape, model, np.int8), SPACING)
            for s in studies
        ]

    def judge(self, predictions):
        return [Quality(p.study, self.scores[p.study]) for p in predictions]

    def labelled(self, studies, predictions, qualities, decisions):
        return with_pseudo_labels(studies, predictions, decisions)

    def validation_loss(self, model):
        return self.losses[model] if self.losses else math.nan


def at_least_half(qualities):
    return [Decision(q.study, q.score >= 0.5, "") for q in qualities]


EXPERTS = [study_of("expert")]
CANDIDATES = [study_of("good", labelled=(0, 1)), study_of("poor")]
SCORES = {"good": 0.5, "poor": 0.4}


def rounds(bench, **options):
    return list(self_train(bench, 0, EXPERTS, CANDIDATES, gate=at_least_half, **options))


def test_only_what_the_gate_admits_is_taught_every_frame_of_it():
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

    taught = [pseudo["good"].labels[0, 0, 0, 0] for _, _, pseudo in bench.trained]
    assert taught == [0, 1]
    assert [record.number for record in found] == [1, 2]
    assert [name for name, _, _ in bench.trained] == ["round-1", "round-2"]


def test_a_rising_validation_loss_ends_it_and_takes_the_round_back():
    bench = FakeBench(SCORES, losses=[1.0, 0.8, 0.9, 0.1])
    found = rounds(bench, rounds=3)

    assert [record.is_kept for record in found] == [True, False]


def test_the_first_round_is_kept_whatever_the_supervised_loss_was():
    bench = FakeBench(SCORES, losses=[0.1, 0.8])

    assert [record.is_kept for record in rounds(bench)] == [True]


def test_an_equal_validation_loss_is_no_rise():
    bench = FakeBench(SCORES, losses=[1.0, 0.8, 0.8])

    assert [record.is_kept for record in rounds(bench, rounds=2)] == [True, True]


def test_a_gate_that_admits_nothing_ends_it_without_training():
    bench = FakeBench({"good": 0.1, "poor": 0.2})
    [record] = rounds(bench, rounds=3)

    assert bench.trained == []
    assert not record.is_kept
    assert record.model == 0


def test_a_loop_goes_on_only_as_far_as_it_is_asked():
    bench = FakeBench(SCORES)
    next(self_train(bench, 0, EXPERTS, CANDIDATES, gate=at_least_half, rounds=5))

    assert len(bench.trained) == 1


def test_supervised_training_uses_expert_labels_alone():
    bench = FakeBench(SCORES)
    [record] = supervised(bench, EXPERTS)

    assert bench.trained == [("supervised", ["expert"], {})]
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
