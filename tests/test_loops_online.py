"""The loop around an online training, with a bench that remembers what it was asked."""

import math
from dataclasses import replace

import numpy as np
import pytest
from builders import study_of
from segmenter_builders import bright_square, small_unet

from loops import (
    LOOPS,
    InMemoryBench,
    Judged,
    Labelled,
    Segmented,
    self_train,
    train_online,
    with_pseudo_labels,
)
from loops.online.bcp import BCP
from loops.online.registry import METHODS
from qc import Decision, Quality, Threshold
from semiqc.study import Prediction

METHOD = object()


class FakeBench:
    """Models are numbers; model n labels every voxel n and judges by ``scores[n]``."""

    def __init__(self, *scores):
        self.scores = scores
        self.asked = []
        self.seen = []

    def advance(self, model, experts, bank, *, method, number, of):
        entries = {
            (study.name, study.labelled_frames): (study.weight, int(study.labels[:].max()))
            for study in bank
        }
        self.asked.append((model, [one.name for one in experts], entries, method, number, of))
        return model + 1

    def predict(self, model, studies):
        self.seen += [(study.name, study.labelled_frames) for study in studies]
        labels = [np.full(study.labels.shape, model, np.int8) for study in studies]
        return Segmented(
            [
                Prediction(study.name, study.image, one, study.spacing)
                for study, one in zip(studies, labels, strict=True)
            ]
        )

    def judge(self, predictions):
        score = self.scores[int(predictions[0].labels[0, 0, 0, 0])]
        return Judged([Quality(one.study, score.get(one.study, 0.0)) for one in predictions])

    def choose(self, predictions, qualities):
        return [Decision(q.study, q.score >= 0.5, "", max(q.score, 0.1)) for q in qualities]

    def label(self, studies, predictions, qualities, decisions):
        return Labelled(with_pseudo_labels(studies, predictions, decisions))

    def validation_loss(self, model):
        return math.nan


WHOLE = [study_of("expert", labelled=(0, 1, 2))]
CANDIDATES = [study_of("a"), study_of("b", labelled=(0, 2))]
ALL = (0, 1, 2)


def stretches(bench, experts=WHOLE, **options):
    return list(train_online(bench, 0, experts, CANDIDATES, method=METHOD, **options))


def test_each_stretch_goes_on_with_the_bank_of_the_model_before_it():
    bench = FakeBench({"a": 0.5}, {"a": 0.8, "b": 0.9})
    records = stretches(bench, rounds=2)

    assert bench.asked == [
        (0, ["expert"], {("a", ALL): (0.5, 0)}, METHOD, 1, 2),
        (1, ["expert"], {("a", ALL): (0.8, 1), ("b", ALL): (0.9, 1)}, METHOD, 2, 2),
    ]
    assert [(one.model, one.predicted_by, one.is_kept) for one in records] == [
        (1, 0, True), (2, 1, True),
    ]  # fmt: skip
    assert [one.admitted for one in records] == [("a",), ("a", "b")]
    assert [[study.name for study in one.pseudo] for one in records] == [["a"], ["a", "b"]]


def test_candidates_are_segmented_without_their_labels():
    bench = FakeBench({"a": 0.5})
    stretches(bench)

    assert bench.seen == [("a", ()), ("b", ())]


def test_where_nothing_is_admitted_any_more_the_bank_stays_as_it_was():
    bench = FakeBench({"a": 0.5}, {})
    records = stretches(bench, rounds=2)

    assert bench.asked[1][2] == {("a", ALL): (0.5, 0)}
    assert records[1].is_kept
    assert records[1].admitted == ()


def test_the_candidates_of_the_bank_stay_beside_the_experts_own_frames():
    bench = FakeBench({"a": 0.5}, {})
    records = stretches(bench, [study_of("expert", labelled=(0, 1))], rounds=2)

    own = {("expert", (2,)): (pytest.approx(math.exp(-0.1)), 1)}
    assert bench.asked[1][2] == {("a", ALL): (0.5, 0)} | own
    assert [[study.name for study in one.pseudo] for one in records] == [["a"], ["a"]]


def test_own_frames_that_would_never_be_drawn_are_left_out():
    bench = FakeBench({"a": 0.5})
    stretches(bench, [study_of("expert", labelled=(0,))], own_frames=1e6)

    assert bench.asked[0][2] == {("a", ALL): (0.5, 0)}


def test_where_nothing_is_ever_admitted_nothing_is_trained():
    bench = FakeBench({})
    [record] = stretches(bench, rounds=3)

    assert not record.is_kept
    assert record.model == 0
    assert len(record.candidates) == 2
    assert bench.asked == []


def test_without_a_gate_all_are_learned_from_in_one_stretch_and_none_is_judged():
    bench = FakeBench()
    [record] = stretches(bench, rounds=3, is_judged=False)

    assert bench.asked == [(0, ["expert"], {("a", ALL): (1, 0), ("b", ALL): (1, 0)}, METHOD, 1, 1)]
    assert (record.candidates, record.pseudo) == ([], ())


def test_other_frames_of_the_experts_studies_are_learned_from_by_their_distance():
    bench = FakeBench({})
    partly = [study_of("expert", labelled=(0,)), study_of("none", labelled=())]
    stretches(bench, partly, own_frames=0.2)

    weight = math.exp(-0.2) / 2
    [(_, _, entries, _, _, _)] = bench.asked
    assert entries == {
        ("expert", (1,)): (pytest.approx(weight), 0),
        ("expert", (2,)): (pytest.approx(weight), 0),
    }
    assert ("expert", ()) in bench.seen


def test_other_frames_of_the_experts_studies_may_be_left_out():
    bench = FakeBench({})
    [record] = stretches(bench, [study_of("expert", labelled=(0,))], own_frames=None)

    assert not record.is_kept


def test_a_registered_loop_makes_its_method_of_its_arguments(monkeypatch):
    monkeypatch.setitem(METHODS, "bcp", lambda *, jitter: ("bcp", jitter))
    bench = FakeBench({"a": 0.5})
    list(LOOPS["bcp"](bench, 0, WHOLE, CANDIDATES, rounds=1, jitter=0.1))

    assert bench.asked[0][3] == ("bcp", 0.1)


class Fixed:
    """The same of everything."""

    def predict(self, predictions):
        return [Quality(one.study, 0.5) for one in predictions]


def in_memory(**changes):
    bench = InMemoryBench(
        lambda: small_unet(**{"ema": 0.5} | changes), Fixed(), Threshold(min_score=0.5)
    )
    experts = [bright_square("expert")]
    candidates = [bright_square(name, seed=seed, labelled=()) for seed, name in enumerate("ab")]
    return bench, bench.train(experts), experts, candidates


@pytest.mark.parametrize("rounds", [1, 3])
def test_online_loops_run_in_memory(rounds):
    bench, first, experts, candidates = in_memory()
    found = list(train_online(bench, first, experts, candidates, method=BCP(), rounds=rounds))

    assert [one.admitted for one in found] == [("a", "b")] * rounds
    tensors = [one.model.network_.state_dict() for one in found]
    assert all(t["model.0.conv.unit0.conv.weight"].isfinite().all() for t in tensors)
    assert len({id(one.model) for one in found} | {id(first)}) == rounds + 1


def test_stretches_in_memory_are_one_training():
    """With a bank that does not change the cuts make no difference."""
    bench, first, experts, candidates = in_memory()
    labels = candidates[0].labels[:] * 0
    bank = [one.with_labels(labels) for one in candidates]
    how = {"method": BCP(), "of": 1}
    whole = bench.advance(first, experts, bank, number=1, **how)
    model = first
    for number in (1, 2, 3):
        model = bench.advance(model, experts, bank, number=number, **how | {"of": 3})

    for name, tensor in whole.network_.state_dict().items():
        assert tensor.equal(model.network_.state_dict()[name]), name
    assert not whole.network_.state_dict()[name].equal(first.network_.state_dict()[name])


def test_only_networks_are_trained_online():
    bench = InMemoryBench(lambda: object(), Fixed(), Threshold())

    with pytest.raises(TypeError, match="only networks go on from others, got object"):
        bench.advance(object(), [], [], method=BCP(), number=1, of=1)


def test_offline_trainings_may_go_on_from_the_model_before():
    bench, first, experts, candidates = in_memory()
    bench = replace(bench, segmenter=lambda: small_unet(learning_rate=1e-9, seed=3))
    found = [
        next(self_train(bench, first, experts, candidates, warm_start=warm)).model
        for warm in (False, True)
    ]

    # With such steps weights stay where they were.
    weights = [next(one.network_.parameters()).detach() for one in (first, *found)]
    assert weights[2].allclose(weights[0], atol=1e-6)
    assert not weights[1].allclose(weights[0], atol=1e-6)
