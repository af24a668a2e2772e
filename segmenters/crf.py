"""A dense conditional random field that draws predictions towards the edges of the image.

Every pair of pixels of a slice that lie near each other pulls towards one label: by closeness
alone (smoothness), and by closeness and alike intensity (appearance). Mean-field inference
gives the class probabilities that balance this against the segmenter's own.

Reference:
    Krähenbühl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
    potentials", NIPS 2011. https://arxiv.org/abs/1210.5644
    Bai et al., "Semi-supervised learning for network-based cardiac MR image segmentation",
    MICCAI 2017, refine pseudo-labels so. https://doi.org/10.1007/978-3-319-66185-8_29
    Ours: kernels summed exactly rather than on a permutohedral lattice, the appearance kernel
    out to ``REACH`` standard deviations. The ventricles share one intensity, so that pulls
    across the whole image would mean little.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from semiqc.schemes import BACKGROUND

REACH = 2.0
"""Standard deviations at which the appearance kernel ends, at 14 % of its peak."""

SMOOTHNESS_REACH = 3.0
"""Likewise of the smoothness kernel, which costs less: 1 % of its peak."""

LEAST_PROBABILITY = 1e-6
"""What a probability of 0 counts as: certain, yet not beyond all argument."""

LEAST_EXPONENT = -30.0
"""Of the appearance kernel: a bond of a ten million millionth."""

CERTAIN = 0.99
"""Probability above which background far from anything else is left as it is."""

Pairs = tuple[tuple[slice, slice], tuple[slice, slice], torch.Tensor]
"""The pixels at both ends of one offset, and how strongly they are bound, ``[Z, 1, Y', X']``."""


@dataclass(frozen=True)
class CRF:
    """Refines class probabilities slice by slice; kernels are normalised symmetrically.

    Lengths are in pixels: a store holds its studies at one in-plane spacing, and about 1.5 mm
    suit the defaults. With normalised kernels, a weight is what a unanimous neighbourhood adds to
    a label's log-probability.

    Args:
        smoothness: Weight of the smoothness kernel.
        smoothness_sd: Its standard deviation, in pixels.
        appearance: Weight of the appearance kernel.
        appearance_sd: Its standard deviation in space, in pixels.
        intensity_sd: Its standard deviation in intensity, as a share of the range between the
            1st and the 99th percentile of the image. The authors' example has 13 of 255 grey
            values.
        iterations: Mean-field updates; Krähenbühl and Koltun see convergence within ten.

    Raises:
        ValueError: If a weight or the number of iterations is negative, or a standard deviation
            not positive.
    """

    smoothness: float = 2.0
    smoothness_sd: float = 1.5
    appearance: float = 4.0
    appearance_sd: float = 3.0
    intensity_sd: float = 0.05
    iterations: int = 5

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0 or (value == 0 and name.endswith("_sd")):
                least = "above 0" if name.endswith("_sd") else "at least 0"
                raise ValueError(f"{name} must be {least}, got {value}")

    @torch.inference_mode()
    def __call__(
        self, image: NDArray[np.float32], probabilities: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Refined probabilities, ``[C, Z, Y, X]``, summing to 1 over ``C``.

        Args:
            image: Intensities of one frame, ``[M, Z, Y, X]``.
            probabilities: Of each class, ``[C, Z, Y, X]``.

        Raises:
            ValueError: If the two do not lie on the same voxels.
        """
        if image.ndim != 4 or probabilities.shape[1:] != image.shape[1:]:
            raise ValueError(
                f"probabilities have shape {probabilities.shape}, expected [C, Z, Y, X] on an"
                f" image [M, Z, Y, X] of shape {image.shape}"
            )
        refined = np.array(probabilities, dtype=np.float32)
        refined /= refined.sum(axis=0)
        reach = math.ceil(REACH * max(self.smoothness_sd, self.appearance_sd))
        box = _around(refined[BACKGROUND] < CERTAIN, reach)
        if box is None:
            return refined
        features = _scaled(np.asarray(image, dtype=np.float32), self.intensity_sd)[:, :, *box]
        given = torch.from_numpy(refined[:, :, *box]).movedim(0, 1).clamp(min=LEAST_PROBABILITY)
        refined[:, :, *box] = self._mean_field(features, given.log()).movedim(1, 0).numpy()
        return refined

    def _mean_field(self, features: torch.Tensor, log_unary: torch.Tensor) -> torch.Tensor:
        """Probabilities ``[Z, C, Y, X]`` after all updates."""
        pairs = list(_bound(features, self.appearance_sd)) if self.appearance else []
        scales = _per_degree(pairs, log_unary.shape)
        belief = log_unary.softmax(dim=1)
        for _ in range(self.iterations):
            pull = log_unary.clone()
            if self.smoothness:
                pull += self.smoothness * _smoothed(belief, self.smoothness_sd)
            if pairs:
                pull += self.appearance * scales * _gathered(pairs, scales * belief)
            belief = pull.softmax(dim=1)
        return belief


def _around(unsure: NDArray[np.bool_], margin: int) -> tuple[slice, slice] | None:
    """Rows and columns of ``[Z, Y, X]`` that hold all that is unsure; None where nothing is."""
    if not unsure.any():
        return None
    found = [np.flatnonzero(unsure.any(axis=others)) for others in ((0, 2), (0, 1))]
    rows, columns = (slice(max(0, int(f[0]) - margin), int(f[-1]) + margin + 1) for f in found)
    return rows, columns


def _scaled(image: NDArray[np.float32], intensity_sd: float) -> torch.Tensor:
    """Intensities in standard deviations of the appearance kernel, ``[Z, M, Y, X]``."""
    low, high = np.percentile(image, (1, 99), axis=(1, 2, 3), keepdims=True)
    # An image of one intensity has no edges, whatever it is divided by.
    span = np.where(high > low, high - low, 1.0)
    return torch.from_numpy((image / (span * intensity_sd)).astype(np.float32)).movedim(0, 1)


def _bound(features: torch.Tensor, sd: float) -> Iterator[Pairs]:
    """Every offset within reach, one of each two opposite ones, with its kernel."""
    reach = math.floor(REACH * sd)
    height, width = features.shape[-2:]
    for down in range(min(reach, height - 1) + 1):
        for right in range(-min(reach, width - 1), min(reach, width - 1) + 1):
            distance = math.hypot(down, right)
            if distance > REACH * sd or (down, right) <= (0, 0):
                continue
            here = (slice(0, height - down), slice(max(0, -right), width - max(0, right)))
            there = (slice(down, height), slice(max(0, right), width - max(0, -right)))
            apart = features[:, :, *there] - features[:, :, *here]
            squared = apart.square_().sum(dim=1, keepdim=True)
            exponent = squared.add_((distance / sd) ** 2).mul_(-0.5)
            # Where the kernel is as good as nothing, numbers too small to be normal cost time.
            yield here, there, exponent.clamp_(min=LEAST_EXPONENT).exp_()


def _gathered(pairs: list[Pairs], values: torch.Tensor) -> torch.Tensor:
    """For each pixel the sum of its neighbours' values by the strength of their bond."""
    found = torch.zeros_like(values)
    for here, there, strength in pairs:
        found[:, :, *here].addcmul_(strength, values[:, :, *there])
        found[:, :, *there].addcmul_(strength, values[:, :, *here])
    return found


def _per_degree(pairs: list[Pairs], shape: torch.Size) -> torch.Tensor:
    """What a kernel is multiplied with on both sides to be normalised, ``[Z, 1, Y, X]``."""
    ones = torch.ones(shape[0], 1, *shape[2:])
    # A pixel unlike all others would otherwise be torn along by whatever is least unlike it: the
    # pixel itself belongs to the norm, as in the authors' own program.
    return (ones + _gathered(pairs, ones)).rsqrt()


def _smoothed(values: torch.Tensor, sd: float) -> torch.Tensor:
    """Gaussian-weighted sum of all other pixels, normalised; the kernel is separable."""
    scale = _blurred(torch.ones_like(values[:1, :1]), sd).rsqrt()
    scaled = scale * values
    return scale * (_blurred(scaled, sd) - scaled)


def _blurred(values: torch.Tensor, sd: float) -> torch.Tensor:
    for axis in (-2, -1):
        length = values.shape[axis]
        found = values.clone()
        for offset in range(1, min(math.ceil(SMOOTHNESS_REACH * sd), length - 1) + 1):
            height = math.exp(-0.5 * (offset / sd) ** 2)
            kept = length - offset
            found.narrow(axis, 0, kept).add_(values.narrow(axis, offset, kept), alpha=height)
            found.narrow(axis, offset, kept).add_(values.narrow(axis, 0, kept), alpha=height)
        values = found
    return values
