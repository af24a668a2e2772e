"""Slices that were judged wrong, as the manifold of good segmentations would have them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from loops.repair.base import Repair
from qc import ManifoldSearch, Quality, QualityEstimator
from qc.grains.estimated_dice import slices_of_low_dice
from semiqc.schemes import UNLABELLED, LabelScheme
from semiqc.study import Prediction
from semiqc.work.bounds import Share

Surrogates = Callable[[Prediction], NDArray[np.int8]]
"""What should stand in a prediction's place, ``[T, Z, Y, X]``, such as that of a manifold."""


@dataclass(frozen=True)
class SurrogateSlices(Repair):
    """Puts surrogates in the place of slices of low Dice or with a structure missing.

    Reference:
        Wang et al., "Deep generative model-based quality control for cardiac MRI segmentation",
        MICCAI 2020: the surrogate segmentation, there only compared with.
        https://doi.org/10.1007/978-3-030-59719-1_9
        Ours: its use in the place of what was predicted.

    Args:
        scheme: Whose structures are judged.
        surrogates: Asked only where a slice is wrong. Voxels that it leaves ``UNLABELLED`` stay
            as they were predicted.
        min_slice_dice: A slice is wrong where a structure's estimated Dice is lower; without an
            estimate none is.
    """

    of_run: ClassVar[tuple[str, ...]] = ("scheme", "surrogates")
    suggested_by: ClassVar[str] = "manifold"

    surrogates: Surrogates
    min_slice_dice: Share = 0.7

    @classmethod
    def for_run(
        cls,
        scheme: LabelScheme,
        suggests: QualityEstimator | None,
        **arguments: Any,  # noqa: ANN401
    ) -> Self:
        if not isinstance(suggests, ManifoldSearch):
            raise TypeError(f"surrogates come from a fitted manifold, got {suggests!r}")
        return cls(scheme, suggests.surrogates, **arguments)

    def _labels(self, prediction: Prediction, quality: Quality) -> NDArray[np.int8] | None:
        if not self.tells_slices(quality):
            return None
        is_low = slices_of_low_dice(prediction, quality, self.scheme, self.min_slice_dice)
        is_wrong = np.asarray(is_low.any(axis=0))
        if not is_wrong.any():
            return None
        surrogates = self.surrogates(prediction)
        if tuple(surrogates.shape) != tuple(prediction.labels.shape):
            raise ValueError(
                f"{prediction.study}: surrogates have shape {tuple(surrogates.shape)},"
                f" the prediction {tuple(prediction.labels.shape)}"
            )
        replaced = is_wrong[..., None, None] & (surrogates != UNLABELLED)
        return np.where(replaced, surrogates, prediction.labels[:])
