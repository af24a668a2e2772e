"""What a scenario's loop asks for, done in a run folder.

The loop (``loops``) decides what is trained on what; the bench trains, predicts, judges and
chooses with the settings of one scenario, and keeps each result as a stage.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from loops import Judged, Labelled, Segmented, with_pseudo_labels
from loops.online.registry import PEERS
from qc import Decision, Quality
from qc.gates import GateContext, descriptors_of
from segmenters import CRF
from segmenters.method import Method
from semiqc.experiment.candidates import Asked, found_by
from semiqc.experiment.evaluation import true_dice
from semiqc.experiment.gates.settings import GateSettings
from semiqc.experiment.graining import Grainer
from semiqc.experiment.judging import RunPanel
from semiqc.experiment.repairing import Repairer
from semiqc.experiment.rungs import WHOLE
from semiqc.experiment.split_studies import SplitStudies
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.experiment.stretches import Stretch, advance
from semiqc.experiment.trained import Trained, TrainedEnsemble
from semiqc.study import Prediction, Study


class ScenarioBench:
    """What the loop of one scenario asks for; see ``loops.Bench``.

    Args:
        name: Of the scenario.
        trainer: Trains and predicts.
        panel: Estimates quality; fitted, where the scenario has a gate.
        studies: Of each role; only the oracle looks at the candidates' labels.
        first: Learned from the few labels alone.

    Attributes:
        trainings: How many of the loop's are done.
        before: What was kept of a study's segmentations in the last round, by name.
    """

    def __init__(
        self,
        name: str,
        trainer: StagedTrainer,
        panel: RunPanel,
        studies: SplitStudies,
        first: TrainedEnsemble,
    ) -> None:
        self.name = name
        self.trainer = trainer
        self.panel = panel
        self.first = first
        self.experts = studies.experts
        self.candidates = {study.name: study for study in studies.candidates}
        self.gate = trainer.settings.gate_of(name) or GateSettings()
        self.crf = CRF() if trainer.settings.compared()[name].refine else None
        self.before: dict[str, Prediction] = {}
        self.trainings = 0
        self.grainer = Grainer(trainer, panel, name, self.gate)

    def train(
        self,
        experts: Sequence[Study],
        pseudo: Sequence[Study],
        *,
        number: int,
        is_last: bool,
        start: TrainedEnsemble | None = None,
    ) -> TrainedEnsemble:
        if not pseudo and experts == self.experts:
            return self.first
        self.trainings += 1
        name = f"{self.name}-round-{number}" if number else f"{self.name}-supervised"
        # A scenario's result is one network, and the last round's predicts nothing more.
        members = 1 if is_last else None
        return self.trainer.train_ensemble(
            name, WHOLE, experts, pseudo, members=members, start=start
        )

    def advance(
        self,
        model: TrainedEnsemble,
        experts: Sequence[Study],
        bank: Sequence[Study],
        *,
        method: Method,
        number: int,
        of: int,
    ) -> TrainedEnsemble:
        self.trainings += 1
        before = None if model is self.first else model.first
        stretch = Stretch(method, self.first.first, number, of, before)
        name = f"{self.name}-stretch-{number}"
        trained = advance(self.trainer, name, experts, bank, stretch)
        return TrainedEnsemble((trained, *self._peers(trained)))

    def _peers(self, trained: Trained) -> list[Trained]:
        """Networks of the same training with which the first may agree, if that is looked at."""
        if self.trainer.settings.segmenter.members == 1:
            return []
        names = PEERS.get(self.gate.loop, ())
        return [replace(trained, weights=f"{name}.safetensors") for name in names]

    def predict(self, model: TrainedEnsemble, studies: Sequence[Study]) -> Segmented:
        name = "few" if model is self.first else self.name
        refined = "-crf" if self.crf else ""
        found = self.trainer.predict(f"{name}-candidates{refined}", model, studies, crf=self.crf)
        if not self.gate.changes_labels:
            return Segmented(found)
        asked = Asked(self.trainer, f"{name}-candidates", model, studies, self.before)
        others = found_by(self.gate.candidates, asked)
        references = self.candidates if self.gate.choose_by == "truth" else {}
        repairer = Repairer(self.trainer, self.panel, self.gate, references)
        segmented = Segmented(*repairer(found, studies, others))
        changed = f"{len(segmented.repairs)} of {len(found)} segmentations replaced"
        self.trainer.monitor.note(f"{self.name}: {changed}")
        self.before |= {one.study: one for one in segmented.predictions}
        return segmented

    def judge(self, predictions: Sequence[Prediction]) -> Judged:
        qualities = self.panel.judge(self.gate.by, predictions)
        return Judged(qualities, self._all_scores(predictions))

    def choose(
        self, predictions: Sequence[Prediction], qualities: Sequence[Quality]
    ) -> Sequence[Decision]:
        kind = self.gate.rule_kind
        gate = kind.for_run(self._context(predictions), **self.gate.arguments(kind))
        rejected = self.panel.rejected
        left = [quality for quality in qualities if quality.study not in rejected]
        decided = {one.study: one for one in (gate(left) if left else ())}
        return [
            decided[one.study]
            if one.study in decided
            else Decision(one.study, False, "rejected by a reader")
            for one in qualities
        ]

    def label(
        self,
        studies: Sequence[Study],
        predictions: Sequence[Prediction],
        qualities: Sequence[Quality],
        decisions: Sequence[Decision],
    ) -> Labelled:
        if not self.gate.grain_kind.refines:
            return Labelled(with_pseudo_labels(studies, predictions, decisions))
        return Labelled(*self.grainer(predictions, qualities, decisions, studies))

    def validation_loss(self, model: TrainedEnsemble) -> float:
        return self.trainer.validation_loss(model.first)

    def _all_scores(self, predictions: Sequence[Prediction]) -> dict[str, dict[str, float]]:
        """By study, the score of every estimator that can judge its prediction."""
        found: dict[str, dict[str, float]] = {one.study: {} for one in predictions}
        for name, judged in self.panel.judge_by_each(self.panel.names, predictions).items():
            for study, quality in judged.items():
                found[study][name] = quality.score
        return found

    def _context(self, predictions: Sequence[Prediction]) -> GateContext:
        """What a gate may ask for beside the qualities; each is worked out only if it does."""
        scheme = self.trainer.store.scheme
        groups = {name: study.group for name, study in self.candidates.items()}
        return GateContext(
            self.trainer.seed,
            descriptors=partial(descriptors_of, predictions, scheme, groups),
            true_dice=partial(self._true_dice, predictions),
            calibration=partial(self.panel.calibration, self.gate.by),
            progress=(self.trainings + 1, self.trainer.settings.rounds_of(self.name)),
        )

    def _true_dice(self, predictions: Sequence[Prediction]) -> dict[str, float]:
        """Mean Dice of each prediction by study, which only the oracle's gate asks for.

        NaN of a study without labels.
        """
        scheme = self.trainer.store.scheme
        return {
            prediction.study: true_dice(prediction, self.candidates[prediction.study], scheme)
            for prediction in predictions
        }
