"""Calibration: of segmentations of which the same Dice is estimated, how good are they truly?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qc.evaluation.agreement import finite_pairs
from qc.evaluation.drawing import INK, looks, panels, plain
from qc.evaluation.judgement import ALL, Judgement
from qc.evaluation.table import estimators_of, values_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 10
"""Of equal width, over estimates from 0 to 1."""


@dataclass(frozen=True)
class ReliabilityRow:
    """Segmentations of which an estimator says about the same.

    Args:
        estimator: Its name.
        structure: Name, or ``all`` for the mean over structures.
        low: Least estimated Dice of the bin.
        high: Largest; the next bin begins there.
        n: Predictions in it.
        dice: Mean estimated Dice of them.
        true_dice: Mean true Dice of them.
    """

    estimator: str
    structure: str
    low: float
    high: float
    n: int
    dice: float
    true_dice: float


def reliability(judgements: Sequence[Judgement]) -> list[ReliabilityRow]:
    """A row for each estimator, structure and tenth of the estimates that is not empty.

    Reference:
        Niculescu-Mizil and Caruana, "Predicting good probabilities with supervised learning",
        ICML 2005 (reliability diagrams). https://doi.org/10.1145/1102351.1102430
    """
    rows = []
    edges = np.linspace(0, 1, BINS + 1)
    for name in estimators_of(judgements):
        of_one = [row for row in judgements if row.estimator == name]
        for structure in dict.fromkeys(row.structure for row in of_one):
            own = [row for row in of_one if row.structure == structure]
            true, told = finite_pairs(*values_of(own, "dice"))
            of_bin = np.minimum((told * BINS).astype(int), BINS - 1)
            for place in np.unique(of_bin).tolist():
                here = of_bin == place
                rows.append(
                    ReliabilityRow(
                        name, structure, float(edges[place]), float(edges[place + 1]),
                        int(here.sum()), float(told[here].mean()), float(true[here].mean()),
                    )
                )  # fmt: skip
    return rows


def reliability_curves(rows: Sequence[ReliabilityRow], structure: str = ALL) -> Figure:
    """Mean true over mean estimated Dice of each tenth, a line for each estimator.

    Above the line of equality an estimator is too strict, below it too kind.

    Args:
        rows: What ``reliability`` gave.
        structure: Name, or ``all``.
    """
    figure, (axes,) = panels(1, 6.0, 3.8)
    own = [row for row in rows if row.structure == structure]
    for name, (colour, marker) in looks(row.estimator for row in own).items():
        of_one = [row for row in own if row.estimator == name]
        axes.plot(
            [row.dice for row in of_one], [row.true_dice for row in of_one],
            color=colour, marker=marker, markersize=4, linewidth=1.2, label=plain(name),
        )  # fmt: skip
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--", zorder=0)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    axes.set(xlabel="Mean estimated Dice of a tenth", ylabel="Mean true Dice")
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    return figure
