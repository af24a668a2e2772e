"""Training, prediction and their caching, for one seed of a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from segmenters import (
    CRF,
    SEGMENTERS,
    DropoutSamples,
    Ensemble,
    FeatureSpace,
    Members,
    NetworkSegmenter,
    TestTimeAugmentation,
    segment,
    segment_with_uncertainty,
    snapshot_file,
)
from semiqc.experiment.sections import Rung
from semiqc.experiment.settings import Settings
from semiqc.experiment.training_log import FILE, TrainingLog, last_value
from semiqc.files.hdf5 import H5Voxels
from semiqc.files.predictions import PredictionWriter, predicted_labels, predicted_uncertainty
from semiqc.files.store import Store
from semiqc.study import OnlyFrames, Prediction, Study
from semiqc.work.monitor import Monitor
from semiqc.work.stages import RunFolder, Stage

MEMBERS_APART = 7919
"""Between the seeds of a team's members."""
WEIGHTS = "weights.safetensors"
PREDICTIONS = "predictions.h5"


@dataclass(frozen=True, eq=False)
class Trained:
    """A segmenter whose weights are on disk.

    Args:
        stage: Its training.
        weights: File in the stage's folder.
        blank: Makes the segmenter, not yet fitted.
        experts: Studies that it learned from, with their expert's labels.
    """

    stage: Stage
    weights: str
    blank: Callable[[], NetworkSegmenter]
    experts: Sequence[Study] = field(default=(), repr=False)

    @property
    def path(self) -> Path:
        """File with the weights."""
        return self.stage.folder / self.weights

    @cached_property
    def segmenter(self) -> NetworkSegmenter:
        """The fitted segmenter, read when first needed."""
        return self.blank().load(self.path)


OF_PREDICTING = {"clean", "members", "samples", "views"}
"""Settings of a segmenter that no single network depends on."""


@dataclass(frozen=True, eq=False)
class Team:
    """Segmenters that predict together.

    Args:
        members: The first is the one that a scenario ends with.
    """

    members: tuple[Trained, ...]

    @property
    def first(self) -> Trained:
        """The member that is used alone."""
        return self.members[0]


class Workshop:
    """Trains and predicts, each at most once in a run folder.

    Args:
        settings: Of the run.
        store: The data.
        folder: Where stages are kept.
        monitor: Told how it goes on.
        seed: Of the trainings.
        validation: Studies that choose the best checkpoint.
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
        self.validation = validation

    def blank(self, rung: Rung, member: int = 0) -> NetworkSegmenter:
        """A segmenter of the rung's width and number of steps, not yet fitted."""
        network = self.settings.segmenter
        training = self.settings.training
        steps = max(1, round(training.steps * rung.steps))
        return SEGMENTERS[network.kind](
            self.store.scheme,
            len(self.store.modalities),
            channels=tuple(max(2, round(n * rung.width)) for n in network.channels),
            dropout=network.dropout,
            training=replace(
                training,
                steps=steps,
                seed=training.seed + self.seed + MEMBERS_APART * member,
                snapshots=snapshot_steps(rung, steps),
            ),
        )

    def train_team(
        self,
        name: str,
        rung: Rung,
        experts: Sequence[Study],
        pseudo: Sequence[Study] = (),
        *,
        members: int | None = None,
    ) -> Team:
        """As many segmenters of a rung as the settings say, which differ in their seed."""
        count = self.settings.segmenter.members if members is None else members
        return Team(
            tuple(
                self.train(name, rung, experts, pseudo, member=member) for member in range(count)
            )
        )

    def train(
        self,
        name: str,
        rung: Rung,
        experts: Sequence[Study],
        pseudo: Sequence[Study] = (),
        *,
        member: int = 0,
    ) -> Trained:
        """The segmenter of a rung, trained from scratch."""
        blank = self.blank(rung, member)
        name = f"{name}-member{member}" if member else name
        depends = {
            "segmenter": self.settings.segmenter.model_dump(mode="json", exclude=OF_PREDICTING),
            "training": asdict(blank.training),
            "width": rung.width,
            "experts": [self._identity(study) for study in experts],
            "pseudo": [self._identity(study) for study in pseudo],
            "validation": [self._identity(study) for study in self.validation],
        }

        def make(unfinished: Path) -> None:
            title = f"{name}, seed {self.seed}"
            with (
                TrainingLog(unfinished, name) as log,
                self.monitor.progress(title, blank.training.steps) as tick,
            ):

                def observe(step: int, terms: Mapping[str, float]) -> None:
                    log(step, terms)
                    tick(step, terms)

                fitted = blank.fit(
                    experts, pseudo, self.validation, observe=observe, folder=unfinished
                )
            fitted.save(unfinished / WEIGHTS)

        stage = self.folder.stage(f"train-{name}-seed{self.seed}", depends, make)
        return Trained(stage, WEIGHTS, lambda: self.blank(rung, member), experts)

    def snapshots(self, team: Team, rung: Rung) -> dict[str, Team]:
        """What the trainings of a rung left on their way, by a name that tells the step."""
        steps = self.blank(rung).training.steps
        on_the_way = {
            f"{rung.name}@{step}": Team(
                tuple(replace(one, weights=snapshot_file(step)) for one in team.members)
            )
            for step in snapshot_steps(rung, steps)
        }
        return on_the_way | ({f"{rung.name}@{steps}": team} if 1.0 in rung.snapshots else {})

    def predict(
        self,
        name: str,
        team: Team,
        studies: Sequence[Study],
        *,
        crf: CRF | None = None,
        clean: bool | None = None,
        uncertainty: bool = True,
    ) -> list[Prediction]:
        """The studies segmented; only where they stand is kept in memory.

        With several members, or with samples of dropout, predictions carry their uncertainty,
        unless it is declined: then the team's first segments alone.
        """
        if not uncertainty:
            team = Team((team.first,))

        clean = self.settings.segmenter.clean if clean is None else clean
        is_alone = len(team.members) == 1
        is_asked = uncertainty and is_alone
        samples = self.settings.segmenter.samples if is_asked else 0
        views = self.settings.segmenter.views if is_asked else 0
        depends = {
            "trained": [one.stage.key for one in team.members],
            "weights": [one.weights for one in team.members],
            "samples": samples,
            "views": views,
            "studies": [study.name for study in studies],
            "store": self.store.fingerprint(),
            "crf": asdict(crf) if crf else None,
            "clean": clean,
        }

        def make(unfinished: Path) -> None:
            members = self._members(team, samples, views)
            title = f"predict {name}"
            with (
                PredictionWriter(unfinished / PREDICTIONS) as writer,
                self.monitor.progress(title, len(studies)) as tick,
            ):
                for number, study in enumerate(studies, start=1):
                    if members is None:
                        alone = team.first.segmenter
                        writer.add(study, segment(alone, study, clean=clean, refine=crf))
                    else:
                        together = segment_with_uncertainty(
                            members, study, clean=clean, refine=crf
                        )
                        writer.add(study, together)
                    tick(number, {})

        stage = self.folder.stage(f"predict-{name}-seed{self.seed}", depends, make)
        file = stage.folder / PREDICTIONS
        return [
            Prediction(
                s.name,
                s.image,
                predicted_labels(file, s.name),
                s.spacing,
                uncertainty=predicted_uncertainty(file, s.name),
            )
            for s in studies
        ]

    def _members(self, team: Team, samples: int, views: int) -> Members | None:
        """Whose opinions are the uncertainty; None where there is one only."""
        segmenters = [one.segmenter for one in team.members]
        if len(segmenters) == 1 and not samples and not views:
            return None
        space = FeatureSpace.of(segmenters[0], team.first.experts)
        if samples:
            return DropoutSamples(segmenters[0], samples, seed=self.seed, space=space)
        if views:
            return TestTimeAugmentation(segmenters[0], views, seed=self.seed, space=space)
        return Ensemble(segmenters, space=space)

    def validation_loss(self, trained: Trained) -> float:
        """Of the last step; NaN where no study is held out for validation."""
        return last_value(trained.stage.folder / FILE, "validation_loss")

    def _identity(self, study: Study) -> list[Any]:
        """What a training on a study depends on: where its labels come from, and its weight."""
        path = label_file(study)
        # The name of a stage's folder holds the hash of all that the pseudo-labels depend on.
        source = self.store.fingerprint() if path == self.store.path else path.parent.name
        weight = [] if study.weight == 1 else [study.weight]
        return [study.name, source, study.labelled_frames, *weight]


def snapshot_steps(rung: Rung, steps: int) -> tuple[int, ...]:
    """Steps, before the last, at which a rung's training leaves a snapshot."""
    wanted = {max(1, round(share * steps)) for share in rung.snapshots if share < 1}
    return tuple(sorted(step for step in wanted if step < steps))


def label_file(study: Study) -> Path:
    """File that the labels of a study stand in.

    Raises:
        TypeError: If they stand in memory.
    """
    labels = study.labels
    while isinstance(labels, OnlyFrames):
        labels = labels.labels
    if not isinstance(labels, H5Voxels):
        raise TypeError(f"{study.name}: a run works on stored labels, got {type(labels).__name__}")
    return labels.path


def origin(prediction: Prediction) -> list[str]:
    """Where a prediction stands; the folder's name holds the hash of how it was made."""
    path: Path = prediction.labels.path  # type: ignore[attr-defined]
    return [prediction.study, path.parent.name]
