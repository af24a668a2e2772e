"""Hand-crafted features of the shape and the appearance of a segmentation.

``TABLE`` lists them. Each is reckoned for every structure of a scheme, of one frame: 14 features
of three structures are 42 numbers. Nothing here knows an anatomy. Intensities are taken as they
are, for studies come normalised; of several modalities the mean is looked at. An absent structure
has 0 in all features; every feature of every frame is finite.

Reference:
    Albà et al., "Automatic initialization and quality control of large-scale cardiac MRI
    segmentations", Medical Image Analysis 2018. https://doi.org/10.1016/j.media.2017.10.001
    Ours: the whole list. Only their number for a short axis, and that they describe shape and
    appearance, is as in the paper.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.estimators.svr import appearance, shape
from qc.estimators.svr.frame_batch import FrameBatch, batch_of
from qc.frames import Frame
from semiqc.schemes import LabelScheme


@dataclass(frozen=True)
class Feature:
    """One row of the table.

    Args:
        name: One word.
        unit: ``1`` for what has none.
        formula: In words and symbols.
        of: Works it out, ``[S, F]``.
    """

    name: str
    unit: str
    formula: str
    of: Callable[[FrameBatch], NDArray[np.float64]]


TABLE = (
    Feature("volume", "ml", "voxels times their size", shape.volume),
    Feature("share", "1", "voxels / voxels of all structures", shape.share),
    Feature("thickness", "mm", "2 area / perimeter, over all slices", shape.thickness),
    Feature("eccentricity", "1", "sqrt(1 - l2 / l1), mean by area", shape.eccentricity),
    Feature("integrity", "1", "voxels of the largest part / voxels", shape.integrity),
    Feature("topology", "1", "parts - holes, mean over filled slices", shape.topology),
    Feature("continuity", "1", "Dice between neighbouring slices", shape.continuity),
    Feature("drift", "mm", "centroid to centroid of the next slice, mean", shape.drift),
    Feature("adjacency", "1", "sides facing another structure / sides", shape.adjacency),
    Feature("level", "intensity", "mean", appearance.level),
    Feature("spread", "intensity", "standard deviation", appearance.spread),
    Feature("contrast", "1", "(inner ring - outer ring) / sd of both", appearance.contrast),
    Feature("mixture", "1", "sum of min(inner, outer histogram)", appearance.mixture),
    Feature("gradient", "intensity / mm", "|gradient| at the border, mean", appearance.gradient),
)
"""Nine of shape and five of appearance; the functions say more. Volume, the first, tells whether a
structure is present."""


def features(frame: Frame, scheme: LabelScheme) -> NDArray[np.float64]:
    """The features of one frame, ``[len(TABLE) * S]``, in the order of ``feature_names``."""
    values: NDArray[np.float64] = features_of([frame], scheme)[0]
    return values


def features_of(frames: Sequence[Frame], scheme: LabelScheme) -> NDArray[np.float64]:
    """The features of each frame, ``[F, len(TABLE) * S]``; those of one shape are done at once."""
    found = np.zeros((len(frames), len(TABLE) * len(scheme.structures)))
    alike: dict[tuple[object, ...], list[int]] = {}
    for number, frame in enumerate(frames):
        alike.setdefault((frame.image.shape, frame.spacing), []).append(number)
    for numbers in alike.values():
        batch = batch_of([frames[number] for number in numbers], scheme)
        values = np.stack([feature.of(batch) for feature in TABLE], axis=-1)
        found[numbers] = np.swapaxes(values, 0, 1).reshape(len(numbers), -1)
    return found


def feature_names(scheme: LabelScheme) -> tuple[str, ...]:
    """Such as ``LV volume``: all features of the first structure, then of the next."""
    return tuple(f"{part.name} {row.name}" for part in scheme.structures for row in TABLE)
