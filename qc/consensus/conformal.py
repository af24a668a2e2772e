"""Intervals that hold the true Dice with a promised probability, however wrong the estimate."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SMALLEST_SCALE = 1e-3


def reach_of(errors: ArrayLike, subjects: Sequence[str], level: float) -> float:
    """How far an interval must reach for ``level`` of new subjects; infinity if too few are known.

    The quantile of the errors at ``level``, where each of ``n`` subjects has weight 1 / (n + 1),
    shared evenly by its errors, and the rest lies at infinity. With one error a subject it is
    the ``ceil((n + 1) level)``-th smallest, as in plain split-conformal prediction.

    Reference:
        Lee, Barber and Willett, "Distribution-free inference with hierarchical data",
        arXiv 2023. https://doi.org/10.48550/arXiv.2306.06342
        Lei et al., "Distribution-free predictive inference for regression", Journal of the
        American Statistical Association 2018. https://doi.org/10.1080/01621459.2017.1307116

    Args:
        errors: ``[N]``, none of which the estimate learned from; NaN is left out.
        subjects: Whom each is of; several segmentations of one subject tell less than as many
            of several.
        level: In [0, 1].
    """
    values = np.asarray(errors, dtype=np.float64)
    known = np.isfinite(values)
    if not known.any():
        return math.inf
    values, owners = values[known], np.asarray(subjects)[known]
    _, of_subject, counts = np.unique(owners, return_inverse=True, return_counts=True)
    weights = 1 / (counts[of_subject] * (len(counts) + 1))
    order = np.argsort(values, kind="stable")
    covered = np.cumsum(weights[order])
    # Sums of thirds and the like fall short of the level by rounding only.
    reached = np.flatnonzero(covered >= level - 1e-9)
    return float(values[order[reached[0]]]) if reached.size else math.inf


@dataclass(frozen=True, eq=False)
class Conformal:
    """Split-conformal intervals on the Dice of each structure.

    For a segmentation of a new subject, exchangeable with the subjects of the calibration and
    segmented as they were, the interval holds the true Dice with probability ``level`` at least:
    on average over calibrations and subjects, for each structure by itself, not for all
    segmentations of a subject at once. With a scale, what is harder to judge has a longer one.
    Of fewer subjects than ``level / (1 - level)`` nothing can be promised, and every interval is
    [0, 1].

    With groups (Mondrian) the promise holds within each. A group of too few subjects has the
    interval of all, and is named in ``small_groups``.

    Args:
        level: Promised.
        reaches: Distance from the estimate, in units of the scale, ``[1 + G, S]``: of all, then
            of each group.
        groups: Names of the groups, ``G``.
        one_sided: Whether only the lower bound is wanted; the upper is 1.
    """

    level: float
    reaches: Array
    groups: tuple[str, ...] = ()
    one_sided: bool = False

    @classmethod
    def of(
        cls,
        estimated: Array,
        true: Array,
        subjects: Sequence[str],
        level: float,
        *,
        scale: ArrayLike = 1.0,
        groups: Sequence[str] | None = None,
        one_sided: bool = False,
    ) -> "Conformal":
        """Learned from estimates that did not learn from these truths.

        Args:
            estimated: ``[N, S]``.
            true: Likewise; NaN where there is none.
            subjects: Of each row.
            level: In (0, 1).
            scale: How large an error is expected, ``[N, S]``.
            groups: Of each row; None for no groups.
            one_sided: See the class.

        Raises:
            ValueError: If the level is not within 0 and 1.
        """
        if not 0 < level < 1:
            raise ValueError(f"level must lie within 0 and 1, got {level}")
        missed = estimated - true
        errors = (missed if one_sided else np.abs(missed)) / np.maximum(scale, SMALLEST_SCALE)
        names = tuple(sorted(set(groups))) if groups is not None else ()
        rows = [np.ones(len(errors), bool)]
        rows += [np.array([one == name for one in groups or ()], dtype=bool) for name in names]
        owners = np.asarray(subjects, dtype=str)
        reaches = [
            [reach_of(column[mine], owners[mine].tolist(), level) for column in errors.T]
            for mine in rows
        ]
        return cls(level, np.array(reaches, dtype=np.float64), names, one_sided)

    @property
    def small_groups(self) -> tuple[str, ...]:
        """Groups that have too few subjects, for some structure, to be told apart."""
        own = zip(self.groups, self.reaches[1:], strict=True)
        return tuple(name for name, reaches in own if not np.isfinite(reaches).all())

    def intervals(self, estimated: Array, *, scale: ArrayLike = 1.0, group: str = "") -> Array:
        """Lower and upper bound in [0, 1], ``[..., S]`` to ``[..., S, 2]``.

        Args:
            estimated: NaN where there is no estimate; its interval is [0, 1].
            scale: As in ``of``.
            group: Of the study; one that is unknown or too small has the interval of all.
        """
        reach = self.reaches[0]
        if group in self.groups:
            own = self.reaches[1 + self.groups.index(group)]
            reach = np.where(np.isfinite(own), own, reach)
        length = reach * np.maximum(scale, SMALLEST_SCALE)
        low = np.nan_to_num(estimated - length, nan=0.0)
        high = np.full_like(low, 1.0) if self.one_sided else estimated + length
        bounds = np.stack([low, np.nan_to_num(high, nan=1.0)], axis=-1)
        return np.asarray(np.clip(bounds, 0, 1))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What was learned, to be stored."""
        return {
            "level": np.array([self.level]),
            "reaches": self.reaches,
            "one_sided": np.array([self.one_sided]),
            "groups": np.frombuffer("\n".join(self.groups).encode(), dtype=np.uint8).copy(),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "Conformal":
        """What ``arrays`` gave."""
        names = arrays["groups"].astype(np.uint8).tobytes().decode()
        return cls(
            float(np.asarray(arrays["level"], dtype=np.float64)[0]),
            np.asarray(arrays["reaches"], dtype=np.float64),
            tuple(names.split("\n")) if names else (),
            bool(np.asarray(arrays["one_sided"])[0]),
        )
