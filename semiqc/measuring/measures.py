"""What segmentations are measured as: curves over the cardiac cycle and clinical figures.

Labels are read one frame at a time, so that a study may stand in a file. A frame in which nothing
is labelled has no measure and is NaN; in a frame that is labelled in part, the labelled part is
measured.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import UNLABELLED, LabelScheme, Measure, Structure
from semiqc.study import Voxels

MM3_PER_ML = 1000.0

MYOCARDIAL_DENSITY = 1.05
"""In g/ml, as post-processing guidelines have it: Schulz-Menger et al., Journal of
Cardiovascular Magnetic Resonance 2020. https://doi.org/10.1186/s12968-020-00610-6"""


class ClinicalMeasure(NamedTuple):
    """One clinical figure of one structure; NaN where it cannot be told."""

    structure: str
    measure: str
    unit: str
    value: float


def curve_unit(structure: Structure) -> str:
    """Unit of the structure's curve: ``mm2`` of an area, else ``ml``."""
    return "mm2" if structure.measure is Measure.AREA else "ml"


def curve(
    labels: Voxels, spacing: tuple[float, float, float], structure: Structure
) -> NDArray[np.float64]:
    """Volume or area of one structure in every frame; see ``curves``."""
    return curves(labels, spacing, (structure,))[structure.name]


def curves(
    labels: Voxels, spacing: tuple[float, float, float], structures: Sequence[Structure]
) -> dict[str, NDArray[np.float64]]:
    """Volume or area of several structures in every frame, each frame read once.

    Args:
        labels: Class of each voxel or ``UNLABELLED``, ``[T, Z, Y, X]``.
        spacing: Distance in mm between voxel centres, ordered ``(z, y, x)``.
        structures: What to measure.

    Returns:
        By structure's name ``[T]``: volumes in ml, or, of structures measured as an area, the
        mean cross-section of the labelled slices in mm2. NaN in frames without a labelled voxel.
    """
    found = {structure.name: np.full(labels.shape[0], np.nan) for structure in structures}
    for frame in range(labels.shape[0]):
        voxels = np.asarray(labels[frame])
        labelled_slices = int((voxels != UNLABELLED).any(axis=(1, 2)).sum())
        if not labelled_slices:
            continue
        # A shift by one makes place for UNLABELLED, which bincount could not take.
        counts = np.bincount(voxels.ravel().astype(np.intp) + 1)
        for structure in structures:
            count = sum(int(counts[v + 1]) for v in structure.values if v + 1 < len(counts))
            if structure.measure is Measure.AREA:
                size = count * spacing[1] * spacing[2] / labelled_slices
            else:
                size = count * math.prod(spacing) / MM3_PER_ML
            found[structure.name][frame] = size
    return found


def ejection_fraction(end_diastolic: float, end_systolic: float) -> float:
    """Share of the end-diastolic volume that is ejected, in percent.

    NaN where the end-diastolic volume is 0 or NaN: a cavity that was not found ejects nothing
    that could be told. Whoever averages must count such studies as failures.
    """
    if not end_diastolic > 0:
        return math.nan
    return 100.0 * (end_diastolic - end_systolic) / end_diastolic


def clinical(
    labels: Voxels,
    spacing: tuple[float, float, float],
    scheme: LabelScheme,
    frames: Sequence[int] | None = None,
) -> list[ClinicalMeasure]:
    """Clinical figures of every structure that the scheme measures.

    A cavity is at end-diastole in the frame of its largest volume, at end-systole in that of its
    smallest. A mass is taken at the end-diastole of the scheme's first cavity, or in the first
    measured frame where there is no cavity; so is a plain volume. What needs two phases (all
    figures of a cavity, and the change of an area) is NaN where fewer than two frames are
    measured, since nobody can say which phase a single frame is.

    Args:
        labels: Class of each voxel or ``UNLABELLED``, ``[T, Z, Y, X]``.
        spacing: Distance in mm between voxel centres, ordered ``(z, y, x)``.
        scheme: Whose structures to measure.
        frames: To look at, such as those that the reference has labels for, so that automatic
            and manual are measured in the same frames; None means all. Unlabelled frames are
            left out in any case.

    Returns:
        ``EDV``, ``ESV``, ``SV`` (ml) and ``EF`` (%) of a cavity; ``mass`` (g); ``volume`` (ml);
        ``largest``, ``smallest`` (mm2) and ``relative change`` (% of the smallest) of an area.

    Raises:
        ValueError: If a frame is not one of the study's.
    """
    chosen = range(labels.shape[0]) if frames is None else sorted(set(frames))
    if any(not 0 <= frame < labels.shape[0] for frame in chosen):
        raise ValueError(f"frames must lie in 0 to {labels.shape[0] - 1}, got {list(chosen)}")
    measured = [structure for structure in scheme.structures if structure.measure is not None]
    sizes = curves(_Frames(labels, chosen), spacing, measured)
    is_known = ~np.isnan(next(iter(sizes.values()), np.empty(0)))
    known = {name: values[is_known] for name, values in sizes.items()}
    return clinical_of_curves(known, scheme)


def clinical_of_curves(
    curves: Mapping[str, NDArray[np.float64]], scheme: LabelScheme
) -> list[ClinicalMeasure]:
    """The figures that ``clinical`` gives, of curves that were measured already.

    Args:
        curves: Volume in ml or area in mm2 of every measured structure, ``[T]``.
        scheme: Whose structures they are of.
    """
    phase = _end_diastole(curves, scheme)
    return [
        figure
        for structure in scheme.structures
        if structure.measure is not None
        for figure in _figures(structure, curves[structure.name], phase)
    ]


class _Frames:
    """Some frames of labels, read through."""

    def __init__(self, labels: Voxels, frames: Sequence[int]) -> None:
        self.labels = labels
        self.frames = frames
        self.shape = (len(frames), *labels.shape[1:])
        self.ndim = labels.ndim
        self.dtype = labels.dtype

    def __getitem__(self, frame: int) -> NDArray[np.int8]:
        found: NDArray[np.int8] = self.labels[self.frames[frame]]
        return found


def _end_diastole(sizes: Mapping[str, NDArray[np.float64]], scheme: LabelScheme) -> int:
    """Index, among the measured frames, in which the scheme's first cavity is largest."""
    for structure in scheme.structures:
        if structure.measure is Measure.CAVITY and sizes[structure.name].size:
            return int(sizes[structure.name].argmax())
    return 0


def _figures(
    structure: Structure, sizes: NDArray[np.float64], end_diastole: int
) -> list[ClinicalMeasure]:
    """Clinical measures of one structure, from its volume or area in each frame, ``[T]``.

    A mass is of the end-diastolic frame; largest and smallest need two frames and are NaN of one.
    Where there is no frame, every measure is NaN.
    """
    has_phases = len(sizes) >= 2
    largest = float(sizes.max()) if has_phases else math.nan
    smallest = float(sizes.min()) if has_phases else math.nan
    size = float(sizes[end_diastole]) if len(sizes) else math.nan
    match structure.measure:
        case Measure.CAVITY:
            figures = _of_cavity(largest, smallest)
        case Measure.AREA:
            figures = _of_area(largest, smallest)
        case Measure.MASS:
            figures = [("mass", "g", size * MYOCARDIAL_DENSITY)]
        case _:
            figures = [("volume", "ml", size)]
    return [ClinicalMeasure(structure.name, *figure) for figure in figures]


def _of_cavity(largest: float, smallest: float) -> list[tuple[str, str, float]]:
    """End-diastolic, end-systolic and stroke volume in ml, and ejection fraction in percent."""
    return [
        ("EDV", "ml", largest),
        ("ESV", "ml", smallest),
        ("SV", "ml", largest - smallest),
        ("EF", "%", ejection_fraction(largest, smallest)),
    ]


def _of_area(largest: float, smallest: float) -> list[tuple[str, str, float]]:
    """Largest and smallest area in mm2, and the change between, in percent of the smallest."""
    change = 100.0 * (largest - smallest) / smallest if smallest > 0 else math.nan
    return [
        ("largest", "mm2", largest),
        ("smallest", "mm2", smallest),
        ("relative change", "%", change),
    ]
