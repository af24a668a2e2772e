"""Failures as readers meet them, made from a reference: of slices, of classes, of borders."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from qc.frames import Frame
from qc.graded.seggen import displacement, sampled
from qc.graded.source import Made, Source
from semiqc.schemes import BACKGROUND
from semiqc.study import Study

LARGEST_SHARE = 0.5
"""Of the slices that hold a structure, how many a failure befalls at most."""
SHIFT_MM = (6.0, 20.0)
"""Smallest and largest shift of a slice, as of a breath held differently."""
EDGE_MM = (2.0, 6.0)
"""How far an eroded or dilated border is moved."""
DEFORMATION_MM = 12.0
LEAK_MM = (8.0, 25.0)
"""How far a structure leaks at least and at most."""
LEAST_LEAK = 0.02
"""Share of its size by which a class must have grown to have leaked at all."""
LEAK_DEVIATIONS = 2.0
"""Standard deviations of a structure's intensity within which tissue passes for the structure."""

Failure = Callable[[Frame, np.random.Generator], NDArray[np.int8] | None]
"""Labels ``[Z, Y, X]`` with a failure, of a frame's own; None where it has none to show."""


@dataclass(frozen=True)
class SliceFailures(Source):
    """One segmentation of each kind of failure of every reference; what cannot happen is left out.

    Args:
        kinds: Out of ``FAILURES``.
        seed: Of all that is drawn.

    Raises:
        ValueError: If a kind is not known.
    """

    kinds: tuple[str, ...] = (
        "missing", "swapped", "shifted", "eroded", "dilated", "deformed", "confused", "leaked",
    )  # fmt: skip
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in FAILURES]
        if unknown:
            raise ValueError(f"unknown failure '{unknown[0]}'; known: {', '.join(FAILURES)}")

    def make(self, train: Sequence[Study], judged: Sequence[Study]) -> Iterator[Made]:
        """See ``Source``; nothing is learned, so ``train`` is not looked at."""
        for study in judged:
            for number in study.labelled_frames:
                reference = np.asarray(study.labels[number]).clip(min=BACKGROUND)
                image = np.asarray(study.image[:, number], dtype=np.float32)
                frame = Frame(study.name, image, reference, study.spacing)
                for kind in self.kinds:
                    text = f"{study.name}/{kind}".encode()
                    rng = np.random.default_rng([self.seed, number, *text])
                    labels = FAILURES[kind](frame, rng)
                    if labels is not None:
                        yield Made(study, number, labels, f"failures-{kind}")


def missing(frame: Frame, rng: np.random.Generator) -> NDArray[np.int8] | None:
    """Some slices are empty; not where there is only one that holds a structure."""
    if len(_filled(frame.labels)) < 2:
        return None
    labels = frame.labels.copy()
    labels[_some_slices(frame.labels, rng)] = BACKGROUND
    return labels


def swapped(frame: Frame, rng: np.random.Generator) -> NDArray[np.int8] | None:
    """Two slices have each other's labels; not where none differ."""
    filled = _filled(frame.labels)
    pairs = [
        (one, other)
        for place, one in enumerate(filled)
        for other in filled[place + 1 :]
        if (frame.labels[one] != frame.labels[other]).any()
    ]
    if not pairs:
        return None
    one, other = pairs[rng.integers(len(pairs))]
    labels = frame.labels.copy()
    labels[[one, other]] = frame.labels[[other, one]]
    return labels


def shifted(frame: Frame, rng: np.random.Generator) -> NDArray[np.int8] | None:
    """Some slices are shifted in their plane, each its own way."""

    def shift(labels: NDArray[np.int8]) -> NDArray[np.int8]:
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(*SHIFT_MM)
        by = length * np.array([np.sin(angle), np.cos(angle)]) / frame.spacing[1:]
        return sampled(labels, _grid(labels.shape) - by)

    return _changed(frame, rng, shift)


def eroded(frame: Frame, rng: np.random.Generator) -> NDArray[np.int8] | None:
    """Some slices have lost the outer border of all structures together."""

    def erode(labels: NDArray[np.int8]) -> NDArray[np.int8]:
        depth = ndimage.distance_transform_edt(labels > BACKGROUND, frame.spacing[1:])
        return np.where(depth > rng.uniform(*EDGE_MM), labels, BACKGROUND)

    return _changed(frame, rng, erode)


def dilated(frame: Frame, rng: np.random.Generator) -> NDArray[np.int8] | None:
    """In some slices every structure at the outer border has grown into the background."""

    def dilate(labels: NDArray[np.int8]) -> NDArray[np.int8]:
        distance, nearest = ndimage.distance_transform_edt(
            labels == BACKGROUND, frame.spacing[1:], return_indices=True
        )
        return np.where(distance <= rng.uniform(*EDGE_MM), labels[tuple(nearest)], BACKGROUND)

    return _changed(frame, rng, dilate)


def deformed(frame: Frame, rng: np.random.Generator) -> NDArray[np.int8] | None:
    """Some slices are deformed heavily, each its own way."""

    def deform(labels: NDArray[np.int8]) -> NDArray[np.int8]:
        reach = [DEFORMATION_MM / mm for mm in frame.spacing[1:]]
        return sampled(labels, _grid(labels.shape) + displacement(labels.shape, reach, rng))

    return _changed(frame, rng, deform)


def confused(frame: Frame, rng: np.random.Generator) -> NDArray[np.int8] | None:
    """In some slices two classes are taken for each other; not where there is only one."""
    present = np.setdiff1d(frame.labels, [BACKGROUND])
    if len(present) < 2:
        return None
    one, other = rng.choice(present, 2, replace=False)
    with_either = np.where(np.isin(frame.labels, (one, other)), frame.labels, BACKGROUND)
    slices = _some_slices(with_either, rng)
    labels = frame.labels.copy()
    before = frame.labels[slices]
    labels[slices] = np.select([before == one, before == other], [other, one], before)
    return labels


def leaked(frame: Frame, rng: np.random.Generator) -> NDArray[np.int8] | None:
    """In some slices a class has run out into tissue that looks like it; not where none does."""
    for label in rng.permutation(np.setdiff1d(frame.labels, [BACKGROUND])):
        labels = _leak(frame, label, rng)
        leak = (labels != frame.labels).sum()
        if leak >= LEAST_LEAK * (frame.labels == label).sum():
            return labels
    return None


def _leak(frame: Frame, label: np.int8, rng: np.random.Generator) -> NDArray[np.int8]:
    """A class grown from its border, in the plane, over what is as bright in all modalities."""
    labels = frame.labels.copy()
    for z in _some_slices(np.where(labels == label, labels, BACKGROUND), rng):
        structure = labels[z] == label
        passes = _alike(frame.image[:, z], structure)
        steps = round(rng.uniform(*LEAK_MM) / min(frame.spacing[1:]))
        labels[z][ndimage.binary_dilation(structure, mask=passes, iterations=steps)] = label
    return labels


FAILURES: Mapping[str, Failure] = {
    "missing": missing,
    "swapped": swapped,
    "shifted": shifted,
    "eroded": eroded,
    "dilated": dilated,
    "deformed": deformed,
    "confused": confused,
    "leaked": leaked,
}
"""Kinds of failure that settings may name."""


def _filled(labels: NDArray[np.int8]) -> NDArray[np.intp]:
    """Slices that hold a structure."""
    return np.flatnonzero((labels > BACKGROUND).any(axis=(1, 2)))


def _some_slices(labels: NDArray[np.int8], rng: np.random.Generator) -> NDArray[np.intp]:
    """At least one of the slices that hold a structure, at most the largest share of them."""
    filled = _filled(labels)
    most = max(1, int(LARGEST_SHARE * len(filled)))
    return np.sort(rng.choice(filled, rng.integers(1, most + 1), replace=False))


def _changed(
    frame: Frame,
    rng: np.random.Generator,
    change: Callable[[NDArray[np.int8]], NDArray[np.int8]],
) -> NDArray[np.int8] | None:
    """Labels with some slices ``[Y, X]`` changed; None where none holds a structure."""
    if not len(_filled(frame.labels)):
        return None
    labels = frame.labels.copy()
    for z in _some_slices(frame.labels, rng):
        labels[z] = change(frame.labels[z])
    return labels


def _grid(shape: Sequence[int]) -> NDArray[np.float64]:
    """Row and column of each voxel of a slice, ``[Y, X, 2]``."""
    return np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1).astype(np.float64)


def _alike(image: NDArray[np.float32], structure: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where a slice ``[M, Y, X]`` is about as bright as in the structure, in all modalities."""
    inside = image[:, structure]
    mean, deviation = (of(inside, axis=1)[:, None, None] for of in (np.mean, np.std))
    alike: NDArray[np.bool_] = (np.abs(image - mean) <= LEAK_DEVIATIONS * deviation).all(axis=0)
    return alike
