"""What every other module speaks about: structures, label schemes, studies and predictions.

Axes are always named and ordered ``[M, T, Z, Y, X]``: modality, time frame, slice, row, column.
A class axis ``C`` comes first. Lengths are in millimetres, volumes in millilitres, areas in mm2.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

UNLABELLED = -1
"""Label of a voxel nobody has annotated; every loss and metric ignores it."""

BACKGROUND = 0
"""Label of what is annotated and belongs to no structure."""


class Measure(StrEnum):
    """What a structure is measured as."""

    CAVITY = "cavity"
    """A volume curve in ml, with end-diastolic and end-systolic volume and ejection fraction."""
    MASS = "mass"
    """A volume curve in ml, and a mass in g at end-diastole."""
    VOLUME = "volume"
    """A volume in ml."""
    AREA = "area"
    """An area curve in mm2, with largest, smallest and relative change."""


@dataclass(frozen=True)
class Structure:
    """An anatomical part: a name and the label values that make it up.

    Args:
        name: Unique within a scheme.
        values: Label values whose union is the structure.
        measure: What it is measured as; None where it is only compared.
    """

    name: str
    values: tuple[int, ...]
    measure: Measure | None = None

    def mask(self, labels: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Where ``labels``, of any shape, belong to the structure."""
        if len(self.values) == 1:
            single: NDArray[np.bool_] = labels == self.values[0]
            return single
        return np.isin(labels, self.values)


@dataclass(frozen=True)
class LabelScheme:
    """The label values of a data set and the structures they make up.

    Args:
        name: Of the scheme.
        classes: Name of each label value, from 0, the background.
        structures: What is measured, compared and reported.
        mirror_axes: In-plane image axes, out of ``"y"`` and ``"x"``, along which the anatomy may
            be mirrored by augmentation. Empty where left and right differ.

    Raises:
        ValueError: If a structure has no values, or one that the scheme has no class for.
    """

    name: str
    classes: tuple[str, ...]
    structures: tuple[Structure, ...]
    mirror_axes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [structure.name for structure in self.structures]
        if len(set(names)) != len(names):
            raise ValueError(f"label scheme {self.name}: structures share a name: {names}")
        for structure in self.structures:
            unknown = [v for v in structure.values if not 0 < v < len(self.classes)]
            if unknown or not structure.values:
                raise ValueError(
                    f"label scheme {self.name}: structure {structure.name} has values"
                    f" {structure.values}, known are 1 to {len(self.classes) - 1}"
                )

    def structure(self, name: str) -> Structure:
        """The structure of that name.

        Raises:
            KeyError: If there is none.
        """
        for structure in self.structures:
            if structure.name == name:
                return structure
        known = ", ".join(structure.name for structure in self.structures)
        raise KeyError(f"unknown structure '{name}'; known: {known}")

    def mismatch(self, other: "LabelScheme") -> str:
        """In what the labels of another scheme mean something else; empty where in nothing.

        Names of schemes, the order of structures and what they are measured as do not count.
        """
        ours, theirs = (
            {structure.name: sorted(structure.values) for structure in scheme.structures}
            for scheme in (self, other)
        )
        for name in sorted({*ours, *theirs}):
            if ours.get(name) != theirs.get(name):
                here, there = (
                    f"label {' and '.join(map(str, found[name]))}" if name in found else "absent"
                    for found in (ours, theirs)
                )
                return f"{name} is {here} in {self.name}, {there} in {other.name}"
        return ""

    def to_json(self) -> dict[str, Any]:
        """As plain lists and mappings, to be stored."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "structures": [
                {"name": s.name, "values": list(s.values), "measure": s.measure}
                for s in self.structures
            ],
            "mirror_axes": list(self.mirror_axes),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "LabelScheme":
        """The scheme that ``to_json`` gave."""
        return cls(
            name=str(stored["name"]),
            classes=tuple(stored["classes"]),
            structures=tuple(
                Structure(
                    s["name"],
                    tuple(int(v) for v in s["values"]),
                    Measure(s["measure"]) if s.get("measure") else None,
                )
                for s in stored["structures"]
            ),
            mirror_axes=tuple(stored.get("mirror_axes", ())),
        )


SHORT_AXIS = LabelScheme(
    name="short-axis",
    classes=("background", "RV", "MYO", "LV"),
    structures=(
        Structure("LV", (3,), Measure.CAVITY),
        Structure("MYO", (2,), Measure.MASS),
        Structure("RV", (1,), Measure.CAVITY),
    ),
)
"""Cine short axis, with the label values of the ACDC challenge."""

AORTA = LabelScheme(
    name="aorta",
    classes=("background", "aorta"),
    structures=(Structure("aorta", (1,), Measure.AREA),),
    mirror_axes=("y", "x"),
)
"""Cross-section of the ascending aorta."""

TUMOUR = LabelScheme(
    name="tumour",
    classes=("background", "oedema", "core", "enhancing"),
    structures=(
        Structure("WT", (1, 2, 3), Measure.VOLUME),
        Structure("TC", (2, 3), Measure.VOLUME),
        Structure("ET", (3,), Measure.VOLUME),
    ),
    mirror_axes=("x",),
)
"""Glioma: whole tumour, tumour core and enhancing tumour, each within the one before."""

SCHEMES: dict[str, LabelScheme] = {scheme.name: scheme for scheme in (SHORT_AXIS, AORTA, TUMOUR)}
"""Schemes that a command may name."""


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


@dataclass(frozen=True)
class Geometry:
    """How a study lay in its source, so that results can be written back.

    Args:
        affine: From voxel indices ``(x, y, z)`` of the source to mm in RAS+, ``[4, 4]``.
        shape: ``(X, Y, Z)`` of the source.
        source: File or folder the study came from.
        to_source: How the study's axes lie in the source's, as ``semiqc.resample`` records it.
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
        weight: How often training draws it beside others; 1 for an expert's labels.

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
    weight: float = 1.0

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
        if not all(0 < mm < float("inf") for mm in self.spacing):
            raise ValueError(f"{self.name}: spacing must be positive mm, got {self.spacing}")
        if not self.subject:
            object.__setattr__(self, "subject", self.name)

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
        """A copy with other labels, ``[T, Z, Y, X]``; this study is left as it was."""
        return replace(self, labels=labels)

    def keeping(self, frames: tuple[int, ...]) -> "Study":
        """A copy in which only these frames have labels."""
        return replace(self, labels=OnlyFrames(self.labels, frames))

    def without_labels(self) -> "Study":
        """A copy of which nobody has annotated anything."""
        return self.keeping(())

    def load(self) -> "Study":
        """A copy that stands in memory."""
        return replace(self, image=self.image[:], labels=self.labels[:])


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
class Evidence:
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
        probabilities: Of each class, ``[C, T, Z, Y, X]`` float32 as read (a file keeps them in
            8 bits), where they were asked for.
        evidence: Of the segmenters that made it, where it was asked for.

    Raises:
        ValueError: If shapes disagree.
    """

    study: str
    image: Voxels
    labels: Voxels
    spacing: tuple[float, float, float]
    probabilities: Voxels | None = None
    evidence: Evidence | None = None

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
