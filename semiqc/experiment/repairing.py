"""Predictions repaired where that is judged to help, written once."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from loops.repair import REPAIRS, Repair, keep_better, propagated
from semiqc.experiment.gate_settings import GateSettings
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import PREDICTIONS, origin
from semiqc.files.atomic import write_text
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.study import OnlyFrames, Prediction, Study, Voxels

REASONS = "reasons.json"
FRAMES = "frames.json"


class Repairer:
    """Tries the repairs of a gate on every prediction, and keeps what is judged better.

    Args:
        trainer: In whose run folder the labels are kept.
        judges: Judge before and after.
        gate: Names the repairs, and by whom they are judged.
    """

    def __init__(self, trainer: StagedTrainer, judges: RunPanel, gate: GateSettings) -> None:
        self.trainer = trainer
        self.judges = judges
        self.gate = gate

    def __call__(
        self, predictions: Sequence[Prediction], studies: Sequence[Study]
    ) -> tuple[list[Prediction], dict[str, str]]:
        """The predictions, repaired or as they were; and of each repaired one what was done.

        Args:
            predictions: Of the candidates.
            studies: The candidates, in the same order.
        """
        depends = {
            "repair": self.gate.repair,
            "arguments": [self.gate.arguments(REPAIRS[name]) for name in self.gate.repair],
            "judges": [self.judges.key(self.gate.by), *self._fitted()],
            "unheard": self._suggested_by(),
            "predictions": [origin(prediction) for prediction in predictions],
        }

        def make(unfinished: Path) -> None:
            reasons = {}
            with (
                PredictionWriter(unfinished / PREDICTIONS) as writer,
                self.trainer.monitor.progress("repair", len(predictions)) as tick,
            ):
                for number, (one, study) in enumerate(zip(predictions, studies, strict=True), 1):
                    repaired, reason = self._repaired(one)
                    if repaired is not one:
                        reasons[one.study] = reason
                        writer.add(study, _without_probabilities(repaired.labels))
                    tick(number, {})
            write_text(unfinished / REASONS, json.dumps(reasons, indent=1))

        stage = self.trainer.folder.stage(
            f"repair-{'-'.join(self.gate.repair)}-seed{self.trainer.seed}", depends, make
        )
        reasons = json.loads((stage.folder / REASONS).read_text(encoding="utf-8"))
        file = stage.folder / PREDICTIONS
        found = [
            replace(one, labels=predicted_labels(file, one.study), uncertainty=None)
            if one.study in reasons
            else one
            for one in predictions
        ]
        return found, reasons

    def _repaired(self, prediction: Prediction) -> tuple[Prediction, str]:
        said = []
        for name in self.gate.repair:
            after = self._make(name)(prediction, self.judges.say(self.gate.by, prediction))
            if after is prediction:
                continue
            # Whose suggestion it is would find it good.
            judge = partial(self.judges.say, self.gate.by, without=REPAIRS[name].suggested_by)
            kept = keep_better(prediction, judge(prediction), after, judge)
            if kept.prediction is after:
                said.append(f"{name}: {kept.reason}")
            prediction = kept.prediction
        return prediction, "; ".join(said)

    def _make(self, name: str) -> Repair:
        kind = REPAIRS[name]
        suggests = self.judges.fitted[kind.suggested_by][1] if kind.suggested_by else None
        scheme = self.trainer.store.scheme
        return kind.for_run(scheme, suggests, **self.gate.arguments(kind))

    def _suggested_by(self) -> list[str]:
        """Of each repair, the estimator whose suggestion it is, or nothing."""
        return [REPAIRS[name].suggested_by for name in self.gate.repair]

    def _fitted(self) -> list[str]:
        return [self.judges.fitted[name][0].key for name in self._suggested_by() if name]


def propagated_experts(trainer: StagedTrainer, experts: Sequence[Study]) -> list[Study]:
    """The studies with their labels carried to all frames, as far as registration is trusted."""
    depends = {
        "store": trainer.store.fingerprint(),
        "experts": [[study.name, study.labelled_frames] for study in experts],
    }

    def make(unfinished: Path) -> None:
        frames = {}
        with (
            PredictionWriter(unfinished / PREDICTIONS) as writer,
            trainer.monitor.progress("propagate", len(experts)) as tick,
        ):
            for number, study in enumerate(experts, start=1):
                carried = propagated(study)
                writer.add(study, _without_probabilities(carried.labels))
                frames[study.name] = carried.labelled_frames
                tick(number, {})
        write_text(unfinished / FRAMES, json.dumps(frames))

    stage = trainer.folder.stage("propagate", depends, make)
    known = json.loads((stage.folder / FRAMES).read_text(encoding="utf-8"))
    file = stage.folder / PREDICTIONS
    return [
        study.with_labels(OnlyFrames(predicted_labels(file, study.name), tuple(known[study.name])))
        for study in experts
    ]


def _without_probabilities(
    labels: Voxels,
) -> Iterator[tuple[NDArray[np.int8], NDArray[np.float32]]]:
    nothing = np.empty(0, np.float32)
    return ((np.asarray(labels[frame]), nothing) for frame in range(labels.shape[0]))
