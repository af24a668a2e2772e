"""Segmentations that a good network gives of images spoilt by noise."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from qc.graded.models import check_samples, default_training, judged_by, modalities_of
from qc.graded.source import Made, Source
from segmenters import TrainingSettings, UNet
from semiqc.schemes import LabelScheme
from semiqc.study import Study
from semiqc.work.bounds import Amount, OpenShare, Samples, Size


@dataclass(frozen=True)
class NoiseAttack(Source):
    """A U-Net that is given images with white noise of several variances.

    What is graded is the segmentation as one of the image without noise.

    Reference:
        Wang et al., "Deep generative model-based quality control for cardiac MRI segmentation",
        MICCAI 2020, section 3. https://doi.org/10.1007/978-3-030-59719-1_9
        Ours: the residual U-Net of ``segmenters``; variances, which the paper does not give, as
        multiples of the frame's own, so that they mean the same for every scanner.

    Args:
        scheme: Classes to tell apart.
        variances: Of the noise, as multiples of the variance of each frame and modality; 0 gives
            the network's segmentation of the image itself.
        channels: Filters of each resolution level.
        dropout: Share of features dropped in training.
        samples: Of Monte-Carlo dropout, which give the segmentations uncertainty; 0 for none.
        training: How the network is trained; its ``seed`` does not count.
        seed: Of the training and of the noise.

    Raises:
        ValueError: If there is no variance, or a negative one, or samples are asked for without
            dropout.
    """

    takes_scheme: ClassVar[bool] = True
    can_leave_uncertainty: ClassVar[bool] = True

    scheme: LabelScheme
    variances: tuple[Amount, ...] = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
    channels: tuple[Size, ...] = (16, 32, 64, 128, 256)
    dropout: OpenShare = 0.0
    samples: Samples = 0
    training: TrainingSettings = field(default_factory=default_training)
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.variances or min(self.variances) < 0:
            raise ValueError(f"variances must be some and none negative, got {self.variances}")
        check_samples(self.samples, self.dropout)

    @property
    def training_steps(self) -> float:
        return float(self.training.steps)

    def with_training_steps(self, steps: int) -> Self:
        return replace(self, training=replace(self.training, steps=steps))

    def make(self, train: Sequence[Study], judged: Sequence[Study]) -> Iterator[Made]:
        segmenter = UNet(
            self.scheme,
            modalities_of(train),
            channels=self.channels,
            dropout=self.dropout,
            training=replace(self.training, seed=self.seed),
        ).fit(train)
        for variance in self.variances:

            def noisy(
                study: Study, frame: int, image: NDArray[np.float32], variance: float = variance
            ) -> NDArray[np.float32]:
                key = [self.seed, crc32(study.name.encode()), frame]
                return with_noise(image, variance, np.random.default_rng(key))

            yield from judged_by(
                segmenter, train, judged, f"noise-{variance:g}",
                samples=self.samples, seed=self.seed, change=noisy,
            )  # fmt: skip


def with_noise(
    image: NDArray[np.float32], variance: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """An image ``[M, T, Z, Y, X]`` with white Gaussian noise.

    Args:
        image: Is left as it was.
        variance: Of the noise, as a multiple of the image's own, modality by modality.
        rng: Draws the noise.
    """
    deviation = image.std(axis=(1, 2, 3, 4), keepdims=True) * np.sqrt(variance)
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    noisy: NDArray[np.float32] = (image + deviation * noise).astype(np.float32)
    return noisy
