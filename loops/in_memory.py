"""A bench that keeps everything in memory: loops without a run folder."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol
from weakref import WeakKeyDictionary

import numpy as np
from sklearn.base import clone

from loops.base import with_pseudo_labels
from loops.records import Judged, Labelled, Outcome, Segmented
from qc import CONSENSUS, Decision, Grain, Quality
from qc.consensus.panel import Panel
from qc.grains.labels import PartialLabels, after_grain
from segmenters import NetworkSegmenter, Segmenter, predict
from segmenters.fitting import CONTINUED
from segmenters.method import Method, Part
from semiqc.measuring.metrics import dice
from semiqc.study import Prediction, Study

START = "start.safetensors"
"""File with the weights that a training starts from."""

Gating = Callable[[Sequence[Quality]], Sequence[Decision]]
"""Qualities in, one decision for each out, in order."""


class Estimator(Protocol):
    """What judges: a fitted ``qc.QualityEstimator``, or whatever predicts as one."""

    def predict(self, predictions: Sequence[Prediction]) -> Sequence[Quality]:
        """The quality of each prediction, in order."""
        ...


@dataclass(frozen=True, eq=False)
class InMemoryBench:
    """What a loop asks for, of any segmenter and any estimator; see ``loops.Bench``.

    Nothing is written, so nothing is found again by a second call.

    Args:
        segmenter: Makes a segmenter that is not yet fitted; or one, which is cloned. Every
            training starts from a new one.
        estimator: Fitted on predictions of studies that the segmenter does not learn from. The
            gate goes by it, or by the consensus of a panel.
        gate: Chooses among the candidates; any ``qc.Gate``.
        grain: Leaves out parts of the admitted studies that are likely wrong; None leaves out
            nothing.
        validation: Labelled studies whose loss ends a loop when it rises.
        predict_study: Segments one study. Another than the default may add uncertainty maps.
    """

    segmenter: Segmenter | Callable[[], Segmenter]
    estimator: Estimator | Panel
    gate: Gating
    grain: Grain | None = None
    validation: Sequence[Study] = field(default=(), repr=False)
    predict_study: Callable[[Segmenter, Study], Prediction] = predict
    _states: WeakKeyDictionary[Segmenter, bytes] = field(
        default_factory=WeakKeyDictionary, init=False, repr=False
    )
    """Of unfinished online trainings, by the segmenter that the last stretch left."""

    def train(
        self,
        experts: Sequence[Study],
        pseudo: Sequence[Study] = (),
        *,
        number: int = 0,
        is_last: bool = False,
        start: Segmenter | None = None,
    ) -> Segmenter:
        """See ``loops.Bench``.

        Raises:
            TypeError: If it is to start from another segmenter and is no network.
        """
        if start is None:
            return self._blank().fit(experts, pseudo, self.validation)
        with TemporaryDirectory() as name:
            blank = self._starting_from(start, Path(name))
            return blank.fit(experts, pseudo, self.validation)

    def _blank(self) -> Segmenter:
        given = self.segmenter
        return given() if callable(given) else clone(given, safe=False)

    def _starting_from(self, model: Segmenter, folder: Path) -> NetworkSegmenter:
        """A segmenter that is not fitted, whose training starts from the weights of another."""
        blank = self._blank()
        if not isinstance(blank, NetworkSegmenter):
            raise TypeError(f"only networks go on from others, got {type(blank).__name__}")
        model.save(folder / START)
        blank.training = replace(blank.training, start=str(folder / START))
        return blank

    def advance(
        self,
        model: Segmenter,
        experts: Sequence[Study],
        bank: Sequence[Study],
        *,
        method: Method,
        number: int,
        of: int,
    ) -> Segmenter:
        """See ``loops.Bench``; as many steps as the segmenter's settings say, in all stretches.

        Raises:
            TypeError: If the segmenter is no network.
        """
        with TemporaryDirectory() as name:
            folder = Path(name)
            blank = self._starting_from(model, folder)
            before = folder / "before.safetensors"
            state = self._states.get(model)
            if state:
                before.write_bytes(state)
            part = Part(blank.training.steps * number // of, before if state else None)
            blank.fit(
                experts,
                (),
                self.validation,
                folder=folder,
                unlabelled=bank,
                method=method,
                part=part,
            )
            if number < of:
                self._states[blank] = (folder / CONTINUED).read_bytes()
        return blank

    def predict(self, model: Segmenter, studies: Sequence[Study]) -> Segmented:
        return Segmented([self.predict_study(model, study) for study in studies])

    def judge(self, predictions: Sequence[Prediction]) -> Judged:
        if isinstance(self.estimator, Panel):
            return _judged_by(self.estimator, predictions)
        qualities = self.estimator.predict(predictions)
        name = type(self.estimator).__name__
        return Judged(qualities, {one.study: {name: one.score} for one in qualities})

    def choose(
        self, predictions: Sequence[Prediction], qualities: Sequence[Quality]
    ) -> Sequence[Decision]:
        return self.gate(qualities)

    def label(
        self,
        studies: Sequence[Study],
        predictions: Sequence[Prediction],
        qualities: Sequence[Quality],
        decisions: Sequence[Decision],
    ) -> Labelled:
        if self.grain is None:
            return Labelled(with_pseudo_labels(studies, predictions, decisions))
        left, outcomes = [], {}
        for row in zip(studies, predictions, qualities, decisions, strict=True):
            study, prediction, quality, decision = row
            if decision.admitted:
                labels = self.grain(prediction, quality)
                decision = after_grain(decision, labels.kept)
                outcomes[study.name] = Outcome(decision, labels.kept)
            if decision.admitted:
                left.append(_left_of(study, labels, decision))
        return Labelled(left, outcomes)

    def validation_loss(self, model: Segmenter) -> float:
        """1 - mean Dice over structures and labelled frames; NaN without validation studies."""
        found = [
            dice(prediction.labels[frame], study.labels[frame], structure)
            for study in self.validation
            for prediction in [self.predict_study(model, study)]
            for frame in study.labelled_frames
            for structure in model.scheme.structures
        ]
        return 1 - float(np.nanmean(found)) if found else math.nan


def _left_of(study: Study, labels: PartialLabels, decision: Decision) -> Study:
    """An admitted study with the pseudo-labels that a grain leaves."""
    weights = None if labels.weights is None else labels.weights[:]
    filled = study.with_labels(labels[:])
    return replace(filled, weight=decision.weight, voxel_weights=weights)


def _judged_by(panel: Panel, predictions: Sequence[Prediction]) -> Judged:
    """The consensus of a panel on each prediction, with the scores of all.

    Raises:
        ValueError: If there is no consensus on a prediction.
    """
    said = {one.study: panel.judge_all(one) for one in predictions}
    for study, qualities in said.items():
        if CONSENSUS not in qualities:
            raise ValueError(
                f"{study}: the panel has no consensus; it needs a blend, and an estimator that"
                " can judge the prediction"
            )
    scores = {
        study: {name: quality.score for name, quality in qualities.items()}
        for study, qualities in said.items()
    }
    return Judged([said[one.study][CONSENSUS] for one in predictions], scores)
