"""Quality by agreement with a segmenter that stands in for the reference."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from qc.base import ProgressCallback, unobserved
from qc.estimators.frame_estimator import FrameEstimator, Judged, check_modalities
from qc.estimators.network.weights import stored_weights, with_weights
from qc.estimators.second_opinion.comparing import SIGNALS, Comparison, Others
from qc.estimators.second_opinion.learning import folds_of, studies_of
from qc.frames import Frame, GradedFrame, by_image
from qc.isotonic import MonotoneCurve, curves_from, stored_curves
from qc.saving import arrays_below
from segmenters import TrainingSettings
from segmenters.device import AnyPrecision, device_here
from segmenters.starts import digest, start_of, suitable_start
from segmenters.training import AUTO
from segmenters.weights import write_weights
from semiqc.images.crop import CropBox
from semiqc.study import Study
from semiqc.work.bounds import Folds, Number, Rate, SeedNumber, Size

if TYPE_CHECKING:
    from segmenters.network import NetworkSegmenter

NETWORK, CURVES = "network", "curves"
"""What stored arrays begin with."""
IDENTITY = MonotoneCurve(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
"""Where nobody could be learned from: agreement as it is."""


@dataclass(kw_only=True, eq=False, repr=False)
class SecondOpinion(FrameEstimator):
    """Compares a segmentation with another segmenter's, which stands in for the reference.

    A U-Net of its own learns the references of the graded frames and segments each image anew.
    Dice with its labels and with its probabilities tell the true one by a monotone curve for each
    structure, learned by cross-fitting: frames meet a network that has not seen their subject.
    Where the graded frames are phantoms alone, no label of a patient is needed. It also tells
    surface Dice, Dice of slices, and where the two differ, by voxel.

    Equation:
        dice_s = mean of g_1(dice(segmentation, labels)) and g_2(dice(segmentation,
        probabilities)), g isotonic

    Fails:
        Where both make the same mistake, most of all where both began with the same weights or
        learned from the same images; where the other is the worse of the two, good segmentations
        rank by its mistakes.

    Reference:
        Hann et al., "Deep neural network ensemble for on-the-fly quality control-driven
        segmentation of cardiac MRI T1 mapping", Medical Image Analysis 2021 (Dice between
        segmentations of one image regressed on the true one).
        https://doi.org/10.1016/j.media.2021.102029
        Ours: one segmenter that only judges, instead of an ensemble whose best is chosen; Dice
        with probabilities beside labels, since they tell where the other is unsure; isotonic
        regression; cross-fitting by subject; error maps.

    Args:
        scheme: Label values and structures of the predictions it judges.
        modalities: Of the images.
        channels: Filters of each resolution level.
        normalisation: Of the features, ``batch`` or ``instance``; None for the network's usual.
        start: Weights to start from, as ``training.start``. ``auto`` is decided by the studies in
            runs and suites, and is ``scratch`` elsewhere.
        steps: Of the optimizer, for each network; 0 takes the weights of ``start`` as they are,
            and then all frames teach the curves.
        batch_size: Slices in a step.
        patch: Rows and columns of a slice in training, each a multiple of 16.
        learning_rate: Of AdamW at the start.
        calibrate: Learn curves from the graded frames. If not, or where these are of one subject
            alone, the agreement is the estimate.
        folds: Networks that are trained for the curves, each without a part of the subjects.
        mirror: Segment mirror images, too, along the axes that the label scheme allows.
        seed: Of weights, batches and augmentation.
        device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it.
        precision: Likewise; ``auto`` is ``bf16-mixed`` where the device computes in bfloat16.

    Attributes:
        segmenter_: The one that judges.
        curves_: By ``dice/SIGNAL/NAME`` and ``nsd/NAME`` of each structure.

    Raises:
        ValueError: From ``fit``, if there are no references and no weights to start from.
    """

    estimates_slices = True
    gives_error_maps = True
    takes_modalities = True
    takes_seed = True

    modalities: int = 1
    channels: tuple[Size, ...] = (16, 32, 64, 128, 256)
    normalisation: Literal["batch", "instance"] | None = None
    start: str = AUTO
    steps: Number = 400
    batch_size: Size = 12
    patch: tuple[Size, Size] = (128, 128)
    learning_rate: Rate = 2e-3
    calibrate: bool = True
    folds: Folds = 2
    mirror: bool = False
    seed: SeedNumber = 0
    device: str = "auto"
    precision: AnyPrecision = "auto"

    def suited_to(self, studies: Sequence[Study]) -> Self:
        if self.start != AUTO or not studies:
            return self
        changed: dict[str, Any] = {"start": suitable_start(self._blank(), studies)}
        return type(self)(**self.get_params(deep=False) | changed)

    def starts_from(self) -> Mapping[str, str]:
        return {"start": digest(start_of(self._blank(), ()))}

    def check(self) -> None:
        if len(self.channels) < 2:
            raise ValueError(f"channels must be of two levels at least, got {self.channels}")
        blank = self._blank()
        if not self.steps and start_of(blank, ()) is None:
            raise ValueError("steps: 0 needs weights to start from, such as start: phantom")

    def _blank(self, number: int = 0) -> "NetworkSegmenter":
        """A segmenter that has learned nothing; a number tells apart those of the folds."""
        # Whoever judges by other estimators needs no library of training.
        from segmenters import PlainUNet

        training = TrainingSettings(
            start=self.start,
            steps=max(1, self.steps),
            batch_size=self.batch_size,
            patch=self.patch,
            learning_rate=self.learning_rate,
            seed=self.seed * 1_000 + number,
            device=device_here(self.device),
            precision=self.precision,
        )
        return PlainUNet(
            self.scheme,
            self.modalities,
            channels=self.channels,
            normalisation=self.normalisation,
            standardise=True,
            focus=True,
            mirror=self.mirror,
            training=training,
        )

    def _learn(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        folds = self._folds(frames)
        total = self.steps * (len(folds) + 1) + len(frames)
        self.segmenter_ = self._trained(frames, 0, partial(_moved, observe, 0, total))
        pairs = []
        for number, fold in enumerate(folds, start=1):
            learned, met = (
                [one for at, one in enumerate(frames) if (at in fold) == is_met]
                for is_met in (False, True)
            )
            told = partial(_moved, observe, number * self.steps, total)
            pairs.append((self._trained(learned, number, told), met))
        self.curves_ = self._curves(pairs, partial(_moved, observe, total - len(frames), total))

    def finetuned(
        self, studies: Sequence[Study], *, steps: int = 400, seed: int = 0,
        observe: ProgressCallback = unobserved,
    ) -> Self:  # fmt: skip
        """The same whose segmenter went on learning, from more references; the curves stay.

        Args:
            studies: With labels, on the spacing that it learned.
            steps: Of the optimizer.
            seed: Of batches and augmentation.
            observe: Told the number of steps done, and of all.
        """
        settings = self.get_params(deep=False) | {"steps": steps, "seed": seed}
        found = type(self)(**settings)
        with TemporaryDirectory() as folder:
            start = Path(folder) / "start.safetensors"
            write_weights(self.segmenter_.network_, start, self.segmenter_.described())
            blank = type(self)(**settings | {"start": str(start)})._blank()
            blank.fit(studies, observe=lambda step, _: observe(step, steps))
        found.segmenter_ = found._blank()
        found.segmenter_.network_ = blank.network_
        found.curves_, found.rightly_absent_ = self.curves_, self.rightly_absent_
        return found

    def _folds(self, frames: Sequence[GradedFrame]) -> list[set[int]]:
        """Numbers of the frames that meet one network each, for the curves."""
        if not self.calibrate:
            return []
        if not self.steps:
            return [set(range(len(frames)))]
        return folds_of([one.whose for one in frames], self.folds)

    def _trained(
        self, frames: Sequence[GradedFrame], number: int, told: ProgressCallback
    ) -> "NetworkSegmenter":
        """A segmenter that has learned the references of frames."""
        blank = self._blank(number)
        if not self.steps:
            start = start_of(blank, ())
            if start is None:
                raise ValueError("steps: 0 needs weights to start from, such as start: phantom")
            return blank.load(start)
        return blank.fit(studies_of(frames), observe=lambda step, _: told(step, self.steps))

    def _curves(
        self,
        pairs: Sequence[tuple["NetworkSegmenter", Sequence[GradedFrame]]],
        told: ProgressCallback,
    ) -> dict[str, MonotoneCurve]:
        if not pairs:
            return dict.fromkeys(self._keys, IDENTITY)
        signals, quality = [], []
        for segmenter, frames in pairs:
            for frame, comparison in _compared(segmenter, frames):
                signals.append(np.column_stack([comparison.dice(), comparison.nsd()]))
                dice, nsd = frame.dice(self.scheme), frame.nsd(self.scheme)
                quality.append(np.stack([dice] * len(SIGNALS) + [nsd], axis=1))
                told(len(signals), len(signals))
        known, true = np.stack(signals), np.stack(quality)
        return {
            key: MonotoneCurve.of(known[:, part, kind], true[:, part, kind], rising=True)
            for key, (part, kind) in zip(self._keys, np.ndindex(known.shape[1:]), strict=True)
        }

    @property
    def _keys(self) -> list[str]:
        """Names of the curves: Dice by each signal and surface Dice, structure by structure."""
        kinds = [*(f"dice/{signal}" for signal in SIGNALS), "nsd"]
        return [f"{kind}/{one.name}" for one in self.scheme.structures for kind in kinds]

    @property
    def _others(self) -> Others:
        """What the fitted segmenter makes of images; it is made anew with another segmenter."""
        known: Others | None = getattr(self, "_known", None)
        if known is None or known.segmenter is not self.segmenter_:
            known = self._known = Others(self.segmenter_)
        return known

    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        check_modalities(frames, self.modalities)
        place = self._others.place_in(frames[0])
        return [self._judged(frame, place) for frame in frames]

    def _judged(self, frame: Frame, place: CropBox | None) -> Judged:
        comparison = self._others.of(frame, place).compared_with(frame)
        signals = np.column_stack([comparison.dice(), comparison.nsd()])
        pairs = zip(self._keys, signals.reshape(-1, 1), strict=True)
        told = np.concatenate([self.curves_[key](signal) for key, signal in pairs])
        # What is not segmented has a Dice of 0 wherever it is defined.
        is_there = np.any(comparison.judged, axis=(1, 2, 3), keepdims=True)[:, 0, 0]
        told = np.where(is_there, np.nan_to_num(told.reshape(signals.shape)), 0)
        dice = told[:, : len(SIGNALS)].mean(axis=1)
        return Judged(
            dice,
            told[:, len(SIGNALS)],
            reasons=comparison.reasons(dice, [one.name for one in self.scheme.structures]),
            slice_dice=comparison.slices(),
            error_maps=comparison.errors(),
        )

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        curves = {f"{CURVES}/{name}": one for name, one in stored_curves(self.curves_).items()}
        return stored_weights(self.segmenter_.network_, NETWORK) | curves

    def _take(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.segmenter_ = self._blank()
        self.segmenter_.network_ = with_weights(self.segmenter_.make(), arrays, NETWORK)
        self.curves_ = curves_from(arrays_below(CURVES, arrays))


def _compared(
    segmenter: "NetworkSegmenter", frames: Sequence[GradedFrame]
) -> Iterator[tuple[GradedFrame, Comparison]]:
    """Each graded frame beside what a segmenter makes of its image, which it does once."""
    others = Others(segmenter)
    for numbers in by_image(frames):
        frame = frames[numbers[0]].frame()
        other = others.of(frame, others.place_in(frame))
        for number in numbers:
            yield frames[number], other.compared_with(frames[number].frame())


def _moved(observe: ProgressCallback, before: int, total: int, done: int, _: int) -> None:
    observe(before + done, total)
