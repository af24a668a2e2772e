"""What all estimators that are a network on image and segmentation share."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from qc.base import ProgressCallback
from qc.estimators.frame_estimator import FrameEstimator, Judged
from qc.frames import Frame, GradedFrame
from qc.graded.balance import balanced_draw
from segmenters.augmentation import Augmentation, augment
from segmenters.device import Precision, device_here, make_fabric
from semiqc.images.crop import Box, box_around, share_of_dice
from semiqc.images.prefetch import ahead
from semiqc.measuring.masks import masks
from semiqc.measuring.means import means_of_known
from semiqc.optimise import Report, optimise
from semiqc.schemes import BACKGROUND, UNLABELLED, LabelScheme

CLIP = 12.0
"""Largest norm of the gradient."""
REPORT_EVERY = 10
"""Steps between two reports."""
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Crops around segmentations, with what is known of them.

    Args:
        images: ``[B, M, Z, Y, X]`` float32.
        labels: Predicted classes, ``[B, Z, Y, X]`` int64.
        reference: Classes or ``UNLABELLED``, ``[B, Z, Y, X]`` int64; ``UNLABELLED`` where the
            crop reaches beyond the frame.
        dice: Of the frames, as far as they lie within the crop's rows and columns, ``[B, S]``; NaN
            where a structure is in neither.
        nsd: Likewise, where the estimator ``needs_nsd``; else NaN.
    """

    images: Tensor
    labels: Tensor
    reference: Tensor
    dice: Tensor
    nsd: Tensor


@dataclass(kw_only=True, eq=False, repr=False)
class NetworkEstimator(FrameEstimator):
    """Trains ``members`` networks, each from scratch, on batches that are even in Dice.

    A subclass builds the network, says its losses on a batch, and reads a ``Judged`` from its
    output; everything else is here. Networks see a box around the segmentation and tell of what
    is in it. What is segmented beyond its rows and columns counts as wrong; a structure of which
    nothing is segmented has a Dice of 0, whatever a network says.

    Args:
        scheme: Label values and structures of the predictions it judges.
        modalities: Of the images.
        size: Slices, rows and columns of the box around the segmentation. Of frames of more slices
            training shows as many evenly spread ones; all of them are judged.
        steps: Of the optimizer, for each member.
        batch_size: Frames in a step.
        learning_rate: Of AdamW at its highest.
        weight_decay: Of AdamW.
        members: Networks whose estimates are averaged.
        augmentation: What is done to the crops.
        seed: Of weights, batches and augmentation.
        device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it.
        precision: Likewise; ``bf16-mixed`` is faster where the processor knows bfloat16.

    Attributes:
        networks_: One per member.
    """

    needs_reference = True
    """Whether it learns from voxels of the reference, and not from Dice alone."""

    needs_nsd = False
    """Whether the surface Dice is learned, which takes longer to work out than the rest."""

    modalities: int = 1
    size: tuple[int, int, int] = (8, 96, 96)
    steps: int = 600
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    members: int = 1
    augmentation: float = 0.3
    seed: int = 0
    device: str = "auto"
    precision: Precision = "32-true"

    @abstractmethod
    def _network(self) -> nn.Module:
        """A network with random weights, from ``[B, M + C, Z, Y, X]`` to what is read below."""

    @abstractmethod
    def _losses(self, output: object, batch: Batch) -> dict[str, Tensor]:
        """Named terms that are minimised, of the network's output on a batch."""

    @abstractmethod
    def _read(
        self, outputs: Sequence[object], frames: Sequence[Frame], boxes: Sequence[Box]
    ) -> list[Judged]:
        """What the outputs of all members say of each frame within its box."""

    def check(self) -> None:
        for name in ("width", "steps", "batch_size", "members"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if min(self.size) < 1:
            raise ValueError(f"size must be at least 1 voxel each way, got {self.size}")
        self._fabric()
        given = self.modalities + len(self.scheme.classes)
        try:
            with torch.device("meta"), torch.no_grad():
                self._network()(torch.zeros(2, given, *self.size))
        except RuntimeError as error:
            raise ValueError(f"size {self.size} does not suit the network: {error}") from error

    def _learn(self, frames: Sequence[GradedFrame], observe: ProgressCallback) -> None:
        dice = np.stack([frame.dice(self.scheme) for frame in frames])
        nsd = np.full_like(dice, np.nan)
        if self.needs_nsd:
            nsd = np.stack([frame.nsd(self.scheme) for frame in frames])
        known = _Known(frames, dice, nsd)
        self.networks_: list[nn.Module] = []
        for member in range(self.members):
            done = partial(_steps_done, observe, member * self.steps, self.members * self.steps)
            self.networks_.append(self._trained(known, self.seed * 1_000 + member, done))

    def _trained(self, known: "_Known", seed: int, report: Report) -> nn.Module:
        fabric = self._fabric()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._network()
        optimizer = torch.optim.AdamW(
            network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        wrapped, optimizer = fabric.setup(network, optimizer)
        step = _Regression(self, wrapped, fabric, seed)
        network.train()
        optimise(
            step,
            ahead(self._batches(known, seed)),
            optimizer,
            report=report,
            report_every=REPORT_EVERY,
            seed=seed,
            schedule=self._rate,
            clip=CLIP,
            fabric=fabric,
        )
        return network.eval().cpu()

    def _rate(self, step: int) -> float:
        done = step / self.steps
        return self.learning_rate * min(1.0, done / WARM_UP) * (1 - 0.99 * done)

    def _batches(self, known: "_Known", seed: int) -> Iterator[Batch]:
        mean_dice = means_of_known(known.dice, axis=1, unknown=0.0)
        for step in range(1, self.steps + 1):
            rng = np.random.default_rng([seed, step])
            drawn = balanced_draw(mean_dice, self.batch_size, rng)
            yield self._batch(known, drawn)

    def _batch(self, known: "_Known", drawn: NDArray[np.intp]) -> Batch:
        images, labels, references, shares = [], [], [], []
        for index in drawn:
            graded = known.frames[index]
            frame, reference = graded.frame(), self._reference(graded)
            box = box_around(frame.labels, self.size)
            images.append(box.cut(frame.image, 0))
            labels.append(box.cut(frame.labels, BACKGROUND))
            references.append(box.cut(reference, UNLABELLED))
            shares.append(share_of_dice(*_areas(frame, box, self.scheme).sum(axis=-1)))
        share = np.where(np.array(shares) > 0, shares, np.nan)
        dice, nsd = (np.minimum(of[drawn] / share, 1) for of in (known.dice, known.nsd))
        return Batch(
            images=torch.from_numpy(np.stack(images)),
            labels=torch.from_numpy(np.stack(labels)).long(),
            reference=torch.from_numpy(np.stack(references)).long(),
            dice=torch.from_numpy(dice).float(),
            nsd=torch.from_numpy(nsd).float(),
        )

    def _reference(self, graded: GradedFrame) -> NDArray[np.int8]:
        if graded.graded.reference is None and not self.needs_reference:
            return np.full(graded.graded.prediction.labels.shape[1:], UNLABELLED, dtype=np.int8)
        return graded.reference()

    @torch.no_grad()
    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        self._check(frames)
        fabric = self._fabric()
        boxes = [self.box_of(frame) for frame in frames]
        pairs = list(zip(frames, boxes, strict=True))
        images = np.stack([box.cut(frame.image, 0) for frame, box in pairs])
        labels = np.stack([box.cut(frame.labels, BACKGROUND) for frame, box in pairs])
        given = fabric.to_device(
            network_input(torch.from_numpy(images), torch.from_numpy(labels).long(), self.scheme)
        )
        with fabric.autocast():
            outputs = [network.to(fabric.device)(given) for network in self.networks_]
        judged = zip(self._read(outputs, frames, boxes), frames, boxes, strict=True)
        return [_with_beyond(*of_frame, self.scheme) for of_frame in judged]

    def box_of(self, frame: Frame) -> Box:
        """The part of a frame that is judged, with all of its slices."""
        slices = max(self.size[0], len(frame.labels))
        return box_around(frame.labels, (slices, *self.size[1:]))

    def dice_told(self, output: object, given: Tensor) -> Tensor:
        """What ``qc.explain`` explains: numbers that rise with the Dice of each structure.

        Args:
            output: Of one network.
            given: That the network saw, ``[B, M + C, Z, Y, X]``.

        Returns:
            ``[B, S]``, by which gradients flow back.
        """
        return cast(Tensor, output)[:, : len(self.scheme.structures)]

    def _check(self, frames: Sequence[Frame]) -> None:
        for frame in frames:
            if len(frame.image) != self.modalities:
                raise ValueError(
                    f"{frame.study}: {len(frame.image)} modalities, expected {self.modalities}"
                )

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        return {
            f"networks/{number}/{name}": tensor.detach().cpu().numpy()
            for number, network in enumerate(self.networks_)
            for name, tensor in network.state_dict().items()
        }

    def _take(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.device = device_here(self.device)
        self.networks_ = []
        for member in range(self.members):
            start = f"networks/{member}/"
            state = {
                name.removeprefix(start): torch.from_numpy(np.array(array))
                for name, array in arrays.items()
                if name.startswith(start)
            }
            network = self._network()
            network.load_state_dict(state)
            self.networks_.append(network.eval())

    def _fabric(self) -> Fabric:
        return make_fabric(self.device, self.precision)


@dataclass(frozen=True, eq=False)
class _Known:
    """Frames with their true Dice and surface Dice, ``[N, S]``."""

    frames: Sequence[GradedFrame]
    dice: NDArray[np.float64]
    nsd: NDArray[np.float64]


class _Regression:
    """A step of an estimator's network on an augmented batch."""

    def __init__(
        self, estimator: NetworkEstimator, network: nn.Module, fabric: Fabric, seed: int
    ) -> None:
        self.estimator = estimator
        self.network = network
        self.fabric = fabric
        self.seed = seed

    def losses(self, batch: Batch, iteration: int) -> dict[str, Tensor]:
        estimator = self.estimator
        moved = _augmented(batch, estimator.augmentation, estimator.scheme, self.seed + iteration)
        batch = Batch(*(self.fabric.to_device(tensor) for tensor in vars(moved).values()))
        given = network_input(batch.images, batch.labels, estimator.scheme)
        return estimator._losses(self.network(given), batch)

    def after_update(self) -> None:
        pass


def _areas(frame: Frame, box: Box, scheme: LabelScheme) -> NDArray[np.int64]:
    """Voxels of each structure and slice in the box, and anywhere: ``[2, S, Z]``."""
    predicted = masks(frame.labels, scheme)
    return np.stack([box.within(predicted).sum((-2, -1)), predicted.sum((-2, -1))])


def _with_beyond(judged: Judged, frame: Frame, box: Box, scheme: LabelScheme) -> Judged:
    """What is said of a frame once what is segmented beyond the box counts too."""
    within, whole = _areas(frame, box, scheme)
    share = share_of_dice(within.sum(axis=-1), whole.sum(axis=-1))
    of_slices, maps = judged.slice_dice, judged.error_maps
    if of_slices is not None:
        is_seen = (within > 0) | (whole == 0)
        by_slice = np.where(whole > 0, share_of_dice(within, whole), 1)
        of_slices = np.where(is_seen, of_slices * by_slice, 0)
    if maps is not None and (within < whole).any():
        is_wrong = masks(frame.labels, scheme)
        box.within(is_wrong)[:] = False
        maps = np.where(is_wrong, np.float16(1), maps)
    return replace(
        judged,
        dice=judged.dice * share,
        nsd=None if judged.nsd is None else judged.nsd * share,
        slice_dice=of_slices,
        error_maps=maps,
    )


def _steps_done(
    observe: ProgressCallback, before: int, total: int, step: int, values: Mapping[str, float]
) -> None:
    observe(before + step, total)


def network_input(images: Tensor, labels: Tensor, scheme: LabelScheme) -> Tensor:
    """Images ``[B, M, Z, Y, X]`` and labels ``[B, Z, Y, X]``, one-hot, as ``[B, M + C, ...]``."""
    classes = torch.arange(len(scheme.classes), device=labels.device)
    one_hot = labels.unsqueeze(1) == classes.view(1, -1, 1, 1, 1)
    return torch.cat([images, one_hot.to(images.dtype)], dim=1)


def masks_in(given: Tensor, scheme: LabelScheme) -> Tensor:
    """Where each structure is, ``[B, S, ...]``, in what ``network_input`` gave."""
    one_hot = given[:, -len(scheme.classes) :]
    return torch.stack([one_hot[:, list(part.values)].sum(1) for part in scheme.structures], dim=1)


def _augmented(batch: Batch, probability: float, scheme: LabelScheme, seed: int) -> Batch:
    """The batch with each volume turned, scaled, shifted and recoloured as one."""
    count, _, slices, height, width = batch.images.shape
    generator = torch.Generator().manual_seed(seed)
    images, labels = augment(
        batch.images.reshape(count, -1, height, width),
        torch.cat([batch.labels, batch.reference], dim=1),
        Augmentation(probability=probability),
        generator,
        scheme.mirror_axes,
    )
    predicted, reference = labels.split(slices, dim=1)
    return Batch(
        images.view_as(batch.images),
        predicted.clamp(min=BACKGROUND),
        reference,
        batch.dice,
        batch.nsd,
    )


def mean_error(found: Tensor, targets: Tensor, power: int) -> Tensor:
    """Mean of the ``power`` of absolute errors where the target is a number; else 0."""
    known = torch.isfinite(targets)
    # A target that is NaN would make the gradient NaN even where its error is not used.
    errors = (found - targets.nan_to_num()).abs() ** power
    return torch.where(known, errors, 0).sum() / known.sum().clamp(min=1)
