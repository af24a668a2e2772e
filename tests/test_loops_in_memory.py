"""Loops run without a run folder, with any segmenter and any estimator."""

import re
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from builders import study_of
from sklearn.base import BaseEstimator

from loops import InMemoryBench, self_train, supervised
from qc import GRAINS, BestK, Quality
from qc.consensus.panel import Panel
from semiqc.schemes import SHORT_AXIS, UNLABELLED

DOCS = Path(__file__).parents[1] / "docs" / "loops.md"
NAMES = [structure.name for structure in SHORT_AXIS.structures]
LV = SHORT_AXIS.structure("LV").values[0]


class Copycat(BaseEstimator):
    """Segments everything as the last study that it learned from is labelled."""

    scheme, modalities = SHORT_AXIS, 1

    def __init__(self, flaw=0):
        self.flaw = flaw

    def fit(self, studies, pseudo=(), validation=()):
        self.learned_ = [study.name for study in (*studies, *pseudo)]
        self.labels_ = np.array([*studies, *pseudo][-1].labels[1])
        self.labels_[:, : self.flaw * len(pseudo)] = 0
        return self

    def predict_frames(self, study):
        for _ in range(study.frames):
            yield np.moveaxis(np.eye(4, dtype=np.float32)[self.labels_], -1, 0)


@dataclass
class ByName:
    """The later in the alphabet, the better; the first slice is never good."""

    def predict(self, predictions):
        slices = np.tile([0.1, 0.9], (3, 1))
        return [
            Quality(p.study, (ord(p.study) - 97) / 26, slice_dice=dict.fromkeys(NAMES, slices))
            for p in predictions
        ]


EXPERTS = [study_of("expert")]
CANDIDATES = [study_of("a", labelled=()), study_of("b", labelled=())]


def loop(bench, **options):
    return list(self_train(bench, bench.train(EXPERTS), EXPERTS, CANDIDATES, **options))


def test_the_examples_of_the_docs_run_as_they_stand(capsys):
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        exec(block, {})

    printed = capsys.readouterr().out.splitlines()
    assert len(blocks) == 2
    assert [line.split()[0] for line in printed] == ["1", "2"]


@pytest.mark.parametrize("segmenter", [Copycat, Copycat().fit(EXPERTS)])
def test_every_training_starts_from_a_new_segmenter_made_or_cloned(segmenter):
    bench = InMemoryBench(segmenter, ByName(), BestK(1))
    first, second = loop(bench, rounds=2)

    assert first.model.learned_ == second.model.learned_ == ["expert", "b"]
    assert len({id(first.model), id(second.model), id(segmenter)}) == 3


def test_whole_studies_are_learned_from_without_a_grain():
    [record] = loop(InMemoryBench(Copycat, ByName(), BestK(1)))
    a, b = record.candidates

    assert (a.decision.admitted, b.decision.admitted) == (False, True)
    assert b.scores == {"ByName": pytest.approx(1 / 26)}
    assert b.kept is None
    assert (record.pseudo[0].labels[:] == LV).any()
    assert (record.pseudo[0].labels[:] != UNLABELLED).all()


class Fixed(ByName):
    """The same of everything; not asked about what it cannot judge."""

    def __init__(self, score, blind=()):
        self.score, self.blind = score, blind

    def can_judge(self, prediction):
        return prediction.study not in self.blind

    def predict(self, predictions):
        return [Quality(p.study, self.score) for p in predictions]


def test_the_gate_goes_by_the_consensus_of_a_panel():
    blend = SimpleNamespace(
        judge=lambda said, one: Quality(one.study, min(q.score for q in said.values()))
    )
    panel = Panel({"high": Fixed(0.8), "low": Fixed(0.2, blind=["a"])}, blend)
    [record] = loop(InMemoryBench(Copycat, panel, BestK(1)))
    a, b = record.candidates

    assert record.admitted == ("a",)
    assert (a.quality.score, b.quality.score) == (0.8, 0.2)
    assert a.scores == {"high": 0.8, "consensus": 0.8}
    assert b.scores == {"high": 0.8, "low": 0.2, "consensus": 0.2}


def test_a_panel_without_a_consensus_is_refused():
    bench = InMemoryBench(Copycat, Panel({"high": Fixed(0.8)}), BestK(1))

    with pytest.raises(ValueError, match="a: the panel has no consensus; it needs a blend"):
        loop(bench)


def test_a_grain_leaves_out_parts_of_the_admitted():
    grain = GRAINS["slice"](SHORT_AXIS)
    [record] = loop(InMemoryBench(Copycat, ByName(), BestK(1), grain))
    a, b = record.candidates

    assert (record.pseudo[0].labels[:, 0] == UNLABELLED).all()
    assert (record.pseudo[0].labels[:, 1] != UNLABELLED).all()
    assert (a.kept, b.kept.voxels) == (None, 0.5)
    assert "50.0% of voxels kept" in b.decision.reason


def test_a_soft_grain_weighs_parts_of_the_admitted():
    grain = GRAINS["soft_slice"](SHORT_AXIS)
    [record] = loop(InMemoryBench(Copycat, ByName(), BestK(1), grain))
    [admitted] = record.pseudo

    assert (admitted.labels[:] != UNLABELLED).all()
    assert admitted.voxel_weights[:, 0].max() < admitted.voxel_weights[:, 1].min()
    assert "of weight" in record.candidates[1].decision.reason


def test_a_study_of_which_nothing_is_left_is_refused():
    grain = GRAINS["slice"](SHORT_AXIS, min_slice_dice=1.0)
    [record] = loop(InMemoryBench(Copycat, ByName(), BestK(1), grain))

    assert not record.is_kept
    assert record.admitted == ()
    assert "refused" in record.candidates[1].decision.reason


def test_validation_studies_take_back_a_round_that_makes_their_dice_fall():
    bench = InMemoryBench(Copycat(flaw=3), ByName(), BestK(1), validation=[study_of("v")])
    [record] = loop(bench, rounds=3)

    assert bench.validation_loss(bench.train(EXPERTS)) == 0
    assert 0 < record.validation_loss < 1
    assert not record.is_kept


def test_without_validation_studies_the_loss_is_unknown():
    [record] = supervised(InMemoryBench(Copycat, ByName(), BestK(1)), Copycat(), EXPERTS)

    assert np.isnan(record.validation_loss)
