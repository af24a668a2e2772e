"""Pictures of how right estimators are; each function gives a figure, ``drawing.save`` writes it.

Matplotlib is imported when a picture is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qc.base import BESIDE
from qc.evaluation.agreement import absolute_error, finite_pairs
from qc.evaluation.drawing import INK, TITLES, looks, panels, plain
from qc.evaluation.intervals import bootstrap
from qc.evaluation.judgement import ALL, Judgement, is_part
from qc.evaluation.plots_of_sets import balance_histogram
from qc.evaluation.risk import aurc, risk_coverage
from qc.evaluation.table import estimators_of, qualities_of, values_of
from semiqc.measuring.statistics import Interval, pearson, spearman

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUTLIERS = {"marker": "o", "markersize": 2, "alpha": 0.6, "markeredgewidth": 0}
"""How points beyond the whiskers of a box are drawn; their colour is that of the box."""


def pictures(
    judgements: Sequence[Judgement], population: NDArray[np.float64] | None = None
) -> dict[str, Figure]:
    """All pictures that the judgements allow, by name.

    Args:
        judgements: Of any estimators.
        population: Mean true Dice of all that the judged predictions were drawn from.
    """
    drawn = {}
    if np.isfinite([row.true_dice for row in judgements]).any():
        drawn["scatter_dice"] = scatter(judgements)
        drawn["risk_coverage"] = risk_coverage_curves(judgements)
        drawn["balance"] = balance_histogram(true_means(judgements), population)
    given = {q for name in estimators_of(judgements) for q in qualities_of(judgements, name)}
    if "dice" in given:
        drawn["errors_dice"] = error_boxes(judgements)
    if "nsd" in given:
        drawn["scatter_nsd"] = scatter(judgements, "nsd")
        drawn["errors_nsd"] = error_boxes(judgements, "nsd")
    return drawn


def scatter(
    judgements: Sequence[Judgement], quality: str = "dice", structure: str = ALL
) -> Figure:
    """Estimated against true quality, one panel per estimator, disease groups in colour.

    Estimators that give only a score are shown with it against the true Dice, without the line
    on which both are equal.

    Args:
        judgements: Of any estimators.
        quality: ``dice`` or ``nsd``; of the latter, estimators that do not give it have no panel.
        structure: Name, or ``all``.
    """
    shown = _shown(judgements, quality, structure)
    figure, axes = panels(len(shown), 3.3, 3.5)
    groups = looks(sorted({row.group for row in judgements}))
    for panel, (estimator, (own, what)) in zip(axes, shown.items(), strict=True):
        _draw_groups(panel, own, what, groups)
        _draw_agreement(panel, own, what)
        panel.set_xlabel(f"True {TITLES[quality]}")
        panel.set_title(plain(estimator), fontsize=10, pad=22)
    if len(groups) > 1:
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=6, frameon=False, fontsize=8
        )
    return figure


def _draw_groups(
    panel: Axes, rows: Sequence[Judgement], what: str, groups: Mapping[str, tuple[str, str]]
) -> None:
    """A point for each prediction, in the colour and form of its group."""
    true, predicted = values_of(rows, what)
    of_item = np.array([row.group for row in rows])
    for group, (colour, marker) in groups.items():
        chosen = of_item == group
        panel.scatter(
            true[chosen],
            predicted[chosen],
            s=14,
            color=colour,
            marker=marker,
            alpha=0.6,
            linewidths=0,
            label=plain(group or "no group"),
        )


def _draw_agreement(panel: Axes, rows: Sequence[Judgement], what: str) -> None:
    """The line of equality, the axes, and figures above."""
    if what != "score":
        panel.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--", zorder=0)
    panel.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), aspect="equal")
    panel.set_ylabel("Score" if what == "score" else f"Estimated {TITLES[what]}")
    said = _agreement_text(rows, what)
    panel.text(0.5, 1.01, said, transform=panel.transAxes, fontsize=7, ha="center", color=INK)


def error_boxes(judgements: Sequence[Judgement], quality: str = "dice") -> Figure:
    """Estimated less true quality, a box per estimator and structure.

    Boxes span the quartiles, whiskers reach 1.5 times their distance; beyond are single points.
    """
    structures = [n for n in dict.fromkeys(r.structure for r in judgements) if n not in BESIDE]
    structures = [name for name in structures if name != ALL or len(structures) != 2]
    names = [n for n in estimators_of(judgements) if quality in qualities_of(judgements, n)]
    figure, (axes,) = panels(1, max(4.0, 1.2 + 0.42 * len(names) * len(structures)), 3.4)
    width = 0.8 / len(structures)
    for column, (structure, (colour, _)) in enumerate(looks(structures).items()):
        errors = [_errors(judgements, name, structure, quality) for name in names]
        shift = (column - (len(structures) - 1) / 2) * width
        places = [place + shift for place in range(len(names))]
        _boxes(axes, errors, places, width, colour, structure)
    axes.axhline(0, color=INK, linewidth=0.8, zorder=0)
    _name_boxes(axes, judgements, names, quality)
    axes.set_ylabel(f"Estimated less true {TITLES[quality]}")
    figure.legend(loc="outside upper center", ncols=6, frameon=False, fontsize=8)
    return figure


def _errors(
    judgements: Sequence[Judgement], estimator: str, structure: str, quality: str
) -> NDArray[np.float64]:
    """Estimated less true quality of one structure, where both are known, ``[N]``."""
    own = [r for r in judgements if r.estimator == estimator and r.structure == structure]
    true, predicted = finite_pairs(*values_of(own, quality))
    return predicted - true


def _name_boxes(
    axes: Axes, judgements: Sequence[Judgement], names: Sequence[str], quality: str
) -> None:
    """Below the boxes of each estimator: its name, and how many predictions they show."""
    counts = [_count(judgements, name, quality) for name in names]
    labels = [f"{plain(name)}\nn = {n}" for name, n in zip(names, counts, strict=True)]
    axes.set_xticks(range(len(names)), labels)
    axes.set_xlim(-0.5, len(names) - 0.5)


def risk_coverage_curves(judgements: Sequence[Judgement]) -> Figure:
    """Mean 1 - Dice of what is accepted over the share accepted, for every estimator.

    With the curves of the best possible order and of a random one.
    """
    figure, (axes,) = panels(1, 6.4, 3.8)
    shown = _shown(judgements, "dice", ALL)
    coloured = zip(shown.items(), looks(shown).values(), strict=True)
    for (estimator, (own, what)), (colour, _) in coloured:
        true, predicted = values_of(own, what)
        curve = risk_coverage(true, predicted)
        label = f"{plain(estimator)}: {aurc(true, predicted):.3f} (n = {len(curve.risk)})"
        axes.plot(curve.coverage, curve.risk, linewidth=1.4, label=label, color=colour)
    _draw_orders(axes, true_means(judgements))
    axes.set(xlim=(0, 1), xlabel="Coverage: share accepted", ylabel="Risk: mean of 1 - Dice")
    axes.set_ylim(bottom=0)
    figure.legend(
        loc="outside right center", frameon=False, fontsize=8, title="AURC", title_fontsize=8
    )
    return figure


def _draw_orders(axes: Axes, true: NDArray[np.float64]) -> None:
    """The curves of the best possible order and of a random one, by true Dice ``[N]``."""
    best, chance = risk_coverage(true, true), float(1 - np.nanmean(true))
    label = f"best order: {aurc(true, true):.3f}"
    axes.plot(best.coverage, best.risk, color=INK, linestyle=":", linewidth=1, label=label)
    label = f"random order: {chance:.3f}"
    axes.plot([0, 1], [chance, chance], color=INK, linestyle="--", linewidth=1, label=label)


def true_means(judgements: Sequence[Judgement]) -> NDArray[np.float64]:
    """True Dice of each prediction, mean over its structures, ``[N]``; NaN where none is known."""
    values: dict[int, list[float]] = {}
    first = judgements[0].estimator
    for row in judgements:
        if row.estimator == first and is_part(row):
            values.setdefault(row.item, []).append(row.true_dice)
    known = [[value for value in dice if math.isfinite(value)] for dice in values.values()]
    return np.array([np.mean(dice) if dice else math.nan for dice in known])


def _shown(
    judgements: Sequence[Judgement], quality: str, structure: str
) -> dict[str, tuple[list[Judgement], str]]:
    """Of each estimator that can be shown: its rows, and which of its estimates to show."""
    shown = {}
    for name in estimators_of(judgements):
        given = qualities_of(judgements, name)
        own = [r for r in judgements if r.estimator == name and r.structure == structure]
        if quality in given:
            shown[name] = (own, quality)
        elif not given and quality == "dice":
            shown[name] = (own, "score")
    return shown


def _agreement_text(rows: Sequence[Judgement], what: str) -> str:
    """Correlation and error with their 95 % intervals, and how many predictions and studies.

    A score need not be on the scale of the Dice: of it, only the rank correlation is told.
    """
    true, predicted = values_of(rows, what)
    known = np.isfinite(true) & np.isfinite(predicted)
    studies = {row.study for row, is_known in zip(rows, known, strict=True) if is_known}
    n = f"n = {known.sum()} of {len(studies)} studies"
    if what == "score":
        return f"Spearman {spearman(true, predicted).coefficient:.3f}, {n}"
    intervals = bootstrap(true, predicted, [row.subject or row.study for row in rows])
    r = _figure_text("r", pearson(true, predicted).coefficient, intervals.pearson)
    mae = _figure_text("MAE", absolute_error(true, predicted).mean, intervals.mae)
    return f"{r}, {mae}\n{n}"


def _figure_text(name: str, value: float, interval: Interval) -> str:
    """A figure with its interval, ``name 0.812 [0.790, 0.834]``; a hyphen where it is NaN."""
    if not math.isfinite(value):
        return f"{name} -"
    ends = f" [{interval[0]:.3f}, {interval[1]:.3f}]" if math.isfinite(interval[0]) else ""
    return f"{name} {value:.3f}{ends}"


def _boxes(
    axes: Axes,
    errors: Sequence[NDArray[np.float64]],
    places: Sequence[float],
    width: float,
    colour: str,
    structure: str,
) -> None:
    """A filled box for each of ``errors``, at ``places``; the first names its structure."""
    thin = {"color": INK, "linewidth": 0.8}
    boxes = axes.boxplot(
        errors,
        positions=places,
        widths=0.8 * width,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": colour, "alpha": 0.6, "linewidth": 0},
        medianprops={"color": INK, "linewidth": 1.5},
        whiskerprops=thin,
        capprops=thin,
        flierprops={**OUTLIERS, "markerfacecolor": colour},
    )
    boxes["boxes"][0].set_label("mean over structures" if structure == ALL else plain(structure))


def _count(judgements: Sequence[Judgement], estimator: str, quality: str) -> int:
    """Predictions with a true and an estimated quality over all structures."""
    own = [row for row in judgements if row.estimator == estimator and row.structure == ALL]
    return len(finite_pairs(*values_of(own, quality))[0])
