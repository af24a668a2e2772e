"""What all estimators that are a network on image and segmentation share."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from qc.base import ProgressCallback
from qc.estimators.frame_estimator import FrameEstimator, Judged, check_modalities
from qc.estimators.network.augmenting import CHANGES, Changes
from qc.estimators.network.crops import Batch, CroppedFrames, network_input, with_beyond
from qc.estimators.network.schedules import Schedule, rate_of
from qc.estimators.network.training import OPTIMIZERS, NetworkTraining, Optimizer
from qc.estimators.network.validation import held_out
from qc.estimators.network.weights import stored_weights, with_weights
from qc.frames import Frame, GradedFrame
from qc.graded.balance import balanced_draw
from segmenters.device import AnyPrecision, Precision, device_here, make_fabric
from semiqc.images.crop import CropBox, box_around
from semiqc.measuring.means import means_of_known
from semiqc.optimise import Report
from semiqc.schemes import BACKGROUND
from semiqc.work.bounds import Count, Rate, Share, Size, Steps, Weight

if TYPE_CHECKING:
    from lightning_fabric import Fabric


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
        epochs: In place of ``steps``: how often as many frames are seen as there are.
        optimizer: ``adamw``, or ``adam`` with the weight decay in the gradient.
        schedule: Course of the learning rate, see ``qc.estimators.network.schedules``.
        hold_out: Hold a fold of the subjects out of each member's training; of its weights after
            each epoch those with the least loss on the fold stay.
        members: Networks whose estimates are averaged.
        augmentation: Probability of each change of the crops.
        changes: Which changes: ``usual``, or those that Qiu et al. name, ``qiu``; see
            ``qc.estimators.network.augmenting``.
        seed: Of weights, batches and augmentation.
        device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it.
        precision: Likewise; ``bf16-mixed`` is faster where the processor knows bfloat16.
        judging: Precision of judging; ``auto`` is ``bf16-mixed`` where the device computes in
            bfloat16.

    Attributes:
        networks_: One per member.
    """

    takes_modalities = True
    takes_seed = True

    needs_reference = True
    """Whether it learns from voxels of the reference, and not from Dice alone."""

    needs_nsd = False
    """Whether the surface Dice is learned, which takes longer to work out than the rest."""

    all_classes = False
    """Whether Dice and surface Dice of all classes at once are learned."""

    modalities: int = 1
    size: tuple[Size, Size, Size] = (8, 96, 96)
    steps: Steps = 600
    batch_size: Size = 8
    learning_rate: Rate = 1e-3
    weight_decay: Weight = 1e-4
    epochs: Count | None = None
    optimizer: Optimizer = "adamw"
    schedule: Schedule = "warmed"
    hold_out: bool = False
    members: Count = 1
    augmentation: Share = 0.3
    changes: Changes = "usual"
    seed: int = 0
    device: str = "auto"
    precision: Precision = "32-true"
    judging: AnyPrecision = "auto"

    @property
    def explained_layer(self) -> str | None:
        """Layer whose features tell where the network looks; None without one."""
        return None

    @abstractmethod
    def _network(self) -> nn.Module:
        """A network with random weights, from ``[B, M + C, Z, Y, X]`` to what is read below."""

    @abstractmethod
    def _losses(self, output: object, batch: Batch) -> dict[str, Tensor]:
        """Named terms that are minimised, of the network's output on a batch."""

    @abstractmethod
    def _read(
        self, outputs: Sequence[object], frames: Sequence[Frame], boxes: Sequence[CropBox]
    ) -> list[Judged]:
        """What the outputs of all members say of each frame within its box."""

    def check(self) -> None:
        for name in ("width", "steps", "batch_size", "members", "epochs"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if min(self.size) < 1:
            raise ValueError(f"size must be at least 1 voxel each way, got {self.size}")
        rate_of(self.schedule, self.learning_rate, 1, 1)
        if self.optimizer not in OPTIMIZERS:
            known = ", ".join(OPTIMIZERS)
            raise ValueError(f"unknown optimizer '{self.optimizer}'; known: {known}")
        if self.changes not in CHANGES:
            raise ValueError(f"unknown changes '{self.changes}'; known: {', '.join(CHANGES)}")
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
        of_all = np.full((len(frames), 2), np.nan)
        if self.all_classes:
            of_all = np.stack(
                [one.all_classes(self.scheme, with_nsd=self.needs_nsd) for one in frames]
            )
        needed = self.needs_reference
        known = CroppedFrames(frames, dice, nsd, of_all, self.scheme, self.size, needed)
        self.networks_: list[nn.Module] = []
        for member in range(self.members):
            own, held = self._parts(frames, member)
            steps = self._steps(len(own))
            done = partial(_steps_done, observe, member * steps, self.members * steps)
            seed = self.seed * 1_000 + member
            self.networks_.append(self._trained(known, own, held, seed, done))

    def _parts(
        self, frames: Sequence[GradedFrame], member: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Numbers of the frames that a member learns from, and of those that validate it."""
        if self.hold_out:
            return held_out([one.whose for one in frames], member, self.members, self.seed)
        return np.arange(len(frames)), np.arange(0)

    def _steps(self, frames: int) -> int:
        """Of the optimizer, for a member that learns from so many frames."""
        if self.epochs is None:
            return self.steps
        return self.epochs * -(-frames // self.batch_size)

    def _trained(
        self,
        known: CroppedFrames,
        own: NDArray[np.intp],
        held: NDArray[np.intp],
        seed: int,
        report: Report,
    ) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = self._network()
        steps, steps_of_epoch = self._steps(len(own)), -(-len(own) // self.batch_size)
        training = NetworkTraining(
            self.scheme,
            steps,
            rate_of(self.schedule, self.learning_rate, steps, steps_of_epoch),
            self.weight_decay,
            self.optimizer,
            self.augmentation,
            self.changes,
            seed,
            self._fabric(),
        )
        batches = self._batches(known, own, steps, seed)
        parts = [held[n : n + self.batch_size] for n in range(0, len(held), self.batch_size)]
        validating = [known.batch(part) for part in parts]
        training.run(network, batches, self._losses, report, validating, steps_of_epoch)
        return network.eval().cpu()

    def _batches(
        self, known: CroppedFrames, own: NDArray[np.intp], steps: int, seed: int
    ) -> Iterator[Batch]:
        mean_dice = means_of_known(known.dice, axis=1, unknown=0.0)[own]
        for step in range(1, steps + 1):
            rng = np.random.default_rng([seed, step])
            yield known.batch(own[balanced_draw(mean_dice, self.batch_size, rng)])

    @torch.no_grad()
    def _judge(self, frames: Sequence[Frame]) -> list[Judged]:
        check_modalities(frames, self.modalities)
        fabric = make_fabric(self.device, self.judging)
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
        return [with_beyond(*of_frame, self.scheme) for of_frame in judged]

    def box_of(self, frame: Frame) -> CropBox:
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

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        stored: dict[str, NDArray[np.generic]] = {}
        for number, network in enumerate(self.networks_):
            stored |= stored_weights(network, f"networks/{number}")
        return stored

    def _take(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        self.device = device_here(self.device)
        self.networks_ = [
            with_weights(self._network(), arrays, f"networks/{member}")
            for member in range(self.members)
        ]

    def _fabric(self) -> "Fabric":
        return make_fabric(self.device, self.precision)


def _steps_done(
    observe: ProgressCallback, before: int, total: int, step: int, values: Mapping[str, float]
) -> None:
    observe(before + step, total)
