"""How a segmentation agrees with what another segmenter makes of the same image."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from qc.frames import Frame, digest
from segmenters.components import largest_components
from segmenters.focus import looked_at
from semiqc.images.crop import CropBox
from semiqc.measuring.masks import Mask, frame_dice, masks, slice_dice
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.measuring.surfaces import surface_dice
from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.study import Study, Voxels

if TYPE_CHECKING:
    from segmenters.network import NetworkSegmenter

Known = TypeVar("Known")
Array = NDArray[np.float64]

SIGNALS = ("labels", "probabilities")
"""Dice with the other's labels, and with its probabilities."""


MOST = 255
"""Of the numbers that probabilities are kept in."""
LITTLE, UNLIKE = 0.7, 1.3
"""Dice below which a reason is given, and how many times as large something must be to say so."""
REMEMBERED = 256
"""Images; several segmentations of one are often judged, one source after the other."""


@dataclass(frozen=True, eq=False)
class OtherSegmentation:
    """What another segmenter makes of an image, kept where it sees something.

    Args:
        labels: Classes, ``[Z, y, x]`` int8.
        likely: Probability of each structure, ``[S, Z, y, x]`` uint8, of ``MOST``.
        box: Rows and columns of the image that both tell of; beyond them is nothing.
        shape: Slices, rows and columns of the image.
        scheme: Whose structures they are.
    """

    labels: NDArray[np.int8]
    likely: NDArray[np.uint8]
    box: tuple[slice, slice]
    shape: tuple[int, int, int]
    scheme: LabelScheme

    @classmethod
    def of(cls, segmenter: "NetworkSegmenter", frame: Frame, place: CropBox | None = None) -> Self:
        """What a fitted segmenter makes of a frame's image; only largest components stay.

        Args:
            segmenter: Fitted.
            frame: Its segmentation is not used.
            place: Where the structures lie; None where whole slices are segmented.
        """
        study = _unlabelled(frame.study, frame.image[:, None], frame.spacing)
        (of_classes,) = segmenter.predict_within(study, place)
        scheme = segmenter.scheme
        labels = largest_components(of_classes.argmax(axis=0).astype(np.int8), scheme)
        of_structures = [of_classes[list(one.values)].sum(axis=0) for one in scheme.structures]
        likely = np.rint(MOST * np.clip(of_structures, 0, 1)).astype(np.uint8)
        box = box_of((likely > 0) | masks(labels, scheme))
        return cls(labels[:, *box], likely[:, :, *box], box, frame.labels.shape, scheme)

    @property
    def found(self) -> Mask:
        """Where each structure is, ``[S, Z, Y, X]``."""
        whole = np.zeros((len(self.likely), *self.shape), np.bool_)
        whole[:, :, *self.box] = masks(self.labels, self.scheme)
        return whole

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Of each structure, ``[S, Z, Y, X]``."""
        whole = np.zeros((len(self.likely), *self.shape), np.float32)
        whole[:, :, *self.box] = self.likely / np.float32(MOST)
        return whole

    def compared_with(self, frame: Frame) -> "Comparison":
        """How a segmentation of the image agrees with it."""
        judged = masks(frame.labels, self.scheme)
        return Comparison(judged, self.found, self.probabilities, frame.spacing)


class Others:
    """What a segmenter makes of images; of the last ones it is remembered.

    Args:
        segmenter: Fitted.
    """

    def __init__(self, segmenter: "NetworkSegmenter") -> None:
        self.segmenter = segmenter
        self._known: OrderedDict[str, OtherSegmentation] = OrderedDict()
        self._places: OrderedDict[str, CropBox | None] = OrderedDict()

    def place_in(self, frame: Frame) -> CropBox | None:
        """Where the structures lie in all frames of a frame's cine; None where slices are small.

        It is looked for on whole slices, each of one of a few frames by turns, so that a cine
        costs no more than a frame; whichever frames are judged, it is the same.
        """
        image = slices_by_turns(frame.image[:, None] if frame.cine is None else frame.cine)
        study = _unlabelled(frame.study, image, frame.spacing)
        return _remembered(self._places, digest(image), lambda: self.segmenter.where(study))

    def of(self, frame: Frame, place: CropBox | None) -> OtherSegmentation:
        """What it makes of a frame's image in such a place."""
        key = digest(frame.image) + ("" if place is None else f"{place.start}{place.size}")
        return _remembered(
            self._known, key, lambda: OtherSegmentation.of(self.segmenter, frame, place)
        )


def slices_by_turns(image: Voxels) -> NDArray[np.float32]:
    """A still of a cine ``[M, T, Z, Y, X]``, ``[M, 1, Z, Y, X]``, each slice of another frame.

    The frames are those that ``segmenters.focus`` looks at.
    """
    numbers = looked_at(image.shape[1])
    still = np.array(image[:, numbers[0]], dtype=np.float32)
    for turn, number in enumerate(numbers[1:], start=1):
        still[:, turn :: len(numbers)] = np.asarray(image[:, number])[:, turn :: len(numbers)]
    return still[:, None]


def _unlabelled(
    name: str, image: NDArray[np.float32], spacing: tuple[float, float, float]
) -> Study:
    return Study(name, image, np.full(image.shape[1:], UNLABELLED, np.int8), spacing)


def _remembered(known: OrderedDict[str, Known], key: str, make: Callable[[], Known]) -> Known:
    if key not in known:
        known[key] = make()
        if len(known) > REMEMBERED:
            known.popitem(last=False)
    known.move_to_end(key)
    return known[key]


@dataclass(frozen=True, eq=False)
class Comparison:
    """A segmentation beside another segmenter's.

    Args:
        judged: Where the segmentation has each structure, ``[S, Z, Y, X]``.
        found: Where the other has it.
        likely: How likely it is there by the other.
        spacing: In mm, ordered ``(z, y, x)``.
    """

    judged: Mask
    found: Mask
    likely: NDArray[np.float32]
    spacing: tuple[float, float, float]

    def dice(self) -> Array:
        """Each of ``SIGNALS`` for each structure, ``[S, 2]``; NaN where neither has it."""
        both = np.where(self.judged, self.likely, 0).sum(axis=(1, 2, 3), dtype=np.float64)
        likely = self.likely.sum(axis=(1, 2, 3), dtype=np.float64)
        sizes = self.judged.sum(axis=(1, 2, 3)) + likely
        hard = frame_dice(self.judged, self.found)
        soft = np.where(np.isnan(hard), np.nan, 2 * both / np.maximum(sizes, 1))
        return np.stack([hard, soft], axis=1)

    def nsd(self) -> Array:
        """Normalised surface Dice with the other's labels, ``[S]``; NaN where neither has it."""
        rows, columns = box_of(self.judged | self.found)
        pair = self.judged[:, :, rows, columns], self.found[:, :, rows, columns]
        return surface_dice(*pair, self.spacing, NSD_TOLERANCE_MM)

    def slices(self) -> Array:
        """Dice of each slice with the other's labels, ``[S, Z]``; NaN where neither has it."""
        return slice_dice(self.judged, self.found)

    def reasons(self, dice: Array, names: Sequence[str]) -> tuple[str, ...]:
        """How structures whose Dice ``[S]`` is low differ from what the other finds."""
        mine, others = (np.count_nonzero(one, axis=(1, 2, 3)) for one in (self.judged, self.found))
        found = []
        for name, told, own, other in zip(names, dice, mine, others, strict=True):
            if told >= LITTLE or not own:
                continue
            how = "lies elsewhere than"
            if own > UNLIKE * other:
                how = "is larger than"
            elif other > UNLIKE * own:
                how = "is smaller than"
            found.append(f"{name} {how} a second segmenter finds it")
        return tuple(found)

    def errors(self) -> NDArray[np.float16]:
        """How likely each voxel is wrong by the other's probabilities, ``[S, Z, Y, X]``."""
        return np.where(self.judged, 1 - self.likely, self.likely).astype(np.float16)


def box_of(found: Mask) -> tuple[slice, slice]:
    """The rows and columns of ``[S, Z, Y, X]`` with something, and one beyond each."""
    edges = []
    for axes in ((0, 1, 3), (0, 1, 2)):
        (where,) = np.nonzero(found.any(axis=axes))
        first, last = (int(where[0]), int(where[-1])) if len(where) else (0, 0)
        edges.append(slice(max(0, first - 1), last + 2))
    rows, columns = edges
    return rows, columns
