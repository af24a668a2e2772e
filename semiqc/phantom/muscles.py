"""Papillary muscles and trabeculae: muscle within the cavity of the left ventricle.

They are in the image of every heart. By the convention of ACDC and of most readers their voxels
are cavity, so that a contour of the blood pool runs along the compact wall. Others leave them out
of it, and what a segmenter makes of them depends on whom it learned from.

Reference:
    Schulz-Menger et al., "Standardized image interpretation and post-processing in
    cardiovascular magnetic resonance - 2020 update", JCMR 2020: both conventions.
    https://doi.org/10.1186/s12968-020-00610-6
"""

from typing import Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.anatomy import Papillary
from semiqc.phantom.heart import ANGLES
from semiqc.phantom.tissue import Image, texture
from semiqc.schemes import SHORT_AXIS, LabelScheme, Measure, Structure

Muscles = Literal["cavity", "class", "none"]
"""``cavity``: in the image, and cavity in the reference; ``class``: a class of their own there;
``none``: not in the image either, whose reference stays that of ``cavity``."""

MUSCLE = 4
"""Label value of papillary muscles and trabeculae where they are a class."""

WITH_MUSCLES = LabelScheme(
    name="short-axis-papillary",
    classes=(*SHORT_AXIS.classes, "PAP"),
    structures=(
        Structure("LV", (3, MUSCLE), Measure.CAVITY),
        *SHORT_AXIS.structures[1:],
        Structure("PAP", (MUSCLE,), Measure.MASS),
    ),
    mirror_axes=SHORT_AXIS.mirror_axes,
)
"""The short axis with the muscles as a class, which count in the cavity as ever."""

TRABECULAE_LEVELS = 24
"""Of the tables of what is random along the long axis."""


def check_muscles(muscles: str, kind: str = "short-axis") -> Muscles:
    """The way to treat the muscles; where a kind of phantom has none there is only the usual.

    Raises:
        ValueError: Naming it.
    """
    known = get_args(Muscles)
    if muscles not in known:
        raise ValueError(f"unknown papillary '{muscles}'; known: {', '.join(known)}")
    if muscles != known[0] and kind != "short-axis":
        raise ValueError(f"papillary '{muscles}' is for short-axis phantoms, not for '{kind}'")
    return cast(Muscles, muscles)


def muscle_labels(labels: NDArray[np.int8], muscle: Image, lv: Image) -> NDArray[np.int8]:
    """The labels with ``MUSCLE`` where muscle fills more than half of the cavity in a voxel.

    Args:
        labels: Of ``SHORT_AXIS``, ``[Z, Y, X]``.
        muscle: Share of each voxel that is papillary muscle or trabeculae, likewise.
        lv: Share that lies within the endocardium, likewise.
    """
    is_muscle = (labels == SHORT_AXIS.structures[0].values[0]) & (2 * muscle > lv)
    return np.where(is_muscle, np.int8(MUSCLE), labels)


def trabeculae(rng: np.random.Generator) -> NDArray[np.float64]:
    """Depth of the trabeculae, relative to a typical one, ``[LEVELS, A]``: few deep, most flat."""
    coarse = texture(rng, (TRABECULAE_LEVELS, len(ANGLES)), (1.0, 9.0))
    fine = texture(rng, (TRABECULAE_LEVELS, len(ANGLES)), (0.8, 4.0))
    lateral = 0.55 - 0.45 * np.cos(ANGLES)
    return np.clip(0.8 * coarse + 0.6 * fine + 0.2, 0, None) * lateral


def bulge(along: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thickness of a papillary muscle along its length: 0 at both ends, 1 in the middle."""
    return np.asarray(np.sqrt(np.clip(1 - (2 * along - 1) ** 2, 0, None)))


def angle_of(papillary: Papillary) -> int:
    """Which of ``ANGLES`` a muscle lies at."""
    return round((papillary.angle + np.pi) / (2 * np.pi) * len(ANGLES)) % len(ANGLES)
