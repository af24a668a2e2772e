"""Pseudo-labels without the parts that are likely wrong, written once."""

import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from loops import Outcome
from qc import Decision, Quality
from qc.grains.labels import Kept, PartialLabels, after_grain
from qc.qualities_file import quality_to_json
from semiqc.experiment.derived_labels import (
    WeightWriter,
    write_labels,
    written_labels,
    written_weights,
)
from semiqc.experiment.gates.settings import GateSettings
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.trained import origin
from semiqc.files.atomic import write_text
from semiqc.study import OnlyFrames, Prediction, Study

OUTCOMES = "outcomes.json"


class _Decided(NamedTuple):
    """A candidate after the gate."""

    prediction: Prediction
    quality: Quality
    decision: Decision
    study: Study


class Grainer:
    """Leaves out parts of the admitted predictions of one scenario, by the grain of its gate.

    Args:
        trainer: In whose run folder the labels are kept.
        panel: Gives error maps anew, for they are not kept.
        name: Of the scenario.
        gate: Says at which grain.
    """

    def __init__(
        self, trainer: StagedTrainer, panel: RunPanel, name: str, gate: GateSettings
    ) -> None:
        self.trainer = trainer
        self.panel = panel
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
        admitted = [one for one in (_Decided(*row) for row in rows) if one.decision.admitted]
        stage = self.trainer.folder.stage(
            f"labels-{self.name}-seed{self.trainer.seed}",
            self._depends(admitted),
            partial(self._write, admitted),
        )
        kept = _read_kept(stage.folder / OUTCOMES)
        # What the gate decided now, in whose words other candidates may have another place.
        outcomes = {
            name: Outcome(after_grain(one.decision, kept[name]), kept[name])
            for one in admitted
            for name in (one.study.name,)
        }
        labelled = [
            self._labelled(one.study, stage.folder, outcomes[one.study.name])
            for one in admitted
            if outcomes[one.study.name].decision.admitted
        ]
        return labelled, outcomes

    def _labelled(self, study: Study, folder: Path, outcome: Outcome) -> Study:
        """A study with what was written of it."""
        labels = OnlyFrames(written_labels(folder, study.name), outcome.kept.frames)
        weighs = self.gate.grain_kind.weighs
        return replace(
            study.with_labels(labels),
            weight=outcome.decision.weight,
            voxel_weights=written_weights(folder, study.name) if weighs else None,
        )

    def _depends(self, admitted: Sequence[_Decided]) -> dict[str, object]:
        return {
            "gate": self.gate.model_dump(mode="json"),
            "predictions": [origin(one.prediction) for one in admitted],
            "qualities": [quality_to_json(one.quality) for one in admitted],
            "judges": self.panel.key(self.gate.by),
        }

    def _write(self, admitted: Sequence[_Decided], folder: Path) -> None:
        outcomes = []

        def derive(one: _Decided) -> tuple[Study, PartialLabels]:
            labels = self._labels(one.prediction, one.quality)
            outcomes.append({"decision": asdict(one.decision), "kept": asdict(labels.kept)})
            if writer is not None and labels.weights is not None:
                writer.add(one.study.name, labels.weights)
            return one.study, labels

        monitor = self.trainer.monitor
        weighs = self.gate.grain_kind.weighs
        with WeightWriter(folder) if weighs else nullcontext() as writer:
            write_labels(folder, admitted, derive, monitor=monitor, title=f"{self.name} labels")
        write_text(folder / OUTCOMES, json.dumps(outcomes, indent=1))

    def _labels(self, prediction: Prediction, quality: Quality) -> PartialLabels:
        kind = self.gate.grain_kind
        grain = kind(self.trainer.store.scheme, **self.gate.arguments(kind))
        if grain.needs_error_maps(prediction, quality):
            quality = self.panel.with_error_maps(self.gate.by, prediction, quality)
        return grain(prediction, quality)


def _read_kept(path: Path) -> dict[str, Kept]:
    """How much of each admitted study is left, by its name."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return {
        one["decision"]["study"]: Kept(**one["kept"] | {"frames": tuple(one["kept"]["frames"])})
        for one in stored
    }
