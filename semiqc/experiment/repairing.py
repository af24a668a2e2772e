"""Predictions repaired where that is judged to help, written once."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from loops.repair import REPAIRS, Repair, keep_better
from semiqc.experiment.derived_labels import write_labels, written_labels
from semiqc.experiment.gates.settings import GateSettings
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import origin
from semiqc.files.atomic import write_text
from semiqc.study import Prediction, Study, Voxels

REASONS = "reasons.json"


class Repairer:
    """Tries the repairs of a gate on every prediction, and keeps what is judged better.

    Args:
        trainer: In whose run folder the labels are kept.
        panel: Judges before and after.
        gate: Names the repairs, and the estimator that judges them.
    """

    def __init__(self, trainer: StagedTrainer, panel: RunPanel, gate: GateSettings) -> None:
        self.trainer = trainer
        self.panel = panel
        self.gate = gate

    def __call__(
        self, predictions: Sequence[Prediction], studies: Sequence[Study]
    ) -> tuple[list[Prediction], dict[str, str]]:
        """The predictions, repaired or as they were; and of each repaired one what was done.

        Args:
            predictions: Of the candidates.
            studies: The candidates, in the same order.
        """
        stage = self.trainer.folder.stage(
            f"repair-{'-'.join(self.gate.repair)}-seed{self.trainer.seed}",
            self._depends(predictions),
            partial(self._write, list(zip(predictions, studies, strict=True))),
        )
        reasons = json.loads((stage.folder / REASONS).read_text(encoding="utf-8"))
        found = [
            replace(one, labels=written_labels(stage.folder, one.study), uncertainty=None)
            if one.study in reasons
            else one
            for one in predictions
        ]
        return found, reasons

    def _depends(self, predictions: Sequence[Prediction]) -> dict[str, object]:
        return {
            "repair": self.gate.repair,
            "arguments": [self.gate.arguments(REPAIRS[name]) for name in self.gate.repair],
            "judges": [self.panel.key(self.gate.by), *self._fitted()],
            "unheard": self._suggested_by(),
            "predictions": [origin(prediction) for prediction in predictions],
        }

    def _write(self, rows: Sequence[tuple[Prediction, Study]], folder: Path) -> None:
        reasons = {}

        def derive(row: tuple[Prediction, Study]) -> tuple[Study, Voxels] | None:
            prediction, study = row
            repaired, reason = self._repaired(prediction)
            if repaired is prediction:
                return None
            reasons[prediction.study] = reason
            return study, repaired.labels

        write_labels(folder, rows, derive, monitor=self.trainer.monitor, title="repair")
        write_text(folder / REASONS, json.dumps(reasons, indent=1))

    def _repaired(self, prediction: Prediction) -> tuple[Prediction, str]:
        said = []
        for name in self.gate.repair:
            after = self._make(name)(prediction, self.panel.say(self.gate.by, prediction))
            if after is prediction:
                continue
            # Whose suggestion it is would find it good.
            judge = partial(self.panel.say, self.gate.by, without=REPAIRS[name].suggested_by)
            kept = keep_better(prediction, judge(prediction), after, judge)
            if kept.prediction is after:
                said.append(f"{name}: {kept.reason}")
            prediction = kept.prediction
        return prediction, "; ".join(said)

    def _make(self, name: str) -> Repair:
        kind = REPAIRS[name]
        suggests = self.panel.fitted[kind.suggested_by][1] if kind.suggested_by else None
        scheme = self.trainer.store.scheme
        return kind.for_run(scheme, suggests, **self.gate.arguments(kind))

    def _suggested_by(self) -> list[str]:
        """Of each repair, the estimator whose suggestion it is, or nothing."""
        return [REPAIRS[name].suggested_by for name in self.gate.repair]

    def _fitted(self) -> list[str]:
        return [self.panel.fitted[name][0].key for name in self._suggested_by() if name]
