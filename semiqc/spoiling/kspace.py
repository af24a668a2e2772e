"""What a scanner would have measured of an image that is there, and the image of that."""

from collections.abc import Callable

import numpy as np
from scipy import fft

from semiqc.phantom.cine import normalised
from semiqc.phantom.scanner import KSpace, to_kspace
from semiqc.phantom.tissue import Image
from semiqc.study import Voxels

PHASE_AXES = (-2, -1)
"""Rows or columns: image axes along which the phase may have been encoded."""


def remeasured(image: Voxels, change: Callable[[KSpace], None], rng: np.random.Generator) -> Image:
    """An image whose k-space was changed, normalised as an imported one.

    One slice stands in k-space at a time. A modality that the study lacks stays 0. An image that
    was cropped wraps around at the border of the crop.

    Args:
        image: ``[M, T, Z, Y, X]``.
        change: Changes what was measured of one slice in all frames, ``[T, 1, Y, X]``, in place;
            the phase is encoded along ``Y``.
        rng: Draws whether the phase is encoded along rows or columns of the image.
    """
    axis = int(rng.choice(PHASE_AXES))
    found = np.zeros(image.shape, np.float32)
    for modality in range(image.shape[0]):
        if not np.ptp(image[modality]):
            continue
        lowest = np.float32(np.min(image[modality]))
        for plane in range(image.shape[2]):
            signal = np.swapaxes(
                np.asarray(image[modality, :, plane] - lowest, np.float32), axis, -2
            )
            measured = to_kspace(signal[:, None])
            change(measured)
            magnitude = np.abs(fft.ifft2(measured, axes=(-2, -1)))[:, 0]
            found[modality, :, plane] = np.swapaxes(magnitude, axis, -2)
        found[modality] = normalised(found[modality])
    return found
