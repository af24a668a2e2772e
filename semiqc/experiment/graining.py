"""Pseudo-labels that are left out where they are doubted, written once."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from loops import Outcome
from qc import Decision, Quality
from qc.grains.labels import Kept, PartialLabels, after_grain
from qc.qualities_file import quality_to_json
from semiqc.experiment.gate_settings import GateSettings
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import PREDICTIONS, origin
from semiqc.files.atomic import write_text
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.study import OnlyFrames, Prediction, Study

OUTCOMES = "outcomes.json"


class Grainer:
    """Hides what is doubted of the admitted predictions of one scenario.

    Args:
        trainer: In whose run folder the labels are kept.
        judges: Give error maps anew, for they are not kept.
        name: Of the scenario.
        gate: Says at which grain.
    """

    def __init__(
        self, trainer: StagedTrainer, judges: RunPanel, name: str, gate: GateSettings
    ) -> None:
        self.trainer = trainer
        self.judges = judges
        self.name = name
        self.gate = gate

    def __call__(
        self,
        predictions: Sequence[Prediction],
        qualities: Sequence[Quality],
        decisions: Sequence[Decision],
        studies: Sequence[Study],
    ) -> tuple[list[Study], dict[str, Outcome]]:
        """The studies of which something is left, with their labels; and what became of each.

        Args:
            predictions: Of all candidates.
            qualities: Of these.
            decisions: On these.
            studies: The candidates, in the same order.
        """
        rows = zip(predictions, qualities, decisions, studies, strict=True)
        admitted = [row for row in rows if row[2].admitted]
        depends = {
            "gate": self.gate.model_dump(mode="json"),
            "predictions": [origin(prediction) for prediction, *_ in admitted],
            "qualities": [quality_to_json(quality) for _, quality, *_ in admitted],
            "judges": self.judges.key(self.gate.by),
        }

        def make(unfinished: Path) -> None:
            outcomes = []
            with (
                PredictionWriter(unfinished / PREDICTIONS) as writer,
                self.trainer.monitor.progress(f"{self.name} labels", len(admitted)) as tick,
            ):
                for number, (prediction, quality, decision, study) in enumerate(admitted, 1):
                    labels = self._labels(prediction, quality)
                    outcomes.append(_to_json(after_grain(decision, labels), labels.kept))
                    writer.add(study, ((frame, np.empty(0, np.float32)) for frame in _of(labels)))
                    tick(number, {})
            write_text(unfinished / OUTCOMES, json.dumps(outcomes, indent=1))

        stage = self.trainer.folder.stage(
            f"labels-{self.name}-seed{self.trainer.seed}", depends, make
        )
        stored = json.loads((stage.folder / OUTCOMES).read_text(encoding="utf-8"))
        outcomes = {one["decision"]["study"]: _from_json(one) for one in stored}
        found = []
        for *_, study in admitted:
            outcome = outcomes[study.name]
            if outcome.decision.admitted:
                labels = predicted_labels(stage.folder / PREDICTIONS, study.name)
                known = study.with_labels(OnlyFrames(labels, outcome.kept.frames))
                found.append(replace(known, weight=outcome.decision.weight))
        return found, outcomes

    def _labels(self, prediction: Prediction, quality: Quality) -> PartialLabels:
        kind = self.gate.grain_kind
        grain = kind(self.trainer.store.scheme, **self.gate.arguments(kind))
        if grain.needs_error_maps(prediction, quality):
            quality = self.judges.with_error_maps(self.gate.by, prediction, quality)
        return grain(prediction, quality)


def _of(labels: PartialLabels) -> Iterator[np.ndarray[tuple[int, ...], np.dtype[np.int8]]]:
    return (labels[frame] for frame in range(labels.shape[0]))


def _to_json(decision: Decision, kept: Kept) -> dict[str, dict[str, object]]:
    return {"decision": asdict(decision), "kept": asdict(kept)}


def _from_json(stored: dict[str, dict[str, object]]) -> Outcome:
    decision = Decision(**stored["decision"])  # type: ignore[arg-type]
    kept = {**stored["kept"], "frames": tuple(stored["kept"]["frames"])}  # type: ignore[arg-type]
    return Outcome(decision, Kept(**kept))  # type: ignore[arg-type]
