"""Dice with the nearest segmentation on a learned manifold of good ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from qc.base import ProgressCallback
from qc.estimators.frame_estimator import FRAMES_AT_ONCE, FrameEstimator, Judged, check_modalities
from qc.estimators.manifold.network import Pairs, PairVAE
from qc.estimators.manifold.pairs import Region, good_regions, pairs_of, region_of
from qc.estimators.manifold.path import Passed, Search, unwatched
from qc.estimators.manifold.training import PairTraining
from qc.estimators.network.weights import stored_weights, with_weights
from qc.frames import Frame, GradedFrame, frame_of
from qc.graded.balance import balanced_draw
from qc.isotonic import MonotoneCurve
from segmenters.device import AnyPrecision, Precision, device_here, make_fabric
from semiqc.measuring.masks import frame_dice, masks, slice_dice
from semiqc.measuring.means import means_of_known
from semiqc.schemes import BACKGROUND
from semiqc.study import Prediction
from semiqc.work.bounds import Rate, Share, Size, Steps, Weight

CALIBRATION_SHARE = 0.2
"""Of the studies, which the autoencoder then does not see."""
CALIBRATION_FRAMES = 128
"""To calibrate on, drawn even in Dice."""


@dataclass(kw_only=True, eq=False, repr=False)
class ManifoldSearch(FrameEstimator):
    """Compares a segmentation with its surrogate: the nearest good pair of image and segmentation.

    A variational autoencoder learns the manifold of good pairs from single slices of a region of
    interest. The search starts where the encoder puts the pair that is judged, and follows the
    gradient of its reconstruction loss. What is segmented outside the region agrees with
    nothing; a structure that is not segmented has Dice 0.

    Equation:
        z* = argmin_z CE(decoded segmentation(z), segmentation) + w |decoded image(z) - image|²
        dice = calibrated dice(segmentation, decoded segmentation(z*))

    Fails:
        On anatomy that the good pairs did not show, whose surrogate is someone else's heart; near
        Dice 1, for the surrogate is smooth; it is slow.

    Reference:
        Wang et al., "Deep generative model-based quality control for cardiac MRI segmentation",
        MICCAI 2020. https://doi.org/10.1007/978-3-030-59719-1_9
        Im et al., "Denoising criterion for variational auto-encoding framework", AAAI 2017: an
        encoder that sees a spoilt input. https://arxiv.org/abs/1511.06406
        Ours: all structures at once; all terms of the loss are means, the divergence one over
        the latent dimensions where the paper's formula sums, so that ``beta`` .01 with 8
        dimensions is .00125 in the paper's terms (``beta / latent``); the paper does not say over
        what its other terms are taken; the region
        lies around the segmentation's median voxel and its 1st and 99th percentiles become 0 and
        1; augmentation; the encoder is shown segmentations that were lost, confused, shifted or
        holed, and so starts the search nearer to a good pair; a fixed number of steps with a
        falling learning rate instead of early stopping; Adam in the search, where the image
        weighs more; good predictions as further pairs; the calibration.

    Args:
        scheme: Label values and structures of the predictions it judges.
        modalities: Of the images.
        size: Rows and columns of the region; multiples of 16.
        latent: Dimension of the latent space.
        beta: Weight of the divergence in training.
        width: Filters of the first convolution.
        steps: Of the optimizer.
        batch_size: Slices in a step.
        learning_rate: Of Adam in training, at its highest.
        augmentation: Probability of each change to a pair.
        spoiling: Probability that the encoder is shown a pair with its segmentation spoilt; 0 in
            the paper.
        min_dice: Predictions of at least this mean Dice are learned from, too; None for
            references only.
        search_steps: At most.
        search_rate: Learning rate of the search.
        tolerance: Share of its loss by which a pair must improve within five steps.
        image_weight: Of the squared error of the image beside the segmentation's cross-entropy
            in the search; 1 in the paper.
        calibrate: Map the Dice with the surrogate of a frame to the true one, by an isotonic
            curve for each structure, learned from a fifth of the studies; those of slices stay
            as they are.
        seed: Of weights, batches and augmentation.
        device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it.
        precision: Likewise; ``bf16-mixed`` is faster where the processor knows bfloat16.
        judging: Precision of the search; ``auto`` is ``bf16-mixed`` where the device computes in
            bfloat16.

    Attributes:
        network_: The autoencoder.
        curves_: Calibration of each structure in the scheme's order, a rising line through
            points ``[2, P]``; none where it is not calibrated.
    """

    estimates_slices = True
    takes_modalities = True
    takes_seed = True

    modalities: int = 1
    size: tuple[Size, Size] = (96, 96)
    latent: Size = 8
    beta: Weight = 0.01
    width: Size = 16
    steps: Steps = 3000
    batch_size: Size = 16
    learning_rate: Rate = 2e-3
    augmentation: Share = 0.5
    spoiling: Share = 0.7
    min_dice: Share | None = None
    search_steps: Steps = 25
    search_rate: Rate = 0.2
    tolerance: Share = 0.005
    image_weight: Weight = 100.0
    calibrate: bool = False
    seed: int = 0
    device: str = "auto"
    precision: Precision = "32-true"
    judging: AnyPrecision = "auto"

    def surrogates(self, prediction: Prediction) -> NDArray[np.int8]:
        """What the manifold would have in place of a prediction, ``[T, Z, Y, X]``.

        A suggestion for its correction; as predicted outside the region of interest.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """
        check_is_fitted(self)
        found = []
        for first in range(0, prediction.frames, FRAMES_AT_ONCE):
            numbers = range(first, min(first + FRAMES_AT_ONCE, prediction.frames))
            frames = [frame_of(prediction, number) for number in numbers]
            for frame, (region, labels) in zip(frames, self._nearest(frames), strict=True):
                found.append(region.put_back(labels, frame.labels))
        return np.stack(found)

    def _learn(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        learned, kept = self._parted(frames)
        regions = good_regions(learned, self.scheme, self.size, self.min_dice)
        self.network_ = self._trained(pairs_of(regions), observe)
        self.curves_: list[NDArray[np.float64]] = []
        if self.calibrate:
            self.curves_ = self._curves(kept)

    def _parted(
        self, frames: Sequence[GradedFrame]
    ) -> tuple[list[GradedFrame], list[GradedFrame]]:
        """Frames to learn the manifold from, and others to calibrate on where that can be."""
        names = sorted({frame.whose for frame in frames})
        if not self.calibrate or len(names) == 1:
            return list(frames), list(frames)
        shuffled = np.random.default_rng(self.seed).permutation(names)
        kept = set(shuffled[: max(1, round(CALIBRATION_SHARE * len(names)))].tolist())
        parts: tuple[list[GradedFrame], list[GradedFrame]] = ([], [])
        for frame in frames:
            parts[frame.whose in kept].append(frame)
        return parts

    def _trained(self, pairs: Pairs, observe: ProgressCallback) -> PairVAE:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = self._network()
        training = PairTraining(
            steps=self.steps,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            beta=self.beta,
            augmentation=self.augmentation,
            spoiling=self.spoiling,
            mirror_axes=self.scheme.mirror_axes,
            seed=self.seed,
        )
        training.run(network, pairs, make_fabric(self.device, self.precision), observe)
        return network.eval().cpu()

    def _curves(self, frames: Sequence[GradedFrame]) -> list[NDArray[np.float64]]:
        dice = np.stack([frame.dice(self.scheme) for frame in frames])
        rng = np.random.default_rng(self.seed)
        means = means_of_known(dice, axis=1, unknown=0.0)
        drawn = np.unique(balanced_draw(means, CALIBRATION_FRAMES, rng))
        estimated = np.stack([self._judge([frames[n].frame()])[0].dice for n in drawn])
        return [curve(*columns) for columns in zip(estimated.T, dice[drawn].T, strict=True)]

    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        pairs = zip(frames, self._nearest(frames), strict=True)
        return [self._compared(frame.labels, *nearest) for frame, nearest in pairs]

    def _compared(
        self, labels: NDArray[np.int8], region: Region, surrogate: NDArray[np.int8]
    ) -> Judged:
        nothing = np.full_like(labels, BACKGROUND)
        predicted = masks(labels, self.scheme)
        near = masks(region.put_back(surrogate, nothing), self.scheme)
        dice = np.nan_to_num(frame_dice(predicted, near))
        for number, line in enumerate(self.curves_):
            dice[number] = np.interp(dice[number], *line)
        is_there = predicted.any(axis=(-3, -2, -1))
        return Judged(np.where(is_there, dice, 0), slice_dice=slice_dice(predicted, near))

    def _nearest(self, frames: Sequence[Frame]) -> list[tuple[Region, NDArray[np.int8]]]:
        """The region of each frame, and the surrogate in it, ``[Z, Y, X]``."""
        check_modalities(frames, self.modalities)
        regions = [region_of(frame.image, frame.labels, self.size) for frame in frames]
        _, labels = self.decoded(self.searched(pairs_of(regions)))
        ends = np.cumsum([len(region.labels) for region in regions])[:-1]
        return list(zip(regions, np.split(labels, ends), strict=True))

    def searched(self, pairs: Pairs, passed: Passed = unwatched) -> Tensor:
        """Where the search ends for each pair, ``[B, latent]``.

        Args:
            pairs: Slices of regions of interest.
            passed: Told where the search is, at each step.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """
        check_is_fitted(self)
        fabric = make_fabric(self.device, self.judging)
        network = self.network_.to(fabric.device)
        search = Search(self.search_steps, self.search_rate, self.tolerance, self.image_weight)
        given = pairs.on(fabric)
        with torch.no_grad(), fabric.autocast():
            start, _ = network.encode(given)
            return search.run(network.decode, start, given, passed)

    def search_paths(self, prediction: Prediction, frame: int) -> list[NDArray[np.float64]]:
        """Where the search for each slice of a frame goes, from its start: ``[S, latent]`` each.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """
        seen = frame_of(prediction, frame)
        region = region_of(seen.image, seen.labels, self.size)
        paths: list[list[NDArray[np.float64]]] = [[] for _ in region.labels]

        def keep(items: Tensor, latents: Tensor) -> None:
            for item, latent in zip(items.tolist(), latents.double().cpu().numpy(), strict=True):
                paths[item].append(latent)

        self.searched(pairs_of([region]), keep)
        return [np.stack(path) for path in paths]

    def decoded(self, latents: Tensor) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
        """The pairs at ``[B, latent]``: images ``[B, M, Y, X]`` in [0, 1], labels ``[B, Y, X]``.

        Raises:
            sklearn.exceptions.NotFittedError: If called before ``fit``.
        """
        check_is_fitted(self)
        fabric = make_fabric(self.device, self.judging)
        with torch.no_grad(), fabric.autocast():
            images, logits = self.network_.to(fabric.device).decode(fabric.to_device(latents))
        return images.cpu().numpy(), logits.argmax(dim=1).to(torch.int8).cpu().numpy()

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        stored = stored_weights(self.network_, "network")
        return stored | {f"curves/{number}": line for number, line in enumerate(self.curves_)}

    def _take(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.device = device_here(self.device)
        self.network_ = with_weights(self._network(), arrays, "network")
        structures = len(self.scheme.structures) if self.calibrate else 0
        self.curves_ = [
            np.asarray(arrays[f"curves/{number}"], np.float64) for number in range(structures)
        ]

    def _network(self) -> PairVAE:
        return PairVAE(
            self.modalities, len(self.scheme.classes), self.size, self.latent, self.width
        )


def curve(estimated: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points of the rising line ``[2, P]`` that brings estimates nearest to true Dice, ``[N]``.

    Where no true Dice is known, the line leaves estimates as they are.
    """
    if not np.isfinite(true).any():
        return np.array([[0.0, 1.0], [0.0, 1.0]])
    fitted = MonotoneCurve.of(estimated, true, rising=True)
    return np.stack([fitted.signals, fitted.values])
