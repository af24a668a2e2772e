"""The grain of voxels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from qc.base import Quality
from qc.grains.base import LIKELY, Grain
from qc.grains.estimated_dice import check_shapes
from qc.grains.labels import Hidden
from semiqc.study import Prediction, Voxels
from semiqc.work.bounds import Share


@dataclass(frozen=True)
class VoxelGrain(Grain):
    """Hides voxels that an error map calls wrong or on which segmenters disagree.

    One map above its bound is enough to hide a voxel.

    Args:
        scheme: Whose structures are judged.
        max_error: Probability of an error, in any structure, up to which a voxel stays. Where it
            is None, error maps are looked for only if the prediction has no uncertainty, and
            voxels are hidden that are more likely wrong than right.
        max_disagreement: Share of the segmenters that may differ from the others: any of few; of
            50 samples two, for one among so many nearly always does. None lets all differ.
        max_entropy: Entropy, as a share of the largest possible, up to which a voxel stays;
            None does not look at it.
    """

    needs_voxels: ClassVar[bool] = True
    of_error_maps: ClassVar[tuple[str, ...]] = ("max_error",)

    max_error: Share | None = None
    max_disagreement: Share | None = 0.05
    max_entropy: Share | None = None

    def needs_error_maps(self, prediction: Prediction, quality: Quality) -> bool:
        return prediction.uncertainty is None or self.max_error is not None

    def _hidden(self, prediction: Prediction, quality: Quality) -> Hidden:
        bounded = self._bounded(prediction, quality)
        if not bounded:
            raise ValueError(
                f"{prediction.study}: the grain of voxels needs error maps of the estimator or"
                " the segmenters' uncertainty that it has a bound for, and there is neither"
            )

        def hidden(frame: int, labels: NDArray[np.int8]) -> NDArray[np.bool_]:
            found = np.zeros(labels.shape, np.bool_)
            for voxels, bound in bounded:
                # A voxel whose figure is NaN is hidden.
                found |= ~(np.asarray(voxels[frame]) <= bound)
            return found

        return hidden

    def _bounded(self, prediction: Prediction, quality: Quality) -> Sequence[tuple[Voxels, float]]:
        bounded: list[tuple[Voxels, float]] = []
        check_shapes(prediction, quality)
        max_error = LIKELY if self.max_error is None else self.max_error
        bounded += [(errors, max_error) for errors in quality.error_maps.values()]
        uncertainty = prediction.uncertainty
        if uncertainty and self.max_disagreement is not None:
            bounded.append((uncertainty.disagreement, self.max_disagreement))
        if uncertainty and self.max_entropy is not None:
            bounded.append((uncertainty.entropy, self.max_entropy))
        return bounded
