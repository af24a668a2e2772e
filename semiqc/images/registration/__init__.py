"""Finding how one image lies in another, for many images at once."""

from semiqc.images.registration.affine import Volume, register_affine
from semiqc.images.registration.velocity import exponential, register_slices, warp

__all__ = ["Volume", "exponential", "register_affine", "register_slices", "warp"]
