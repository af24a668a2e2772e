"""A ladder of networks from poor to good, whose segmentations have all qualities."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

import numpy as np

from qc.graded.models import check_samples, default_training, judged_by, modalities_of
from qc.graded.source import Made, Source
from segmenters import SEGMENTERS, NetworkSegmenter, TrainingSettings
from semiqc.schemes import LabelScheme
from semiqc.study import Study
from semiqc.work.bounds import Count, OpenShare, PositiveShare, Samples, Size, Steps


@dataclass(frozen=True)
class LadderRung:
    """What a network of the ladder is given.

    Args:
        width: Share of the filters.
        share: Share of the training studies.
        steps: Of the optimizer.
    """

    width: float
    share: float
    steps: int


@dataclass(frozen=True)
class CnnLadder(Source):
    """Twelve networks that differ in width, share of the training data and number of steps.

    Reference:
        Fournel et al., "Medical image segmentation automatic quality control: a
        multi-dimensional approach", Medical Image Analysis 2021, section 2 (twelve versions of a
        CNN, the three drawn at random). https://doi.org/10.1016/j.media.2021.102213
        Ours: the residual U-Net of ``segmenters``; ranges, which the paper does not give; widths
        and steps drawn evenly on a logarithmic scale, so that bad networks are not rare.

    Args:
        scheme: Classes to tell apart.
        rungs: Number of networks.
        families: Names in ``segmenters.SEGMENTERS``, by turns, such as ``[unet, trans_unet]`` for
            a transformer beside the U-Net, as Qiu et al. have nnFormer beside nnU-Net.
        strangers: Families that make a source of their own, ``stranger``, of the subjects held
            out alone, as Qiu et al. have DeepMedic: no estimator has learned from what they make.
        channels: Filters of each resolution level at full width.
        widths: Smallest and largest share of the filters; at least two are kept.
        shares: Smallest and largest share of the training studies; at least one is kept.
        steps: Fewest and most steps.
        dropout: Share of features dropped in training.
        samples: Of Monte-Carlo dropout, which give the segmentations uncertainty; 0 for none.
        training: How they are trained; its ``steps`` and ``seed`` do not count.
        seed: Of the draws and of the trainings.

    Raises:
        ValueError: If there is no rung, a range is empty or not positive, or samples are asked
            for without dropout.
    """

    takes_scheme: ClassVar[bool] = True
    can_leave_uncertainty: ClassVar[bool] = True

    scheme: LabelScheme
    rungs: Count = 12
    families: tuple[str, ...] = ("unet",)
    strangers: tuple[str, ...] = ()
    channels: tuple[Size, ...] = (16, 32, 64, 128, 256)
    widths: tuple[PositiveShare, PositiveShare] = (0.125, 1.0)
    shares: tuple[PositiveShare, PositiveShare] = (0.1, 1.0)
    steps: tuple[Steps, Steps] = (40, 1500)
    dropout: OpenShare = 0.0
    samples: Samples = 0
    training: TrainingSettings = field(default_factory=default_training)
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_families()
        if self.rungs < 1:
            raise ValueError(f"rungs must be at least 1, got {self.rungs}")
        for name in ("widths", "shares", "steps"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(f"{name} must be positive and in order, got {low} and {high}")
        if self.shares[1] > 1:
            raise ValueError(f"shares must not exceed 1, got {self.shares[1]}")
        check_samples(self.samples, self.dropout)

    def _check_families(self) -> None:
        for name, given in (("families", self.families), ("strangers", self.strangers)):
            unknown = {*given} - {*SEGMENTERS}
            if unknown or (not given and name == "families"):
                raise ValueError(
                    f"{name} must be some of {', '.join(SEGMENTERS)}, got"
                    f" {', '.join(given) or 'none'}"
                )
        if both := [name for name in self.strangers if name in self.families]:
            raise ValueError(f"strangers must not be among the families, got {', '.join(both)}")

    def of_strangers(self) -> Self | None:
        """The ladder of the strangers; None where there are none."""
        return replace(self, families=self.strangers, strangers=()) if self.strangers else None

    def rung(self, number: int) -> LadderRung:
        """What the network of a number, from 1, is given; the same in every fold."""
        rng = np.random.default_rng([self.seed, number])
        return LadderRung(
            width=math.exp(rng.uniform(*np.log(self.widths))),
            share=float(rng.uniform(*self.shares)),
            steps=round(math.exp(rng.uniform(*np.log(self.steps)))),
        )

    @property
    def training_steps(self) -> float:
        low, high = self.steps
        return (high - low) / math.log(high / low) if low < high else float(low)

    def with_training_steps(self, steps: int) -> Self:
        return replace(self, steps=(steps, steps))

    def make(self, train: Sequence[Study], judged: Sequence[Study]) -> Iterator[Made]:
        for name, segmenter, learned in self.fitted(train):
            yield from judged_by(
                segmenter, learned, judged, name, samples=self.samples, seed=self.seed
            )

    def fitted(
        self, train: Sequence[Study]
    ) -> Iterator[tuple[str, NetworkSegmenter, list[Study]]]:
        """Each network with its name, trained, and the studies that it learned from."""
        modalities = modalities_of(train)
        for number in range(1, self.rungs + 1):
            rung = self.rung(number)
            rng = np.random.default_rng([self.seed, number, len(train)])
            count = max(1, round(rung.share * len(train)))
            drawn = np.sort(rng.choice(len(train), count, replace=False))
            learned = [train[index] for index in drawn]
            segmenter = SEGMENTERS[self.families[(number - 1) % len(self.families)]](
                self.scheme,
                modalities,
                channels=tuple(max(2, round(n * rung.width)) for n in self.channels),
                dropout=self.dropout,
                training=replace(self.training, steps=rung.steps, seed=self.seed * 1_000 + number),
            ).fit(learned)
            yield f"ladder-{number:02d}", segmenter, learned
