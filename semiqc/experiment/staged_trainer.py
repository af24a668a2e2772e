"""Training, prediction and their caching, for one seed of a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from segmenters import CRF, SEGMENTERS, Checkpoint, NetworkSegmenter, checkpoint_file
from segmenters.starts import digest, start_of
from segmenters.training import SCRATCH, WITHOUT_EFFECT
from segmenters.validation import loss_term
from semiqc.experiment.ensemble_prediction import EnsemblePrediction, read_predictions
from semiqc.experiment.parts import in_parts
from semiqc.experiment.qc_settings import Rung
from semiqc.experiment.rungs import RungSteps, Snapshot
from semiqc.experiment.settings import Settings
from semiqc.experiment.trained import (
    PREDICTIONS,
    TO_CHANGE,
    WEIGHTS,
    Trained,
    TrainedEnsemble,
    label_file,
)
from semiqc.experiment.training_log import FILE, TrainingLog, last_value
from semiqc.files.store.reader import Store
from semiqc.loop_state import empty_without_state
from semiqc.study import Prediction, Study
from semiqc.work.diverging import named_if_diverged
from semiqc.work.monitor import Monitor
from semiqc.work.stages import RunFolder, Stage

Fit = Callable[..., NetworkSegmenter]
"""Fits a segmenter, telling ``observe`` of each step and keeping its state in ``folder``."""

MEMBERS_APART = 7919
"""Between the seeds of an ensemble's members."""

OF_PREDICTING = {"clean", "focus", "members", "mirror", "samples", "tta"}
"""Settings of a segmenter that no single network depends on."""


class StagedTrainer:
    """Trains and predicts, each at most once in a run folder.

    Args:
        settings: Of the run.
        store: The data.
        folder: Where stages are kept.
        monitor: Told how it goes on.
        seed: Of the trainings.
        validation: Studies whose loss chooses the best checkpoint, and ends self-training.

    Raises:
        ValueError: If the best checkpoint is to be used and no validation study has a label.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        folder: RunFolder,
        monitor: Monitor,
        *,
        seed: int,
        validation: Sequence[Study] = (),
    ) -> None:
        self.settings = settings
        self.store = store
        self.folder = folder
        self.monitor = monitor
        self.seed = seed
        self.validation = [study for study in validation if study.labelled_frames]
        self.checkpoints = self._checkpoints()

    def _checkpoints(self) -> tuple[Checkpoint, ...]:
        """Kinds of weights that every training saves.

        Raises:
            ValueError: If the one to be used is not among them.
        """
        training = self.settings.training
        found = training.checkpoints(is_validated=bool(self.validation))
        if training.chosen not in found:
            raise ValueError(
                f"training.checkpoint: {training.chosen} needs a validation study with a label;"
                " the split has none"
            )
        return found

    def blank(self, rung: Rung, member: int = 0, **changes: Any) -> NetworkSegmenter:  # noqa: ANN401
        """A segmenter of the rung's width and number of steps, not yet fitted.

        Args:
            rung: Of the ladder.
            member: Of the ensemble.
            changes: Settings of its training that are others than those.
        """
        network = self.settings.segmenter
        training = self.settings.training
        steps = self.steps(rung)
        channels = tuple(max(2, round(n * rung.width)) for n in network.channels)
        usual: dict[str, Any] = {
            "steps": steps.count,
            # Weights of another width fit nothing.
            "start": training.start if rung.width == 1 else SCRATCH,
            "seed": training.seed + self.seed + MEMBERS_APART * member,
            "snapshots": steps.before_end,
            # Which weights are used is chosen among those that the training leaves.
            "checkpoint": None,
        }
        return SEGMENTERS[network.kind](
            self.store.scheme,
            len(self.store.modalities),
            **network.arguments | {"channels": channels},
            training=replace(training, **usual | changes),
        )

    def train_ensemble(
        self,
        name: str,
        rung: Rung,
        experts: Sequence[Study],
        pseudo: Sequence[Study] = (),
        *,
        members: int | None = None,
        start: TrainedEnsemble | None = None,
    ) -> TrainedEnsemble:
        """As many segmenters of a rung as the settings say, which differ in their seed.

        Args:
            name: Of the trainings.
            rung: Of the ladder.
            experts: Studies with an expert's labels.
            pseudo: Admitted studies with their pseudo-labels.
            members: Number of segmenters, if it is not that of the settings.
            start: Whose weights they start from; None starts as the settings say.
        """
        count = self.settings.segmenter.members if members is None else members
        starts = [one.path for one in start.members] if start else []
        trainings = [
            partial(self.train, name, rung, experts, pseudo, member=member, starts=starts)
            for member in range(count)
        ]
        return TrainedEnsemble(tuple(self.folder.each(trainings)))

    def train(
        self,
        name: str,
        rung: Rung,
        experts: Sequence[Study],
        pseudo: Sequence[Study] = (),
        *,
        member: int = 0,
        starts: Sequence[Path] = (),
    ) -> Trained:
        """The segmenter of a rung, trained anew; see ``train_ensemble``."""
        start = {"start": str(starts[member % len(starts)])} if starts else {}
        blank = self.blank(rung, member, **start)
        depends = self.depends(blank, experts, pseudo) | {
            "start": digest(start_of(blank, experts)),
            "width": rung.width,
        }
        fit = partial(blank.fit, experts, pseudo, self.validation)
        stage = self.trained(f"{name}-member{member}" if member else name, blank, fit, depends)
        return Trained(stage, self.used_weights, lambda: self.blank(rung, member), experts)

    def trained(
        self, name: str, blank: NetworkSegmenter, fit: Fit, depends: Mapping[str, Any]
    ) -> Stage:
        """The stage of a training, which leaves its log and its weights.

        Args:
            name: Of the training.
            blank: The segmenter, not yet fitted.
            fit: Fits it.
            depends: All that the training depends on.
        """

        def make(unfinished: Path) -> None:
            empty_without_state(unfinished)
            title = f"{name}, seed {self.seed}"
            with (
                TrainingLog(unfinished, name) as log,
                self.monitor.progress(title, blank.training.steps) as tick,
            ):

                def observe(step: int, terms: Mapping[str, float]) -> None:
                    log(step, terms)
                    tick(step, {term: v for term, v in terms.items() if "/" not in term})

                with named_if_diverged(title, TO_CHANGE):
                    fitted = fit(observe=observe, folder=unfinished)
            fitted.save(unfinished / WEIGHTS)

        return self.folder.stage(f"train-{name}-seed{self.seed}", depends, make, joint=True)

    @property
    def used_weights(self) -> str:
        """Name of the file, in a training's stage, that has the weights that are used."""
        return self.weights_file(self.settings.training.chosen)

    def depends(
        self,
        blank: NetworkSegmenter,
        experts: Sequence[Study],
        pseudo: Sequence[Study] = (),
    ) -> dict[str, Any]:
        """What a training depends on beside its start.

        Which of its weights are used later is no part of it, nor what changes no weights.
        """
        left_out = {*WITHOUT_EFFECT, "checkpoint", "start"}
        return {
            "segmenter": self.settings.segmenter.model_dump(mode="json", exclude=OF_PREDICTING),
            "training": {k: v for k, v in asdict(blank.training).items() if k not in left_out},
            "experts": [self.identity_of(study) for study in experts],
            "pseudo": [self.identity_of(study) for study in pseudo],
            "validation": [self.identity_of(study) for study in self.validation],
        }

    def weights_file(self, kind: Checkpoint) -> str:
        """Name of the file, in a training's stage, that has the weights of a kind."""
        return WEIGHTS if kind == self.settings.training.usual else checkpoint_file(kind)

    def steps(self, rung: Rung) -> RungSteps:
        """The steps of a rung's training."""
        return RungSteps(rung, self.settings.training.steps)

    def snapshots(self, ensemble: TrainedEnsemble, rung: Rung) -> dict[Snapshot, TrainedEnsemble]:
        """What the trainings of a rung left on their way, and at their end if that is asked."""
        steps = self.steps(rung)
        found = {steps.at(step): ensemble.at(step) for step in steps.before_end}
        return found | ({steps.end: ensemble} if rung.reaches_end else {})

    def predict(
        self,
        name: str,
        ensemble: TrainedEnsemble,
        studies: Sequence[Study],
        *,
        crf: CRF | None = None,
        uncertainty: bool = True,
        views: int | None = None,
    ) -> list[Prediction]:
        """The studies segmented; only where they stand is kept in memory.

        Args:
            name: Of the stage.
            ensemble: That segments, by the mean of its members.
            studies: Their labels are not looked at.
            crf: Refines the probabilities; None leaves them.
            uncertainty: Whether predictions carry the uncertainty of several members or, of a
                single one, of its samples of dropout or its views. Without it the first member
                segments alone.
            views: Of the image, of a single member, where others than the settings say.
        """
        how = self._prediction(ensemble, crf, uncertainty=uncertainty)
        how = how if views is None else replace(how, views=views, samples=0)

        def part(which: str, some: Sequence[Study]) -> list[Prediction]:
            def make(unfinished: Path) -> None:
                with self.monitor.progress(f"predict {name}{which}", len(some)) as tick:
                    how.write(some, unfinished / PREDICTIONS, tick)

            depends = how.identity(some, self.store)
            stage = self.folder.stage(f"predict-{name}{which}-seed{self.seed}", depends, make)
            return read_predictions(stage.folder / PREDICTIONS, some)

        return in_parts(self.folder, studies, part)

    def _prediction(
        self, ensemble: TrainedEnsemble, crf: CRF | None, *, uncertainty: bool
    ) -> EnsemblePrediction:
        """How an ensemble predicts; samples and augmentations are of single members only."""
        network = self.settings.segmenter
        is_asked = uncertainty and len(ensemble.members) == 1
        return EnsemblePrediction(
            ensemble if uncertainty else ensemble.alone,
            samples=network.samples if is_asked else 0,
            views=network.tta if is_asked else 0,
            clean=network.clean,
            crf=crf,
            seed=self.seed,
        )

    def validation_loss(self, trained: Trained) -> float:
        """Of the weights that are used; NaN where no study is held out for validation."""
        return last_value(trained.stage.folder / FILE, loss_term(self.settings.training.chosen))

    def identity_of(self, study: Study) -> list[Any]:
        """What a training on a study depends on: where its labels come from, and its weight."""
        path = label_file(study)
        # The name of a stage's folder holds the hash of all that the pseudo-labels depend on.
        source = self.store.fingerprint() if path == self.store.path else path.parent.name
        weight = [] if study.weight == 1 else [study.weight]
        return [study.name, source, study.labelled_frames, *weight]
