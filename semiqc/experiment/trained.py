"""What trainings and predictions of a run leave in files."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from segmenters import NetworkSegmenter, snapshot_file
from semiqc.files.hdf5 import H5Voxels
from semiqc.images.frames import OneFrame
from semiqc.study import OnlyFrames, Prediction, Study
from semiqc.work.stages import Stage

WEIGHTS = "weights.safetensors"
PREDICTIONS = "predictions.h5"

TO_CHANGE = (
    "lower training.learning_rate or training.clip (online.learning_rate of an online loop), or"
    " set training.precision to 32-true"
)
"""What a user may do about a training that diverges."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A segmenter whose weights are on disk.

    Args:
        stage: Its training.
        weights: File in the stage's folder.
        blank: Makes the segmenter, not yet fitted.
        experts: Studies that it learned from, with their expert's labels.
        before: The stretch of the same training before this one; None where it is the first, or
            the whole.
    """

    stage: Stage
    weights: str
    blank: Callable[[], NetworkSegmenter]
    experts: Sequence[Study] = field(default=(), repr=False)
    before: "Trained | None" = field(default=None, repr=False)

    @property
    def path(self) -> Path:
        """File with the weights."""
        return self.stage.folder / self.weights

    @property
    def stages(self) -> list[Stage]:
        """All stretches of its training, in order."""
        return [*(self.before.stages if self.before else []), self.stage]

    @cached_property
    def segmenter(self) -> NetworkSegmenter:
        """The fitted segmenter, read when first needed."""
        return self.blank().load(self.path)


@dataclass(frozen=True, eq=False)
class TrainedEnsemble:
    """Segmenters that predict together.

    Args:
        members: The first is the one that a scenario ends with.
    """

    members: tuple[Trained, ...]

    @property
    def first(self) -> Trained:
        """The member that is used alone."""
        return self.members[0]

    @property
    def alone(self) -> "TrainedEnsemble":
        """The first member, without the others."""
        return TrainedEnsemble((self.first,))

    def at(self, step: int) -> "TrainedEnsemble":
        """The members as they were after a step at which they left a snapshot."""
        weights = snapshot_file(step)
        return TrainedEnsemble(tuple(replace(one, weights=weights) for one in self.members))


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


def image_file(study: Study) -> Path:
    """File that the image of a study stands in.

    Raises:
        TypeError: If it stands in memory.
    """
    if not isinstance(study.image, H5Voxels):
        raise TypeError(
            f"{study.name}: a run works on stored images, got {type(study.image).__name__}"
        )
    return study.image.path


def prediction_file(prediction: Prediction) -> Path:
    """File that a prediction stands in."""
    labels = prediction.labels
    while isinstance(labels, OneFrame):
        labels = labels.voxels
    path: Path = labels.path  # type: ignore[attr-defined]
    return path


def origin(prediction: Prediction) -> list[str]:
    """Where a prediction stands; the folder's name holds the hash of how it was made."""
    return [prediction.study, prediction_file(prediction).parent.name]
