"""Segmentations taken along one slow training, from its first steps to its end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Self

import numpy as np

from qc.graded.models import check_samples, default_training, judged_by, modalities_of
from qc.graded.source import Made, Source
from segmenters import TrainingSettings, UNet, snapshot_file
from semiqc.schemes import LabelScheme
from semiqc.study import Study
from semiqc.work.bounds import Count, OpenShare, Rate, Samples, Size, Steps


@dataclass(frozen=True)
class Snapshots(Source):
    """A U-Net trained at a small learning rate, and judged at steps on the way.

    Reference:
        Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025, section 2.2.
        https://arxiv.org/abs/2412.07156
        Ours: the residual U-Net of ``segmenters``; a learning rate larger than the paper's 1e-6,
        for a training of fewer steps; snapshots that lie denser at the beginning, where the
        quality changes fastest.

    Args:
        scheme: Classes to tell apart.
        count: Number of snapshots, the last at the end.
        first: Step of the first one.
        channels: Filters of each resolution level.
        learning_rate: Of AdamW, at the start.
        dropout: Share of features dropped in training.
        samples: Of Monte-Carlo dropout, which give the segmentations uncertainty; 0 for none.
        training: How the network is trained; its ``learning_rate``, ``snapshots`` and ``seed``
            do not count.
        seed: Of the training.

    Raises:
        ValueError: If there is no snapshot, the first would come after the last step, or samples
            are asked for without dropout.
    """

    takes_scheme: ClassVar[bool] = True
    can_leave_uncertainty: ClassVar[bool] = True

    scheme: LabelScheme
    count: Count = 10
    first: Steps = 20
    channels: tuple[Size, ...] = (16, 32, 64, 128, 256)
    learning_rate: Rate = 2e-4
    dropout: OpenShare = 0.0
    samples: Samples = 0
    training: TrainingSettings = field(default_factory=default_training)
    seed: int = 0

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"count must be at least 1, got {self.count}")
        if not 1 <= self.first <= self.training.steps:
            raise ValueError(
                f"first must lie from 1 to the last step, {self.training.steps}, got {self.first}"
            )
        check_samples(self.samples, self.dropout)

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps at which a snapshot is taken; fewer than ``count`` where two would coincide."""
        wanted = np.geomspace(self.training.steps, self.first, self.count)
        return tuple(sorted({round(step) for step in wanted}))

    @property
    def training_steps(self) -> float:
        return float(self.training.steps)

    def with_training_steps(self, steps: int) -> Self:
        return replace(self, first=1, training=replace(self.training, steps=steps))

    def make(self, train: Sequence[Study], judged: Sequence[Study]) -> Iterator[Made]:
        segmenter = UNet(
            self.scheme,
            modalities_of(train),
            channels=self.channels,
            dropout=self.dropout,
            training=self._training(),
        )
        with TemporaryDirectory() as folder:
            segmenter.fit(train, folder=Path(folder))
            for step in self.steps:
                segmenter.load(Path(folder) / snapshot_file(step))
                yield from judged_by(
                    segmenter, train, judged, f"snapshots-{step}",
                    samples=self.samples, seed=self.seed,
                )  # fmt: skip

    def _training(self) -> TrainingSettings:
        """The settings of the training, with this source's rate, steps of snapshots and seed."""
        return replace(
            self.training,
            learning_rate=self.learning_rate,
            snapshots=self.steps,
            seed=self.seed,
        )
