"""What a repair promises."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qc import Quality, QualityEstimator
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction
from semiqc.work.bounds import check_bounds


@dataclass(frozen=True)
class Repair(ABC):
    """Makes another prediction of one, by what was judged of it.

    A repair is a dataclass. Bounds of its arguments are annotated (``semiqc.work.bounds``) and
    its docstring describes them: settings of a run take names, checks and descriptions from there.

    Args:
        scheme: Whose structures are judged.
    """

    of_run: ClassVar[tuple[str, ...]] = ("scheme",)
    """Arguments that ``for_run`` gives, so that no setting names them."""

    suggested_by: ClassVar[str] = ""
    """Name of the estimator that suggests the new labels, if one does. Its own judgement of them
    is not counted."""

    scheme: LabelScheme

    def __post_init__(self) -> None:
        check_bounds(self)

    @classmethod
    def for_run(
        cls,
        scheme: LabelScheme,
        suggests: QualityEstimator | None,
        **arguments: Any,  # noqa: ANN401
    ) -> Self:
        """The repair with arguments of its settings.

        Args:
            scheme: Whose structures are judged.
            suggests: The fitted estimator ``suggested_by``.
            arguments: By name.
        """
        return cls(scheme, **arguments)

    def __call__(self, prediction: Prediction, quality: Quality) -> Prediction:
        """The repaired prediction; the same object where there is nothing to repair.

        The new labels stand in memory. The uncertainty of the old ones is left out.

        Raises:
            ValueError: If the quality is of another study.
        """
        if quality.study != prediction.study:
            raise ValueError(f"{prediction.study}: the quality is of {quality.study}")
        labels = self._labels(prediction, quality)
        if labels is None:
            return prediction
        return replace(prediction, labels=labels, uncertainty=None)

    @abstractmethod
    def _labels(self, prediction: Prediction, quality: Quality) -> NDArray[np.int8] | None:
        """Labels of the whole study, ``[T, Z, Y, X]``; None where they stay as they are."""

    def tells_slices(self, quality: Quality) -> bool:
        """Whether the Dice of slices is estimated, or error maps imply it."""
        return any(
            all(structure.name in told for structure in self.scheme.structures)
            for told in (quality.slice_dice, quality.error_maps)
        )
