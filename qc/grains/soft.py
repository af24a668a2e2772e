"""Grains that weigh parts of a prediction by how good they probably are, and hide nothing."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from qc.grains.base import Grain
from qc.grains.estimated_dice import check_shapes, estimated_slice_dice, is_missed
from qc.grains.labels import Hidden, Weights, nothing_hidden
from semiqc.measuring.masks import slice_areas
from semiqc.measuring.means import means_of_known
from semiqc.study import Prediction


class SoftGrain(Grain):
    """Hides nothing; a subclass says what each voxel weighs."""

    weighs: ClassVar[bool] = True

    def _hidden(self, prediction: Prediction, quality: Quality) -> Hidden:
        return nothing_hidden


@dataclass(frozen=True)
class SoftSliceGrain(SoftGrain):
    """Weighs each slice by the square of its estimated Dice, mean over the structures.

    A structure that was missed counts as 0: one that is neither in a slice that lies between
    others with it, nor anywhere in a frame although it is in another. Of a slice in which nothing
    is to be found the Dice is not known; it weighs as the mean of the study.

    Ours: the square, by which studies are weighed in the rule ``squared`` too.

    Args:
        scheme: Whose structures are judged.
    """

    needs_slices: ClassVar[bool] = True

    def _weights(self, prediction: Prediction, quality: Quality) -> Weights:
        dice = estimated_slice_dice(prediction, quality, self.scheme)
        missed = is_missed(slice_areas(prediction.labels, self.scheme))
        means = means_of_known(np.where(missed, 0.0, dice), axis=0, unknown=np.nan)
        usual = float(np.nanmean(means)) if np.isfinite(means).any() else 0.0
        known = np.clip(np.where(np.isnan(means), usual, means), 0, 1)
        of_slices = (known**2).astype(np.float32)

        def weights(frame: int, labels: NDArray[np.int8]) -> NDArray[np.float32]:
            of_frame = of_slices[frame, :, None, None]
            return np.broadcast_to(of_frame, labels.shape)

        return weights


@dataclass(frozen=True)
class SoftVoxelGrain(SoftGrain):
    """Weighs each voxel by the probability that it is right.

    That is one minus the probability of an error in any structure, as error maps of the estimator
    say; where there are none, the share of the segmenters that say the same.

    Args:
        scheme: Whose structures are judged.
    """

    needs_voxels: ClassVar[bool] = True

    def needs_error_maps(self, prediction: Prediction, quality: Quality) -> bool:
        return not quality.error_maps

    def _weights(self, prediction: Prediction, quality: Quality) -> Weights:
        check_shapes(prediction, quality)
        maps = list(quality.error_maps.values())
        if not maps and prediction.uncertainty is not None:
            maps = [prediction.uncertainty.disagreement]
        if not maps:
            raise ValueError(
                f"{prediction.study}: the grain of voxels needs error maps of the estimator or"
                " the segmenters' uncertainty, and there is neither"
            )

        def weights(frame: int, labels: NDArray[np.int8]) -> NDArray[np.float32]:
            wrong = np.max([np.asarray(one[frame], np.float32) for one in maps], axis=0)
            # Of a voxel whose error is not known nothing is learned.
            right: NDArray[np.float32] = np.clip(1 - np.nan_to_num(wrong, nan=1.0), 0, 1)
            return right

        return weights
