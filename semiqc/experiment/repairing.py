"""Predictions replaced or repaired where that is judged to help, written once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from loops.repair import REPAIRS, Repair, best_of, keep_better
from loops.repair.best_of import Candidate, estimated, true
from semiqc.experiment.candidates import Found
from semiqc.experiment.derived_labels import write_labels, written_labels
from semiqc.experiment.gates.settings import GateSettings
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import origin
from semiqc.files.atomic import write_text
from semiqc.study import Prediction, Study, Voxels

REASONS = "reasons.json"


class _Row(NamedTuple):
    """A study, as it is usually segmented and as others segment it."""

    prediction: Prediction
    study: Study
    others: list[Candidate]


class Repairer:
    """Takes the best of several segmentations, tries repairs on it, and keeps what is better.

    Args:
        trainer: In whose run folder the labels are kept.
        panel: Judges before and after.
        gate: Names the repairs, and the estimator that judges them and the candidates.
        references: Studies with their labels, by name; only the oracle, which takes the truly
            best of the candidates, looks at them.
    """

    def __init__(
        self,
        trainer: StagedTrainer,
        panel: RunPanel,
        gate: GateSettings,
        references: Mapping[str, Study] | None = None,
    ) -> None:
        self.trainer = trainer
        self.panel = panel
        self.gate = gate
        self.references = references or {}

    def __call__(
        self,
        predictions: Sequence[Prediction],
        studies: Sequence[Study],
        offered: Found | None = None,
    ) -> tuple[list[Prediction], dict[str, str]]:
        """The predictions, changed or as they were; and of each changed one what was done.

        Args:
            predictions: Of the candidates.
            studies: The candidates, in the same order.
            offered: Other predictions, by what made them, in the same order.
        """
        others = [
            [Candidate(source, given[row]) for source, given in (offered or {}).items()]
            for row in range(len(studies))
        ]
        rows = [_Row(*one) for one in zip(predictions, studies, others, strict=True)]
        tried = [*(["best"] if offered else []), *self.gate.repair]
        stage = self.trainer.folder.stage(
            f"repair-{'-'.join(tried)}-seed{self.trainer.seed}",
            self._depends(rows),
            partial(self._write, rows),
        )
        reasons = json.loads((stage.folder / REASONS).read_text(encoding="utf-8"))
        found = [
            replace(one, labels=written_labels(stage.folder, one.study), uncertainty=None)
            if one.study in reasons
            else one
            for one in predictions
        ]
        return found, reasons

    def _depends(self, rows: Sequence[_Row]) -> dict[str, object]:
        gate = self.gate
        by = [gate.choose_by, gate.unit, gate.margin, sorted(self.references)]
        return {
            "by": by if gate.candidates else [],
            "others": [
                [[one.source, *origin(one.prediction)] for one in row.others] for row in rows
            ],
            "repair": self.gate.repair,
            "arguments": [self.gate.arguments(REPAIRS[name]) for name in self.gate.repair],
            "judges": [self.panel.key(self.gate.by), *self._fitted()],
            "unheard": self._suggested_by(),
            "predictions": [origin(row.prediction) for row in rows],
        }

    def _write(self, rows: Sequence[_Row], folder: Path) -> None:
        reasons = {}

        def derive(row: _Row) -> tuple[Study, Voxels] | None:
            best, why = self._best(row)
            repaired, reason = self._repaired(best)
            if repaired is row.prediction:
                return None
            reasons[row.study.name] = "; ".join(said for said in (why, reason) if said)
            return row.study, repaired.labels

        write_labels(folder, rows, derive, monitor=self.trainer.monitor, title="repair")
        write_text(folder / REASONS, json.dumps(reasons, indent=1))

    def _best(self, row: _Row) -> tuple[Prediction, str]:
        gate, scheme = self.gate, self.trainer.store.scheme
        if not row.others:
            return row.prediction, ""
        if gate.choose_by == "quality":
            score = estimated(partial(self.panel.say, gate.by), scheme, gate.unit)
        elif row.study.name in self.references:
            score = true(self.references[row.study.name], scheme, gate.unit)
        else:
            return row.prediction, ""
        return best_of(row.prediction, row.others, score, unit=gate.unit, margin=gate.margin)

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
