"""The grain of slices."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from qc.grains.base import GrainByDice
from qc.grains.estimated_dice import slices_of_low_dice
from qc.grains.labels import Hidden
from semiqc.study import Prediction

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SliceGrain(GrainByDice):
    """Hides slices in which any structure has a low Dice, or was missed.

    A structure was missed where it is neither in a slice that lies between others with it, nor
    anywhere in a frame although it is in another.

    Args:
        scheme: Whose structures are judged.
        min_slice_dice: Estimated Dice below which a slice is hidden.
    """

    def _hidden(self, prediction: Prediction, quality: Quality) -> Hidden:
        is_low = slices_of_low_dice(prediction, quality, self.scheme, self.min_slice_dice)

        def hidden(frame: int, labels: NDArray[np.int8]) -> Mask:
            is_hidden: Mask = np.logical_or.reduce(is_low[:, frame])
            return np.broadcast_to(is_hidden[:, None, None], labels.shape)

        return hidden
