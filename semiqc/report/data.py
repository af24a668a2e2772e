"""What a report is made of, and each study's figures read out of its rows.

``ReportData`` is all that the tables and figures of this package see. It is read from a finished
run or made by hand, so that a report can be built and tested without a training.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from semiqc.files.tables import (
    NAN,
    CheckpointRow,
    ClinicalRow,
    CorrectionRow,
    CurveRow,
    GradedRow,
    JudgementRow,
    OverlapRow,
    SplitRow,
    SpoiltRow,
    TrainingRow,
)
from semiqc.measuring.means import mean_of_known
from semiqc.measuring.statistics import Comparison, compare
from semiqc.measuring.subjects import Subjects
from semiqc.pages.drawing import scenario_colours
from semiqc.report.explained import Explained, SearchPath
from semiqc.report.views import StudyViews
from semiqc.schemes import LabelScheme

MANUAL = "manual"
"""Scenario name of clinical rows that were measured on the reference."""

CANDIDATES = "candidates"
"""Scenario name of the curves of unlabelled studies, as the first segmenter saw them."""

RANKS = ("best", "median", "worst")
"""What an overlay may be in its scenario."""


Key = TypeVar("Key")


@dataclass(frozen=True, eq=False)
class Overlay:
    """One slice of a test study with what a scenario predicted and the reference.

    Args:
        scenario: Key of the scenario.
        rank: Of the study in its scenario, by mean Dice: one of ``RANKS``.
        study: Name of the study.
        frame: Index of the frame.
        slice: Index of the slice.
        image: Intensities, ``[Y, X]``.
        predicted: Class of each voxel, ``[Y, X]``.
        reference: Class of each voxel or ``UNLABELLED``, ``[Y, X]``.
        dice: Mean Dice of the whole study; NaN where it has none.
    """

    scenario: str
    rank: str
    study: str
    frame: int
    slice: int
    image: NDArray[np.float32]
    predicted: NDArray[np.int8]
    reference: NDArray[np.int8]
    dice: float


@dataclass(frozen=True, eq=False)
class ReportData:
    """All that a report shows; any sequence may be empty, any number NaN.

    Args:
        title: Of the run.
        settings: Of the run, as YAML.
        environment: Versions, processor and so on, by name.
        scheme: Structures and what they are measured as.
        scenarios: Key and title of each, in the order of the tables.
        split: What each study was used for.
        dirty: Which unlabelled studies were spoilt, and how.
        overlap: Agreement of the test studies with their references.
        clinical: Clinical measures of the test studies, with those of ``MANUAL``.
        curves: Of the test studies by scenario, and of ``CANDIDATES``.
        corrections: Clinical measures with failed slices replaced.
        judgements: What estimator and gate said of the unlabelled studies.
        checkpoints: How good each kind of weights is, where there are several.
        graded: How good that is which the run's own estimators learned from.
        explained: Where networks looked in the study that each finds worst.
        paths: Where the search on a manifold went, likewise.
        training: Loss terms and figures of the trainings.
        overlays: Best, median and worst test study of each scenario.
        views: Voxels of the test studies and of the unlabelled ones that are shown.
        left_out: What the run left out, and why; a line each.
        notes: What is odd about the files of the studies; a line each.
        by_chance: Of scenarios that choose pseudo-labels, the one that takes them by chance.
        at_random: Scenarios like the one of reference that take pseudo-labels by chance, refined
            or not.
        at_all: Likewise, those that take all unlabelled studies.
        choosing: Scenarios whose gate is to choose, and not to take all.
        estimator_figures: How each estimator did where the truth was known, by its name.
        suite: By title, what is to be known of the suite that judged; empty where the run fitted
            its own estimators.
        reference_scenario: Which the others are compared with.
        baseline_scenario: Against which the change of each study is shown.
        best_scenario: What all labels achieve; with the baseline, the gap to be closed.
        folder: Of the run, for the commands that the page names; empty where none follows.
    """

    title: str
    settings: str
    environment: Mapping[str, str]
    scheme: LabelScheme
    scenarios: Sequence[tuple[str, str]]
    split: Sequence[SplitRow] = ()
    dirty: Sequence[SpoiltRow] = ()
    overlap: Sequence[OverlapRow] = ()
    clinical: Sequence[ClinicalRow] = ()
    curves: Sequence[CurveRow] = ()
    judgements: Sequence[JudgementRow] = ()
    corrections: Sequence[CorrectionRow] = ()
    checkpoints: Sequence[CheckpointRow] = ()
    graded: Sequence[GradedRow] = ()
    explained: Sequence[Explained] = ()
    paths: Sequence[SearchPath] = ()
    training: Sequence[TrainingRow] = ()
    overlays: Sequence[Overlay] = ()
    views: Sequence[StudyViews] = ()
    left_out: Sequence[str] = ()
    notes: Sequence[str] = ()
    by_chance: Mapping[str, str] = field(default_factory=dict)
    at_random: Sequence[str] = ()
    at_all: Sequence[str] = ()
    choosing: Sequence[str] = ()
    estimator_figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    suite: Mapping[str, str] = field(default_factory=dict)
    reference_scenario: str = "semiqc"
    baseline_scenario: str = "few"
    best_scenario: str = "full"
    folder: str = ""

    def scenario_title(self, key: str) -> str:
        """Title of a scenario; its key where it has none."""
        return dict(self.scenarios).get(key, key)

    @property
    def colours(self) -> dict[str, str]:
        """Colour of each scenario, the same in every figure."""
        return scenario_colours([key for key, _ in self.scenarios])

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of which there are overlaps."""
        return tuple(sorted({row.seed for row in self.overlap}))

    @property
    def test_studies(self) -> tuple[str, ...]:
        """Studies of which there are overlaps, sorted."""
        return tuple(sorted({row.study for row in self.overlap}))

    @property
    def subjects(self) -> Subjects:
        """Whom each study is of, where ``split`` tells it."""
        return {row.study: row.subject for row in self.split}

    @property
    def has_several_structures(self) -> bool:
        """Whether a mean over structures says anything beside theirs."""
        return len(self.scheme.structures) > 1

    def overlap_of(
        self,
        scenario: str,
        figure: str = "dice",
        structure: str | None = None,
        seed: int | None = None,
    ) -> dict[str, float]:
        """One number for each test study: the unit of every comparison.

        The mean over the study's frames, of that over structures, of that over seeds. What is
        NaN, a structure that neither segmentation has, is left out of the mean.

        Args:
            scenario: Key of the scenario.
            figure: One of ``semiqc.measuring.metrics.METRICS``.
            structure: Only this one; None means the mean over structures.
            seed: Only this one; None means the mean over seeds.
        """
        cells = (
            ((row.study, row.seed, row.structure), row.figures.get(figure, NAN))
            for row in self.overlap
            if row.scenario == scenario
            and structure in {None, row.structure}
            and seed in {None, row.seed}
        )
        by_structure = means_of(cells)
        by_seed = means_of(((study, s), value) for (study, s, _), value in by_structure.items())
        return means_of((study, value) for (study, _), value in by_seed.items())

    def compared(
        self, first: str, second: str, figure: str = "dice", structure: str | None = None
    ) -> Comparison:
        """One scenario compared with another, study by study; see ``overlap_of``."""
        of_first, of_second = (self.overlap_of(key, figure, structure) for key in (first, second))
        return compare(of_first, of_second, self.subjects)

    def clinical_of(self, scenario: str, structure: str, measure: str) -> dict[str, float]:
        """One number for each test study, averaged over seeds; NaN where it failed in one."""
        found: dict[str, list[float]] = {}
        for row in self.clinical:
            if (row.scenario, row.structure, row.measure) == (scenario, structure, measure):
                found.setdefault(row.study, []).append(row.value)
        return {study: sum(values) / len(values) for study, values in found.items()}


def means_of(cells: Iterable[tuple[Key, float]]) -> dict[Key, float]:
    """Mean of the finite numbers of each key; NaN where it has none."""
    found: dict[Key, list[float]] = {}
    for key, value in cells:
        found.setdefault(key, []).append(value)
    return {
        key: mean_of_known(value for value in values if not math.isinf(value))
        for key, values in found.items()
    }
