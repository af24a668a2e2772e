"""The grain of structures."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from qc.base import Quality
from qc.grains.base import LIKELY, GrainByDice
from qc.grains.estimated_dice import check_shapes, slices_of_low_dice
from qc.grains.labels import Hidden
from semiqc.images.sizes import LARGEST_MM
from semiqc.schemes import BACKGROUND, Structure
from semiqc.study import Prediction

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class StructureGrain(GrainByDice):
    """Hides structures, with what is around them, in slices with a low Dice or without them.

    Hidden are the structure's voxels, and those where it may really be: background, or what else
    a structure that encloses it is made of, near any slice's part of it in the frame, seen along
    the slices; all of these where the frame has none of it. So is whatever an error map, if there
    is one, says is more likely wrong than right about it. Other structures of the slice stay.

    Args:
        scheme: Whose structures are judged.
        min_slice_dice: Estimated Dice below which a structure is hidden in a slice.
        margin_mm: How far from a structure, within the slice, what is around is hidden with it.
    """

    margin_mm: Annotated[float, Interval(ge=0, le=LARGEST_MM)] = 8.0

    def _hidden(self, prediction: Prediction, quality: Quality) -> Hidden:
        is_low = slices_of_low_dice(prediction, quality, self.scheme, self.min_slice_dice)
        check_shapes(prediction, quality)
        in_plane = prediction.spacing[1:]

        def hidden(frame: int, labels: NDArray[np.int8]) -> Mask:
            found = np.zeros(labels.shape, np.bool_)
            judged = zip(self.scheme.structures, is_low[:, frame], strict=True)
            for structure, of_slices in judged:
                if not of_slices.any():
                    continue
                inside = structure.mask(labels)
                near = _near(np.logical_or.reduce(inside), self.margin_mm, in_plane)
                unsure = inside | (near & np.isin(labels, self._around(structure)))
                if structure.name in quality.error_maps:
                    errors = quality.error_maps[structure.name][frame]
                    unsure |= np.asarray(errors) > LIKELY
                found |= unsure & of_slices[:, None, None]
            return found

        return hidden

    def _around(self, structure: Structure) -> list[int]:
        """Labels that a missed part of the structure has."""
        own = set(structure.values)
        wholes = [set(one.values) for one in self.scheme.structures if own < set(one.values)]
        return sorted({BACKGROUND}.union(*wholes) - own)


def _near(mask: Mask, margin_mm: float, spacing: tuple[float, ...]) -> Mask:
    """Where an image ``[Y, X]`` is within a margin of a mask; everywhere if that is empty."""
    if not mask.any():
        return np.ones(mask.shape, np.bool_)
    near: Mask = distance_transform_edt(~mask, sampling=spacing) <= margin_mm
    return near
