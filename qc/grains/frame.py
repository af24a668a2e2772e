"""The grain of frames."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from qc.grains.base import GrainByDice
from qc.grains.estimated_dice import estimated_frame_dice
from qc.grains.labels import Hidden
from semiqc.measuring.means import means_of_known
from semiqc.schemes import BACKGROUND
from semiqc.study import Prediction


@dataclass(frozen=True)
class FrameGrain(GrainByDice):
    """Hides frames with a low Dice, and those in which nothing is segmented.

    A frame's Dice is the mean over structures, and of a structure that over slices by their
    areas.

    Args:
        scheme: Whose structures are judged.
        min_slice_dice: Estimated Dice of a frame, slice or structure below which it is hidden.
    """

    def _hidden(self, prediction: Prediction, quality: Quality) -> Hidden:
        dice = estimated_frame_dice(prediction, quality, self.scheme)
        is_hidden = means_of_known(dice, axis=0, unknown=0.0) < self.min_slice_dice

        def hidden(frame: int, labels: NDArray[np.int8]) -> NDArray[np.bool_]:
            return np.full(labels.shape, is_hidden[frame] or not (labels > BACKGROUND).any())

        return hidden
