"""Rules that a segmentation of an organ keeps; each is a function that gives numbers.

``FRAME_RULES`` look at one frame, ``STUDY_RULES`` at the course over time. Which of them speak
follows from the scheme: most do for every structure, some only for what is measured as a cavity,
a mass or an area, and all are silent (NaN) where they cannot tell, such as a rule on the curve in
a study of one frame. No rule knows a structure by name.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from qc.estimators.physiology.shape import Course, Shapes, stray_share
from semiqc.measuring.masks import from_first_to_last
from semiqc.measuring.measures import ejection_fraction
from semiqc.schemes import Measure

Array = NDArray[np.float64]
Seen = TypeVar("Seen", Shapes, Course)

INFINITE = float("inf")
FEWEST_VOXELS = 10
"""A slice with fewer of a structure has no shape."""
FEWEST_FRAMES = 8
"""For a curve to have a course; rules on it are silent below."""
PROMINENCE = 0.15
"""Depth of a second minimum, as a share of the whole stroke, from which on it counts."""


@dataclass(frozen=True)
class Rule(Generic[Seen]):
    """One row of a table.

    Args:
        name: One word or two.
        words: What is said of a structure that breaks it, to be formatted with its ``value``.
        low: Least that is allowed where no reference tells; minus infinity for no bound.
        high: Most that is allowed, likewise.
        step: Least distance between what is usual and what is too much, for references may all
            have one and the same value.
        of: Works it out, ``[S]``, or ``[S, N]`` for each slice or frame; NaN where it is silent.
        measures: Of the structures it is about; empty for all.
        any_frames: Whether it may be asked of frames that are not neighbours in time.
        limit: What no value can exceed; a bound there is none.
    """

    name: str
    words: str
    low: float
    high: float
    step: float
    of: Callable[[Seen], Array]
    measures: tuple[Measure, ...] = ()
    any_frames: bool = False
    limit: float = INFINITE

    def allowed(self, low: float, high: float) -> str:
        """Bounds in words, with the decimals of ``words``."""
        unit = 0.1 if ":.1f}" in self.words else 1.0
        least, most = math.ceil(low / unit) * unit if low > -INFINITE else low, high
        if high < INFINITE:
            most = math.floor(high / unit) * unit
        if least == -INFINITE:
            return f"at most {most:.4g}"
        if most == INFINITE:
            return f"at least {least:.4g}"
        return f"expected {least:.4g} to {most:.4g}"

    def worst(self, seen: Seen) -> tuple[Array, NDArray[np.intp]]:
        """The value of each structure ``[S]``, and the slice or frame it is from, or -1."""
        values: Array = np.array(self.of(seen), dtype=np.float64)
        about = [not self.measures or part.measure in self.measures for part in seen.structures]
        values[~np.array(about, dtype=bool)] = np.nan
        if values.ndim == 1:
            return values, np.full(len(values), -1, np.intp)
        sign = 1.0 if self.high < INFINITE else -1.0
        places = np.nan_to_num(sign * values, nan=-INFINITE).argmax(axis=1)
        return values[np.arange(len(values)), places], places


def _parts(shapes: Shapes) -> Array:
    return shapes.parts


def _strays(shapes: Shapes) -> Array:
    return 100 * np.array([stray_share(mask) for mask in shapes.masks])


def _holes(shapes: Shapes) -> Array:
    return 100 * _ratio(shapes.holes, shapes.areas)


def _gaps(shapes: Shapes) -> Array:
    filled = shapes.areas > 0
    counts = (from_first_to_last(filled) & ~filled).sum(axis=1)
    return np.where(filled.any(axis=1), counts, np.nan)


def _area_jumps(shapes: Shapes) -> Array:
    change = np.abs(np.diff(shapes.areas, axis=1))
    return _pairs(shapes, 100 * _ratio(change, shapes.areas.max(axis=1, keepdims=True)))


def _centre_jumps(shapes: Shapes) -> Array:
    return _pairs(shapes, np.linalg.norm(np.diff(shapes.centres, axis=1), axis=-1))


def _slice_overlaps(shapes: Shapes) -> Array:
    both = (shapes.masks[:, 1:] & shapes.masks[:, :-1]).sum(axis=(2, 3))
    smaller = np.minimum(shapes.areas[:, 1:], shapes.areas[:, :-1])
    return _pairs(shapes, 100 * _ratio(both, smaller))


def _raggedness(shapes: Shapes) -> Array:
    _, dy, dx = shapes.spacing
    of_disc = 2 * np.sqrt(np.pi * shapes.areas * dy * dx)
    return np.where(shapes.areas >= FEWEST_VOXELS, _ratio(shapes.outlines, of_disc), np.nan)


def _thickness(shapes: Shapes) -> Array:
    _, dy, dx = shapes.spacing
    return _ratio(2 * shapes.areas.sum(axis=1) * dy * dx, shapes.outlines.sum(axis=1))


def _length(shapes: Shapes) -> Array:
    count = (shapes.areas > 0).sum(axis=1)
    has_many = shapes.areas.shape[1] > 1
    return np.where((count > 0) & has_many, count * shapes.spacing[0], np.nan)


def _size(shapes: Shapes) -> Array:
    return np.where(shapes.sizes > 0, shapes.sizes, np.nan)


def _facing_mass(shapes: Shapes) -> Array:
    return 100 * shapes.facing_mass


FRAME_RULES: tuple[Rule[Shapes], ...] = (
    Rule("parts", "has {value:.0f} parts", -INFINITE, 1, 0.5, _parts),
    Rule("strays", "has {value:.0f} % outside its largest part", -INFINITE, 1, 2, _strays),
    Rule("holes", "has holes of {value:.0f} % of its area", -INFINITE, 0, 2, _holes),
    Rule("gaps", "is missing in {value:.0f} slices between others", -INFINITE, 0, 0.5, _gaps),
    Rule("area jump", "changes its area by {value:.0f} % from the slice before", -INFINITE, 60, 5,
         _area_jumps),
    Rule("centre jump", "moves by {value:.0f} mm from the slice before", -INFINITE, 15, 2,
         _centre_jumps),
    Rule("overlap", "covers {value:.0f} % of the slice before", 50, INFINITE, 5, _slice_overlaps),
    Rule("outline", "has {value:.1f} times the outline of a disc", -INFINITE, 3, 0.1, _raggedness),
    Rule("thickness", "is {value:.1f} mm thick", 2, 40, 0.5, _thickness),
    Rule("length", "is {value:.0f} mm long", 10, 150, 10, _length),
    Rule("volume", "has {value:.0f} ml", 5, 400, 5, _size, (Measure.CAVITY, Measure.MASS)),
    Rule("any volume", "has {value:.1f} ml", 0.1, 500, 1, _size, (Measure.VOLUME,)),
    Rule("area", "has {value:.0f} mm2", 100, 2000, 50, _size, (Measure.AREA,)),
    Rule("wall", "has {value:.0f} % of its outline at the wall", 15, 100, 3, _facing_mass,
         (Measure.CAVITY,), limit=100),
)  # fmt: skip
"""Neighbouring slices are compared in ``area jump``, ``centre jump`` and ``overlap``. ``wall``
tells a cavity that the myocardium encloses, and one that it only touches, by their references."""


def _size_jumps(course: Course) -> Array:
    typical = median_filter(course.sizes, size=(1, 3), mode="wrap")
    middle = np.median(course.sizes, axis=1, keepdims=True)
    return _if_moving(course, 100 * _ratio(np.abs(course.sizes - typical), middle))


def _frame_moves(course: Course) -> Array:
    moves = np.linalg.norm(course.centres - np.roll(course.centres, 1, axis=1), axis=-1)
    return _if_moving(course, moves)


def _frame_overlaps(course: Course) -> Array:
    return _if_moving(course, 100 * course.overlaps)


def _variation(course: Course) -> Array:
    if course.frames < 2:
        return np.full(len(course.sizes), np.nan)
    return 100 * _ratio(course.sizes.std(axis=1), course.sizes.mean(axis=1))


def _ejection(course: Course) -> Array:
    if course.frames < 2:
        return np.full(len(course.sizes), np.nan)
    return np.array([ejection_fraction(row.max(), row.min()) for row in course.sizes])


def _minima(course: Course) -> Array:
    return _if_moving(course, np.array([minima(row) for row in course.sizes], dtype=np.float64))


def _return(course: Course) -> Array:
    stroke = np.ptp(course.sizes, axis=1)
    between = np.abs(course.sizes[:, 0] - course.sizes[:, -1])
    return _if_moving(course, 100 * _ratio(between, stroke))


_BEATING = (Measure.CAVITY, Measure.AREA)

STUDY_RULES: tuple[Rule[Course], ...] = (
    Rule("size jump", "stands out by {value:.0f} % of its size", -INFINITE, 15, 5, _size_jumps),
    Rule("move", "moves by {value:.0f} mm from the frame before", -INFINITE, 8, 2, _frame_moves),
    Rule("frame overlap", "has Dice {value:.0f} % with the frame before", 60, INFINITE, 10,
         _frame_overlaps),
    Rule("mass change", "varies by {value:.0f} % over the cycle", -INFINITE, 15, 5, _variation,
         (Measure.MASS,), any_frames=True),
    Rule("ejection", "has an EF of {value:.0f} %", 10, 80, 5, _ejection, (Measure.CAVITY,),
         any_frames=True),
    Rule("minima", "has {value:.0f} minima over the cycle", -INFINITE, 1, 0.5, _minima,
         _BEATING),
    Rule("return", "ends {value:.0f} % of its stroke from its start", -INFINITE, 30, 10, _return,
         _BEATING),
)  # fmt: skip
"""On jumps from frame to frame and on the curve."""


def minima(sizes: Array) -> int:
    """Minima of a cyclic curve ``[T]`` that lie at least ``PROMINENCE`` of its range deep.

    It is walked from its largest value once around: a minimum is passed when the curve has
    climbed so far above the lowest point since the last one, after as deep a fall.
    """
    depth = PROMINENCE * float(np.ptp(sizes))
    if depth == 0:
        return 0
    walk = np.append(np.roll(sizes, -int(sizes.argmax())), sizes.max())
    count, extreme, is_falling = 0, walk[0], True
    for size in walk[1:]:
        if is_falling:
            extreme = min(extreme, size)
            if size >= extreme + depth:
                count, extreme, is_falling = count + 1, size, False
        else:
            extreme = max(extreme, size)
            if size <= extreme - depth:
                extreme, is_falling = size, True
    return count


def _pairs(shapes: Shapes, of_pairs: Array) -> Array:
    """Values of neighbouring slices at the second of them; NaN where one of them is too small."""
    filled = shapes.areas >= FEWEST_VOXELS
    both = filled[:, 1:] & filled[:, :-1]
    silent = np.full((len(filled), 1), np.nan)
    return np.concatenate([silent, np.where(both, of_pairs, np.nan)], axis=1)


def _if_moving(course: Course, values: Array) -> Array:
    return values if course.frames >= FEWEST_FRAMES else np.full_like(values, np.nan)


def _ratio(above: Array, below: Array) -> Array:
    """Quotient; NaN where nothing is below."""
    with np.errstate(invalid="ignore", divide="ignore"):
        quotient = np.asarray(above / below)
    return np.where(np.isfinite(quotient), quotient, np.nan)
