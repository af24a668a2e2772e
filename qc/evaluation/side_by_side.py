"""One call that judges all estimators on the same graded predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qc.base import Graded, ProgressCallback, Quality, QualityEstimator, unobserved
from qc.consensus.panel import Panel
from qc.evaluation.comparing import GroupRow, PairRow, groups_of, pairs_of
from qc.evaluation.drawing import save
from qc.evaluation.figures import FigureRow
from qc.evaluation.judgement import Judgement
from qc.evaluation.judging import judge
from qc.evaluation.map_examples import MapExample, MapExamples
from qc.evaluation.markdown import (
    groups_markdown,
    markdown_of,
    pairs_markdown,
    slices_markdown,
)
from qc.evaluation.plots import pictures
from qc.evaluation.plots_of_slices import slice_scatter
from qc.evaluation.reliability import ReliabilityRow, reliability, reliability_curves
from qc.evaluation.slices import SliceJudgement, SliceRow, slice_table, slices_of
from qc.evaluation.table import table_of
from qc.evaluation.thresholds import THRESHOLD, QualityThreshold, thresholds_of
from semiqc.files.atomic import write_text
from semiqc.files.tables import write_rows
from semiqc.schemes import LabelScheme

FIGURES = "figures.csv"
SLICES, SLICE_JUDGEMENTS = "slices.csv", "slice_judgements.csv"
PAIRS, GROUPS = "pairs.csv", "healthy.csv"
JUDGEMENTS = "judgements.csv"
CALIBRATION = "calibration"
TABLE = "table.md"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What estimators said of the same graded predictions, and how right they were.

    Args:
        judgements: One row for each estimator, prediction and structure.
        thresholds: Quality from which a segmentation is good, by structure and for ``all``.
        population: Mean true Dice of all predictions that those which are judged were drawn
            from; None where these are all.
        slices: One row for each estimator of slices, prediction, structure and slice.
        maps: Error maps beside the true errors, of few segmentations from poor to good.
    """

    judgements: Sequence[Judgement]
    thresholds: Mapping[str, float]
    population: NDArray[np.float64] | None = None
    slices: Sequence[SliceJudgement] = ()
    maps: Sequence[MapExample] = ()

    def table(self) -> list[FigureRow]:
        """The figures: estimator by quality and structure, overall, by group and by source."""
        return table_of(self.judgements, self.thresholds)

    def pairs(self) -> list[PairRow]:
        """Every two estimators on the same segmentations, with tests of their errors."""
        return pairs_of(self.judgements)

    def groups(self) -> list[GroupRow]:
        """Errors in the healthy and in the others, where there are such groups."""
        return groups_of(self.judgements)

    def reliability(self) -> list[ReliabilityRow]:
        """What is true of those of which about the same Dice is estimated."""
        return reliability(self.judgements)

    def write(self, folder: Path) -> list[FigureRow]:
        """Write figures and single judgements as CSV, a Markdown table, and pictures as PNG.

        Files of these names are replaced.

        Returns:
            The figures, as ``table`` gives them.
        """
        rows = self.table()
        write_rows(folder / FIGURES, FigureRow, rows)
        write_rows(folder / JUDGEMENTS, Judgement, self.judgements)
        pairs, groups = self.pairs(), self.groups()
        write_rows(folder / PAIRS, PairRow, pairs)
        write_rows(folder / GROUPS, GroupRow, groups)
        tenths = self.reliability()
        write_rows(folder / f"{CALIBRATION}.csv", ReliabilityRow, tenths)
        slices = slice_table(self.slices)
        write_rows(folder / SLICES, SliceRow, slices)
        write_rows(folder / SLICE_JUDGEMENTS, SliceJudgement, self.slices)
        tests = [*slices_markdown(slices), *pairs_markdown(pairs), *groups_markdown(groups)]
        write_text(folder / TABLE, "\n".join([markdown_of(rows), *tests]))
        for name, figure in pictures(self.judgements, self.population).items():
            save(figure, folder / f"{name}.png")
        if tenths:
            save(reliability_curves(tenths), folder / f"{CALIBRATION}.png")
        if self.slices:
            save(slice_scatter(self.slices), folder / "scatter_slices.png")
        return rows


def evaluate(
    estimators: Panel | Mapping[str, QualityEstimator],
    graded: Sequence[Graded],
    scheme: LabelScheme,
    *,
    threshold: QualityThreshold = THRESHOLD,
    observe: ProgressCallback = unobserved,
) -> Evaluation:
    """Judge estimators on predictions of known quality that none of them learned from.

    An estimator that gives no Dice, only a score, is judged by how its scores rank the mean true
    Dice; figures of error need the same scale and stay NaN.

    Args:
        estimators: Fitted, by the name they get in table and pictures; or a panel, whose
            consensus is judged too.
        graded: ``qc.graded``'s sets bring true qualities along; of others they are worked out.
        scheme: Whose structures are judged.
        threshold: Quality from which a segmentation is good; one, or one for each structure and,
            where it is not to be their mean, for ``all``.
        observe: Told how many predictions are judged, and of how many.

    Raises:
        ValueError: If there is no estimator or no graded prediction, or the threshold lacks a
            structure or is not in [0, 1].
    """
    thresholds = thresholds_of(threshold, scheme)
    panel = estimators if isinstance(estimators, Panel) else Panel(estimators)
    slices: list[SliceJudgement] = []
    maps = MapExamples(scheme)

    def hear(name: str, item: int, one: Graded, quality: Quality) -> None:
        slices.extend(slices_of(quality, one, scheme, estimator=name, item=item))
        maps.hear(name, one, quality)

    judgements = judge(panel, graded, scheme, observe=observe, hear=hear)
    return Evaluation(judgements, thresholds, slices=slices, maps=maps.all())
