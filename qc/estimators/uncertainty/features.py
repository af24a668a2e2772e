"""Features of an uncertainty map around each structure; ``TABLE`` lists them.

First-order statistics of the map, and the shape of what is above a threshold, in mm. A map is
looked at within ``REACH_MM`` of the predicted structure. An absent structure has 0 in all
features; every feature of every frame is finite.

Reference:
    Jungo et al., "Analyzing the quality and challenges of uncertainty estimations for brain
    tumor segmentation", Frontiers in Neuroscience 2020. https://doi.org/10.3389/fnins.2020.00282
    Ours: the list. The 102 features of PyRadiomics that the paper takes are in
    ``qc.estimators.uncertainty.radiomics.features``, worked out anew: PyRadiomics' last release
    (3.1.0) has no wheel for Python 3.10 and later and does not build from source in isolation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from qc.estimators.uncertainty_estimator import uncertainty_of
from qc.frames import Frame
from semiqc.measuring.masks import masks
from semiqc.measuring.measures import MM3_PER_ML
from semiqc.schemes import LabelScheme

Array = NDArray[np.float64]

REACH_MM = 10.0
"""How far from the structure an uncertain voxel may be an error in it."""
HIGH = 0.9
"""Quantile of the map that counts as its high end."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What lies in reach of a structure; voxels one after the other, ``[V]`` each.

    Args:
        entropy: In [0, 1].
        disagreement: In [0, 1].
        is_inside: Whether a voxel is predicted to be in the structure.
        depth_mm: Distance to the structure's border, in or out.
        is_uncertain: Whether the entropy is above the threshold.
        parts: Voxels of each connected part of what is uncertain.
        voxel_ml: Size of a voxel.
        slices: Of each voxel.
    """

    entropy: Array
    disagreement: Array
    is_inside: NDArray[np.bool_]
    depth_mm: Array
    is_uncertain: NDArray[np.bool_]
    parts: NDArray[np.intp]
    voxel_ml: float
    slices: NDArray[np.intp]


@dataclass(frozen=True)
class Feature:
    """One row of the table.

    Args:
        name: One word or two.
        unit: ``1`` for what has none.
        formula: In words and symbols.
        of: Works it out for a structure that is predicted.
    """

    name: str
    unit: str
    formula: str
    of: Callable[[Surroundings], float]


def _share(part: NDArray[np.generic], whole: NDArray[np.generic]) -> float:
    total = float(np.sum(whole))
    return float(np.sum(part)) / total if total else 0.0


def _mean(values: Array) -> float:
    return float(values.mean()) if len(values) else 0.0


def _largest_slice(near: Surroundings) -> float:
    inside = np.bincount(near.slices, near.entropy * near.is_inside)
    areas = np.bincount(near.slices, near.is_inside)
    return float((inside[areas > 0] / areas[areas > 0]).max())


TABLE = (
    Feature("mean", "1", "mean entropy in reach", lambda n: _mean(n.entropy)),
    Feature("spread", "1", "its standard deviation", lambda n: float(n.entropy.std())),
    Feature("high", "1", "its 90th percentile", lambda n: float(np.quantile(n.entropy, HIGH))),
    Feature("energy", "1", "root of its mean square",
            lambda n: float(np.sqrt(_mean(n.entropy**2)))),
    Feature("inside", "1", "mean entropy in the structure",
            lambda n: _mean(n.entropy[n.is_inside])),
    Feature("outside", "1", "mean entropy around it", lambda n: _mean(n.entropy[~n.is_inside])),
    Feature("worst slice", "1", "mean inside of the slice where it is largest", _largest_slice),
    Feature("sum", "1", "entropy in reach / voxels inside",
            lambda n: _share(n.entropy, n.is_inside)),
    Feature("votes", "1", "mean disagreement inside",
            lambda n: _mean(n.disagreement[n.is_inside])),
    Feature("all votes", "1", "disagreement in reach / voxels inside",
            lambda n: _share(n.disagreement, n.is_inside)),
    Feature("volume", "ml", "of the structure", lambda n: n.is_inside.sum() * n.voxel_ml),
    Feature("uncertain", "ml", "of what is uncertain",
            lambda n: n.is_uncertain.sum() * n.voxel_ml),
    Feature("ratio", "1", "uncertain voxels / voxels inside",
            lambda n: _share(n.is_uncertain, n.is_inside)),
    Feature("core", "1", "share of the structure that is uncertain",
            lambda n: _share(n.is_uncertain & n.is_inside, n.is_inside)),
    Feature("depth", "mm", "mean distance of the uncertain from the border",
            lambda n: _mean(n.depth_mm[n.is_uncertain])),
    Feature("deepest", "mm", "largest such distance",
            lambda n: float(n.depth_mm[n.is_uncertain].max(initial=0))),
    Feature("clump", "1", "largest part of the uncertain / all of it",
            lambda n: _share(n.parts.max(initial=0), n.parts)),
)  # fmt: skip
"""Ten of first order, seven of shape."""


@dataclass(frozen=True, eq=False)
class Reach:
    """Where errors of a structure that is predicted may lie.

    Args:
        box: Of the frame; what follows lies in it.
        is_inside: Whether a voxel is predicted to be in the structure, ``[Z', Y', X']``.
        is_near: Whether it is, or lies within ``REACH_MM``, likewise.
        depth_mm: Distance from each voxel to the nearest on the other side of the border,
            likewise; ``REACH_MM`` where the structure fills the frame.
    """

    box: tuple[slice, ...]
    is_inside: NDArray[np.bool_]
    is_near: NDArray[np.bool_]
    depth_mm: Array


def reaches_of(frame: Frame, scheme: LabelScheme) -> list[Reach | None]:
    """The reach of each structure; None where it is not predicted."""
    return [_reach(mask, frame.spacing) for mask in masks(frame.labels, scheme)]


def _reach(mask: NDArray[np.bool_], spacing: tuple[float, float, float]) -> Reach | None:
    if not mask.any():
        return None
    found = [np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    margins = (int(REACH_MM / mm) + 1 for mm in spacing)
    box = tuple(
        slice(max(0, int(filled[0]) - margin), int(filled[-1]) + margin + 1)
        for filled, margin in zip(found, margins, strict=True)
    )
    inside = mask[box]
    if inside.all():
        return Reach(box, inside, inside, np.full(inside.shape, REACH_MM))
    depth = ndimage.distance_transform_edt(inside, spacing)
    depth += ndimage.distance_transform_edt(~inside, spacing)
    return Reach(box, inside, inside | (depth <= REACH_MM), depth)


def near_structures(reaches: Sequence[Reach | None], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where errors of each structure may lie, ``[S, Z, Y, X]``; anywhere where it is absent."""
    near = np.zeros((len(reaches), *shape), dtype=bool)
    for number, reach in enumerate(reaches):
        if reach is None:
            near[number] = True
        else:
            near[number][reach.box] = reach.is_near
    return near


def uncertainty_features(
    frame: Frame, reaches: Sequence[Reach | None], thresholds: Array
) -> Array:
    """The features of one frame, ``[S, len(TABLE)]``.

    Args:
        frame: With uncertainty.
        reaches: Of each structure, as ``reaches_of`` gives them.
        thresholds: Entropy above which a voxel is uncertain, for each structure, ``[S]``.
    """
    uncertainty = uncertainty_of(frame)
    entropy = np.asarray(uncertainty.entropy[0], dtype=np.float64)
    disagreement = np.asarray(uncertainty.disagreement[0], dtype=np.float64)
    found = np.zeros((len(reaches), len(TABLE)))
    for number, reach in enumerate(reaches):
        if reach is not None:
            near = _surroundings(
                reach, entropy, disagreement, float(thresholds[number]), frame.spacing
            )
            found[number] = [feature.of(near) for feature in TABLE]
    return found


def _surroundings(
    reach: Reach,
    entropy: Array,
    disagreement: Array,
    threshold: float,
    spacing: tuple[float, float, float],
) -> Surroundings:
    near = reach.is_near
    entropy, disagreement = entropy[reach.box], disagreement[reach.box]
    uncertain = near & (entropy > threshold)
    parts, _ = ndimage.label(uncertain)
    return Surroundings(
        entropy[near],
        disagreement[near],
        reach.is_inside[near],
        reach.depth_mm[near],
        uncertain[near],
        np.bincount(parts.ravel())[1:],
        float(np.prod(spacing)) / MM3_PER_ML,
        np.nonzero(near)[0],
    )
