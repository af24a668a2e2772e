"""Pictures of what estimators learn from: how good it is, and how much of it they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qc.evaluation.drawing import COLOURS, PALE, TITLES, looks, panels, plain
from qc.evaluation.judgement import ALL
from qc.evaluation.learning import LearningRow
from qc.graded.balance import BINS, balanced_subset

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def balance_histogram(
    dice: NDArray[np.float64],
    population: NDArray[np.float64] | None = None,
    *,
    seed: int = 0,
) -> Figure:
    """True Dice of all graded predictions, and of those left once ten bins are equally full.

    Args:
        dice: Mean over structures, ``[N]``; what is NaN is left out.
        population: Of all, where ``dice`` is of those that were drawn already.
        seed: Of the choice.
    """
    from matplotlib.ticker import MaxNLocator

    known = np.asarray(dice, dtype=np.float64)
    known = known[np.isfinite(known)]
    if population is None:
        chosen = known[balanced_subset(known, np.random.default_rng(seed))]
    else:
        chosen, known = known, population[np.isfinite(population)]
    figure, (axes,) = panels(1, 4.2, 3.0)
    edges = np.linspace(0, 1, BINS + 1)
    for values, colour, when in ((known, PALE, "before"), (chosen, COLOURS[0], "after")):
        label = f"{when} balancing, n = {len(values)}"
        axes.hist(values.tolist(), edges.tolist(), color=colour, edgecolor="white", label=label)
    axes.set(xlim=(0, 1), xlabel="True Dice, mean over structures", ylabel="Predictions")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(loc="outside upper center", ncols=2, frameon=False, fontsize=8)
    return figure


def learning_curves(
    curves: Mapping[str, Sequence[LearningRow]], quality: str = "dice", structure: str = ALL
) -> Figure:
    """Mean absolute error over the share of studies learned from, with its 95 % intervals.

    Args:
        curves: What ``learning_curve`` gave, by the estimator's name.
        quality: ``dice`` or ``nsd``.
        structure: Name, or ``all``.

    Raises:
        ValueError: If no row is of that quality and structure.
    """
    chosen = _curves_of(curves, quality, structure)
    figure, (axes,) = panels(1, 4.6, 3.4)
    for place, (name, look) in enumerate(looks(chosen).items()):
        # Side by side, for intervals of estimators that learn alike would hide one another.
        aside = 0.008 * (place - (len(chosen) - 1) / 2)
        _draw_curve(axes, name, chosen[name], look, aside)
    studies = {row.share: row.studies for rows in chosen.values() for row in rows}
    axes.set_xticks([*studies], [f"{share:.0%}\n{n} studies" for share, n in studies.items()])
    axes.set_xlabel("Share of the training studies")
    axes.set_ylabel(f"MAE of {TITLES[quality]}, 95 % interval")
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside upper center", frameon=False, fontsize=8)
    return figure


def _curves_of(
    curves: Mapping[str, Sequence[LearningRow]], quality: str, structure: str
) -> dict[str, list[LearningRow]]:
    """The rows of one quality and structure, by estimators that have some.

    Raises:
        ValueError: If none has.
    """
    chosen = {
        name: [row for row in rows if (row.quality, row.structure) == (quality, structure)]
        for name, rows in curves.items()
    }
    chosen = {name: rows for name, rows in chosen.items() if rows}
    if not chosen:
        raise ValueError(f"no learning curve has {quality} of {structure}")
    return chosen


def _draw_curve(
    axes: Axes, name: str, rows: Sequence[LearningRow], look: tuple[str, str], aside: float
) -> None:
    """One estimator's errors with their intervals, drawn ``aside`` of the shares."""
    colour, marker = look
    reach = [[row.mae - row.mae_low for row in rows], [row.mae_high - row.mae for row in rows]]
    axes.errorbar(
        np.array([row.share for row in rows]) + aside,
        np.array([row.mae for row in rows]),
        np.maximum(reach, 0),
        color=colour,
        marker=marker,
        ms=4,
        lw=1.2,
        capsize=2,
        label=f"{plain(name)}, n = {rows[0].n} of {rows[0].test_studies} test studies",
    )
