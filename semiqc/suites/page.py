"""The page of an evaluation: who judges best, by how much, and where they err."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qc.evaluation import Evaluation
from qc.evaluation.figures import FigureRow
from qc.evaluation.judgement import ALL
from qc.evaluation.map_examples import MapExample
from qc.evaluation.plots import pictures, scatter
from qc.evaluation.plots_of_slices import slice_scatter
from qc.evaluation.reliability import reliability_curves
from semiqc.pages.drawing import Picture, as_png, structure_colours
from semiqc.pages.html import write_html
from semiqc.pages.mosaic import row_of, tile, tinted
from semiqc.pages.table import number_text, p_text
from semiqc.schemes import LabelScheme
from semiqc.suites.page_tables import tables_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"
DOTS_PER_INCH = 110

CAPTIONS = {
    "scatter_dice": "Estimated against true Dice, mean over structures; dashed: equality.",
    "scatter_nsd": "Estimated against true surface Dice, mean over structures.",
    "risk_coverage": "What is accepted in the order of the estimates, and how bad it is.",
    "errors_dice": "Estimated less true Dice: quartiles, and 1.5 times their distance.",
    "errors_nsd": "Estimated less true surface Dice.",
    "balance": "How many segmentations of each Dice were there, and were judged.",
    "calibration": "Of each tenth of the estimates, the mean of what is true.",
    "slices": "Estimated against true 2-D Dice of single slices.",
}
"""What each picture shows; its name without the extension."""


@dataclass(frozen=True)
class Judges:
    """What the page says of who was asked about what.

    Args:
        suites: Their folders.
        graded: File of graded segmentations.
        left_out: Studies that a suite had learned from.
        is_balanced: Whether as many were drawn from each tenth of the Dice.
    """

    suites: Sequence[Path]
    graded: Path
    left_out: Sequence[str] = ()
    is_balanced: bool = False


def write_evaluation_page(
    evaluation: Evaluation,
    figures: Sequence[FigureRow],
    scheme: LabelScheme,
    judges: Judges,
    folder: Path,
) -> Path:
    """Write the page as one HTML file, whole or not at all.

    Args:
        evaluation: What was judged.
        figures: Its table.
        scheme: Of the segmentations.
        judges: Who was asked.
        folder: Where it is written; one that is there is replaced.

    Returns:
        The file.
    """
    output = folder / PAGE
    write_html(
        "semiqc.suites",
        output,
        judges=judges,
        counts=_counts(evaluation),
        findings=findings(evaluation, figures),
        overview=_overview(evaluation),
        structures=_of_structures(evaluation, scheme),
        maps=[_map_picture(one, scheme) for one in evaluation.maps],
        colours=list(structure_colours(scheme).items()),
        tables=tables_of(evaluation, figures),
    )
    return output


def findings(evaluation: Evaluation, figures: Sequence[FigureRow]) -> list[str]:
    """What to know first, a sentence each."""
    rows = [row for row in figures if row.by == row.structure == ALL and row.quality == "dice"]
    rows = [row for row in rows if row.n]
    if not rows:
        return ["No estimator gives a Dice; they are compared by how they rank."]
    most = max(row.n for row in rows)
    best = min((row for row in rows if row.n == most), key=lambda row: row.mae)
    said = [
        f"Of those that judge all {most} segmentations {best.estimator} errs least: MAE"
        f" {number_text(best.mae, 3)} of the mean Dice, r {number_text(best.pearson, 3)}, bias"
        f" {number_text(best.bias, 3, signed=True)}."
    ]
    said += [
        f"{row.covered:.0%} of the true Dice lie in the intervals of {row.estimator}, whose mean"
        f" length is {number_text(row.length, 2)}."
        for row in rows
        if row.covered == row.covered
    ]
    return said + _surpassed(evaluation, best.estimator)


def _surpassed(evaluation: Evaluation, best: str) -> list[str]:
    """Against whom the best is better by more than chance explains, and against whom not."""
    rows = [row for row in evaluation.pairs() if (row.quality, row.structure) == ("dice", ALL)]
    found: dict[bool, list[str]] = {True: [], False: []}
    for row in rows:
        if best in (row.first, row.second):
            other = row.second if row.first == best else row.first
            found[bool(row.wilcoxon_holm < 0.05)].append(f"{other} ({p_text(row.wilcoxon_holm)})")
    words = {
        True: "Its errors differ from those of",
        False: "They are not told apart from those of",
    }
    tail = "; Wilcoxon's p, adjusted by Holm, in brackets."
    return [f"{words[key]} {', '.join(names)}{tail}" for key, names in found.items() if names]


def _counts(evaluation: Evaluation) -> tuple[int, int]:
    """Segmentations, and the studies that they are of."""
    rows = evaluation.judgements
    return len({row.item for row in rows}), len({row.study for row in rows})


def _overview(evaluation: Evaluation) -> list[Picture]:
    """Pictures of all segmentations, means over structures."""
    drawn: Mapping[str, Figure] = pictures(evaluation.judgements, evaluation.population)
    tenths = evaluation.reliability()
    if tenths:
        drawn = {**drawn, "calibration": reliability_curves(tenths)}
    order = [name for name in CAPTIONS if name in drawn]
    return [_picture(drawn[name], CAPTIONS[name]) for name in order]


def _of_structures(evaluation: Evaluation, scheme: LabelScheme) -> list[Picture]:
    """Estimated against true Dice of each structure, and of its slices."""
    told = {row.structure for row in evaluation.judgements if row.dice == row.dice}
    names = [part.name for part in scheme.structures if part.name in told]
    found = [
        _picture(
            scatter(evaluation.judgements, "dice", name),
            "Estimated against true Dice; dashed: equality.",
            name,
        )
        for name in names
    ]
    if evaluation.slices:
        found.append(_picture(slice_scatter(evaluation.slices), CAPTIONS["slices"], "Slices"))
    return found


def _picture(figure: "Figure", caption: str, title: str = "") -> Picture:
    with warnings.catch_warnings():
        # Names in a script that the font lacks are drawn as boxes.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        return Picture(as_png(figure, DOTS_PER_INCH), f"{title} {caption}".strip(), caption, title)


def _map_picture(one: MapExample, scheme: LabelScheme) -> Picture:
    """The segmentation, the errors that are estimated, and those that are."""
    grey = _grey(one.image)
    tiles = [
        tile(grey, one.labels, scheme),
        tinted(grey, one.estimated),
        tinted(grey, one.true),
    ]
    made = f", {one.source}" if one.source else ""
    caption = (
        f"{one.study}{made}, frame {one.frame + 1}, slice {one.slice_ + 1}: segmentation, then"
        f" estimated and true errors in {one.structure}, Dice {number_text(one.true_dice, 2)}"
    )
    return Picture(row_of(tiles), caption, caption, one.estimator)


def _grey(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """From the 1st to the 99th percentile of the slice."""
    low, high = np.percentile(image, (1, 99))
    scaled = (image - low) / max(float(high - low), 1e-6)
    grey: NDArray[np.uint8] = (255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    return grey
