"""Finding how one image lies in another, for many images at once."""

from semiqc.images.registration.affine import Volume, register_affine
from semiqc.images.registration.velocity import (
    exponential,
    jacobian,
    register_slices,
    warp,
    warp_labels,
)

__all__ = [
    "Volume",
    "exponential",
    "jacobian",
    "register_affine",
    "register_slices",
    "warp",
    "warp_labels",
]
