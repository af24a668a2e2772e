"""What a quality estimator promises, and what it speaks of."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from semiqc.schemes import LabelScheme
from semiqc.study import Prediction, Study, Voxels

CONSENSUS = "consensus"
"""Stands, where estimators are named, for all of them together."""

ProgressCallback = Callable[[int, int], None]
"""Told how many parts of some work are done, and of how many."""

OVERALL = ("background", "foreground")
"""What is looked at beside structures: the background, and all that is not (the whole heart)."""
ALL_CLASSES = "all classes"
"""Stands for all classes at once, where a voxel is right if its own class is."""
BESIDE = (*OVERALL, ALL_CLASSES)
"""All that is looked at beside structures."""


def unobserved(done: int, total: int) -> None:
    """Observe nothing."""


@dataclass(frozen=True, eq=False)
class Graded:
    """A prediction and what is known of its quality.

    Args:
        prediction: Made by a segmenter that did not learn from the study.
        reference: The study's labels, ``UNLABELLED`` where nobody annotated; None where only a
            verdict or Dice is known.
        is_good: A reader's verdict on the whole prediction; None where nobody gave one.
        source: What made the prediction, such as the rung of a ladder of segmenters.
        group: The study's group.
        dice: Of each frame and structure, ``[T, S]``, where it has been worked out already, or
            estimated by another (``qc.graded.by_estimator``); NaN where it is unknown.
        nsd: Normalised surface Dice, likewise.
        multi_class_dice: Of all classes at once in each frame, ``[T]``, likewise.
        multi_class_nsd: Normalised surface Dice of all classes at once, likewise.
        subject: Of whom the study is, where that is known.
        slice_dice: Dice of each slice, ``[T, S, Z]``, where it has been worked out already; NaN
            where a structure is in neither.
        mvsf: Mean volume similarity fraction of each slice, likewise.

    Raises:
        ValueError: If neither a reference nor a verdict nor Dice is given, or their shapes
            disagree.
    """

    prediction: Prediction
    reference: Voxels | None = None
    is_good: bool | None = None
    source: str = ""
    group: str = ""
    dice: NDArray[np.float64] | None = None
    nsd: NDArray[np.float64] | None = None
    multi_class_dice: NDArray[np.float64] | None = None
    subject: str = ""
    slice_dice: NDArray[np.float64] | None = None
    mvsf: NDArray[np.float64] | None = None
    multi_class_nsd: NDArray[np.float64] | None = None

    @property
    def whose(self) -> str:
        """The subject, or the study's name where that is unknown."""
        return self.subject or self.prediction.study

    def __post_init__(self) -> None:
        if self.reference is None and self.is_good is None and self.dice is None:
            raise ValueError(
                f"{self.prediction.study}: graded needs a reference, a verdict or Dice"
            )
        shape = tuple(self.prediction.labels.shape)
        if self.reference is not None and tuple(self.reference.shape) != shape:
            raise ValueError(
                f"{self.prediction.study}: reference has shape {tuple(self.reference.shape)},"
                f" prediction has {shape}"
            )


@dataclass(frozen=True, eq=False)
class Quality:
    """What an estimator says of one prediction.

    Args:
        study: Name of the study.
        score: To rank by, in [0, 1]; higher is better.
        is_good: The estimator's own verdict, where it gives one.
        dice: Estimated Dice per structure, over all frames.
        nsd: Estimated normalised surface Dice per structure, over all frames.
        slice_dice: Estimated Dice per structure, ``[T, Z]``.
        error_maps: Per structure, the probability that a voxel is wrongly in it or wrongly not,
            ``[T, Z, Y, X]``.
        interval: Range in which the Dice of each structure lies at the estimator's level.
        reasons: Why the score is what it is, in words, where the method can tell.
        slice_mvsf: Estimated mean volume similarity fraction per structure, ``[T, Z]``.
        overall: Estimated Dice of what ``BESIDE`` names, over all frames.
        overall_nsd: Estimated normalised surface Dice of ``ALL_CLASSES``, likewise.
    """

    study: str
    score: float
    is_good: bool | None = None
    dice: Mapping[str, float] = field(default_factory=dict)
    nsd: Mapping[str, float] = field(default_factory=dict)
    slice_dice: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    error_maps: Mapping[str, Voxels] = field(default_factory=dict)
    interval: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    slice_mvsf: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    overall: Mapping[str, float] = field(default_factory=dict)
    overall_nsd: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise ValueError(f"{self.study}: score must lie in [0, 1], got {self.score}")


@dataclass(kw_only=True, eq=False, repr=False)
class OfScheme(BaseEstimator):  # type: ignore[misc]
    """A scikit-learn estimator for one label scheme; a subclass is a dataclass of its arguments.

    The constructor only stores them, so that ``clone``, ``get_params`` and ``set_params`` work.

    Args:
        scheme: Label values and structures of the predictions; the only positional argument.
    """

    scheme: LabelScheme = field(kw_only=False)

    def __repr__(self) -> str:
        """The scheme's name, and the arguments that differ from their defaults."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "scheme"}
        defaults = {f.name: f.default for f in fields(self)}
        changed = [f"{name}={v!r}" for name, v in values.items() if v != defaults[name]]
        return f"{type(self).__name__}({', '.join([self.scheme.name, *changed])})"


class QualityEstimator(OfScheme, ABC):
    """Learns from graded predictions to judge new ones without a reference.

    As in scikit-learn, the constructor only stores its arguments, what ``fit`` learns is kept in
    attributes ending in an underscore, and ``predict`` changes nothing.

    Args:
        scheme: Label values and structures of the predictions it judges.
    """

    estimates_slices = False
    """Whether its qualities tell the Dice of single slices."""

    gives_error_maps = False
    """Whether its qualities have error maps."""

    needs_uncertainty = False
    """Whether it judges only predictions that carry the uncertainty of their segmenters."""

    gives_verdicts = False
    """Whether its qualities say what is good and what erroneous."""

    learns_from_verdicts = False
    """Whether it learns from a reader's verdicts on whole cines, which a suite has none of."""

    takes_modalities = False
    """Whether its constructor takes the number of modalities of the images."""

    takes_seed = False
    """Whether its constructor takes the seed of what it draws."""

    def check(self) -> None:
        """Make sure that something can be learned with these settings, before anything is made.

        Raises:
            ValueError: If not.
        """

    def suited_to(self, studies: Sequence[Study]) -> Self:
        """The estimator, not fitted, with what depends on the studies that it will learn from."""
        return self

    def starts_from(self) -> Mapping[str, str]:
        """What fitting depends on beside arguments and data, such as weights it starts from."""
        return {}

    def can_judge(self, prediction: Prediction) -> bool:
        """Whether the prediction carries what the estimator looks at."""
        return prediction.uncertainty is not None or not self.needs_uncertainty

    def measured(self) -> Mapping[str, float]:
        """Figures that fitting measured by itself, for the record of a run; most have none."""
        return {}

    @abstractmethod
    def fit(self, graded: Sequence[Graded], *, observe: ProgressCallback = unobserved) -> Self:
        """Learn from predictions whose quality is known.

        Args:
            graded: Each estimator takes from it what it needs: references, verdicts, both.
            observe: Told how many parts of the work are done, and of how many.

        Raises:
            ValueError: If it is empty, or lacks what the estimator needs.
        """

    @abstractmethod
    def predict(self, predictions: Sequence[Prediction]) -> list[Quality]:
        """Judge each prediction; none of their references is needed.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """

    @abstractmethod
    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What was learned, as named arrays, to be stored without pickle.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """

    @abstractmethod
    def with_arrays(self, arrays: Mapping[str, NDArray[np.generic]]) -> Self:
        """Take back what ``arrays`` gave; the estimator is then fitted, and is returned."""
