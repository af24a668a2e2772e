"""What every other module speaks about: structures, label schemes, studies and predictions.

Axes are always named and ordered ``[M, T, Z, Y, X]``: modality, time frame, slice, row, column.
A class axis ``C`` comes first. Lengths are in millimetres, volumes in millilitres, areas in mm2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import UNLABELLED


@runtime_checkable
class Voxels(Protocol):
    """An array that may stand in a file: NumPy's, or one that reads what is indexed.

    Indexing gives a NumPy array; nothing else of the array's interface may be relied on.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        ...

    @property
    def ndim(self) -> int:
        """Number of axes."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of what indexing gives."""
        ...

    def __getitem__(self, key: Any) -> NDArray[Any]:  # noqa: ANN401
        """The voxels at a basic index (integers and slices)."""
        ...


PHANTOM_SOURCE = "phantom"
"""Source of what nobody was scanned for."""


@dataclass(frozen=True)
class Geometry:
    """How a study lay in its source, so that results can be written back.

    Args:
        affine: From voxel indices ``(x, y, z)`` of the source to mm in RAS+, ``[4, 4]``.
        shape: ``(X, Y, Z)`` of the source.
        source: File or folder the study came from.
        to_source: How the study's axes lie in the source's, as ``images.resampling`` records it.
    """

    affine: NDArray[np.float64]
    shape: tuple[int, int, int]
    source: str = ""
    to_source: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Study:
    """One subject's images with the labels they have, which may be few or none.

    Args:
        name: Unique within a data set; names files and table rows.
        image: Intensities, ``[M, T, Z, Y, X]`` float32, in memory or in a file.
        labels: Class of each voxel or ``UNLABELLED``, ``[T, Z, Y, X]`` int8, likewise.
        spacing: Distance in mm between voxel centres, ordered ``(z, y, x)``.
        group: Disease group or other stratum; empty where unknown.
        subject: Whom the study is of; splits never part a subject. Default: ``name``.
        split: Split the data set itself assigns, if any: ``"train"``, ``"test"`` and so on.
        geometry: Of the source, where the study was imported.
        source_labels: Labels on the grid of the source, as they were drawn, ``[T, Z, Y, X]``;
            None where ``labels`` lie on that grid, or only they are known.
        weight: How often training draws it beside others; 1 for an expert's labels.
        voxel_weights: How much each label counts in a training's loss, ``[T, Z, Y, X]`` in
            [0, 1]; None where all count alike.
        notes: What is odd about its file, in words.

    Raises:
        ValueError: If shapes disagree, or a spacing or the weight is not positive.
    """

    name: str
    image: Voxels
    labels: Voxels
    spacing: tuple[float, float, float]
    group: str = ""
    subject: str = ""
    split: str = ""
    geometry: Geometry | None = None
    source_labels: Voxels | None = None
    weight: float = 1.0
    notes: tuple[str, ...] = ()
    voxel_weights: Voxels | None = None

    def __post_init__(self) -> None:
        if not self.weight > 0:
            raise ValueError(f"{self.name}: weight must be positive, got {self.weight}")
        if self.image.ndim != 5:
            raise ValueError(
                f"{self.name}: image must have axes [M, T, Z, Y, X], got shape {self.image.shape}"
            )
        if tuple(self.labels.shape) != tuple(self.image.shape[1:]):
            raise ValueError(
                f"{self.name}: labels have shape {tuple(self.labels.shape)},"
                f" image has {tuple(self.image.shape)}"
            )
        weights = self.voxel_weights
        if weights is not None and tuple(weights.shape) != tuple(self.labels.shape):
            raise ValueError(
                f"{self.name}: voxel_weights have shape {tuple(weights.shape)},"
                f" labels have {tuple(self.labels.shape)}"
            )
        if self.source_labels is not None and self.source_labels.shape[0] != self.frames:
            raise ValueError(
                f"{self.name}: labels of the source have {self.source_labels.shape[0]} frames,"
                f" image has {self.frames}"
            )
        if not all(0 < mm < float("inf") for mm in self.spacing):
            raise ValueError(f"{self.name}: spacing must be positive mm, got {self.spacing}")
        if not self.subject:
            object.__setattr__(self, "subject", self.name)

    @property
    def is_phantom(self) -> bool:
        """Whether nobody was scanned for it, as far as its geometry tells."""
        return self.geometry is not None and self.geometry.source == PHANTOM_SOURCE

    @property
    def frames(self) -> int:
        """Number of time frames."""
        return self.image.shape[1]

    @property
    def labelled_frames(self) -> tuple[int, ...]:
        """Frames with at least one labelled voxel, in order."""
        known: tuple[int, ...] | None = getattr(self.labels, "labelled_frames", None)
        if known is not None:
            return known
        return tuple(t for t in range(self.frames) if (self.labels[t] != UNLABELLED).any())

    def with_labels(self, labels: Voxels) -> "Study":
        """A copy with other labels ``[T, Z, Y, X]``, all of one weight; none of the source."""
        return replace(self, labels=labels, source_labels=None, voxel_weights=None)

    def keeping(self, frames: tuple[int, ...]) -> "Study":
        """A copy in which only these frames have labels."""
        drawn = self.source_labels
        return replace(
            self,
            labels=OnlyFrames(self.labels, frames),
            source_labels=None if drawn is None else OnlyFrames(drawn, frames),
        )

    def without_labels(self) -> "Study":
        """A copy of which nobody has annotated anything."""
        return self.keeping(())

    def load(self) -> "Study":
        """A copy that stands in memory."""
        drawn, weights = self.source_labels, self.voxel_weights
        return replace(
            self,
            image=self.image[:],
            labels=self.labels[:],
            source_labels=None if drawn is None else drawn[:],
            voxel_weights=None if weights is None else weights[:],
        )


class OnlyFrames:
    """Labels of which all but some frames are hidden; reads through, copies nothing.

    Args:
        labels: ``[T, Z, Y, X]``.
        frames: Frames whose labels stay visible.
    """

    dtype = np.dtype(np.int8)
    ndim = 4

    def __init__(self, labels: Voxels, frames: tuple[int, ...]) -> None:
        self.labels = labels
        self.visible = tuple(sorted(frames))
        self.shape = tuple(labels.shape)

    @property
    def labelled_frames(self) -> tuple[int, ...]:
        """The visible frames that have a label."""
        known: tuple[int, ...] | None = getattr(self.labels, "labelled_frames", None)
        if known is not None:
            return tuple(t for t in self.visible if t in known)
        return tuple(t for t in self.visible if (self.labels[t] != UNLABELLED).any())

    def __getitem__(self, key: Any) -> NDArray[np.int8]:  # noqa: ANN401
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, int | np.integer):
            found: NDArray[np.int8] = self.labels[key]
            frame = int(first) % self.shape[0]
            return found if frame in self.visible else np.full_like(found, UNLABELLED)
        if not isinstance(first, slice) and first is not Ellipsis:
            raise IndexError(f"frames are read by number or slice, got {first!r}")
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest]
        found = np.array(self.labels[(first, *rest)])
        for row, frame in enumerate(range(*first.indices(self.shape[0]))):
            if frame not in self.visible:
                found[row] = UNLABELLED
        return found


@dataclass(frozen=True, eq=False)
class UncertaintyMaps:
    """What a group of segmenters, or one with dropout, says beside a prediction's labels.

    It is small enough to be kept for every study. Structures are in the order of the scheme.

    Args:
        entropy: Of the members' mean class probabilities, as a share of the largest possible,
            ``[T, Z, Y, X]`` in [0, 1] float32 as read (a file keeps it in 8 bits).
        disagreement: Share of the members whose label is not the prediction's, likewise.
        agreement: Mean pairwise Dice of the members, ``[T, S]``; NaN where none has the
            structure.
        confidence: Mean probability of each structure within its predicted voxels, ``[T, S]``;
            NaN where there are none.
        features: How far what the first segmenter sees in a frame deviates from what it learned
            from, ``[T, F]``; F is 0 where that is unknown.
    """

    entropy: Voxels
    disagreement: Voxels
    agreement: NDArray[np.float64]
    confidence: NDArray[np.float64]
    features: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a segmenter says of a whole study, and what it was said of; never the reference.

    Args:
        study: Name of the study.
        image: The study's intensities, ``[M, T, Z, Y, X]`` float32, in memory or in a file.
        labels: Most probable class of each voxel, ``[T, Z, Y, X]`` int8, likewise.
        spacing: Distance in mm between voxel centres, ordered ``(z, y, x)``.
        uncertainty: Of the segmenters that made it, where it was asked for.

    Raises:
        ValueError: If shapes disagree.
    """

    study: str
    image: Voxels
    labels: Voxels
    spacing: tuple[float, float, float]
    uncertainty: UncertaintyMaps | None = None

    def __post_init__(self) -> None:
        if self.image.ndim != 5 or tuple(self.labels.shape) != tuple(self.image.shape[1:]):
            raise ValueError(
                f"{self.study}: predicted labels have shape {tuple(self.labels.shape)},"
                f" image has {tuple(self.image.shape)}"
            )

    @property
    def frames(self) -> int:
        """Number of time frames."""
        return self.labels.shape[0]
