"""Pictures of how right estimators are of single slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from qc.evaluation.drawing import COLOURS, INK, panels, plain
from qc.evaluation.slices import SliceJudgement, slice_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def slice_scatter(judgements: Sequence[SliceJudgement]) -> Figure:
    """Estimated against true 2-D Dice, a panel for each estimator and structure, figures above.

    Args:
        judgements: Of any estimators of slices, at least one.
    """
    rows = [row for row in slice_table(judgements) if row.structure != "all"]
    structures = len({row.structure for row in rows})
    figure, axes = panels(len(rows), 2.8, 3.0, columns=structures)
    for panel, row in zip(axes, rows, strict=True):
        own = [
            one
            for one in judgements
            if (one.estimator, one.structure) == (row.estimator, row.structure)
        ]
        true, told = np.array([(one.true_dice, one.dice) for one in own]).T
        panel.scatter(true, told, s=8, color=COLOURS[0], alpha=0.4, linewidths=0)
        panel.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--", zorder=0)
        panel.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
        panel.set(xlabel="True 2-D Dice", ylabel="Estimated 2-D Dice")
        said = f"r {row.pearson:.3f}, MAE {row.mae:.3f}, n = {row.n}"
        panel.set_title(f"{plain(row.estimator)}, {plain(row.structure)}\n{said}", fontsize=8)
    return figure
