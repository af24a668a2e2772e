"""What a run found: gathered, and kept as tables.

``results/`` holds a CSV for each table and the overlays, ``models/`` the final segmenter of each
scenario and seed, ``qc/`` the fitted estimators. These are all that ``semiqc report``,
``predict``, ``evaluate`` and ``export`` read, but for the pseudo-labels themselves, which stay in
their stages.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qc import CONSENSUS, Blend, QualityEstimator
from qc.saving import save_estimator
from semiqc.experiment.data import Data, LabelRow
from semiqc.experiment.fitting import ESTIMATOR
from semiqc.experiment.trained import Trained
from semiqc.experiment.training_log import FILE, read_log
from semiqc.files.atomic import whole_file, write_text
from semiqc.files.names import as_file_name
from semiqc.files.tables import (
    CheckpointRow,
    ClinicalRow,
    CorrectionRow,
    CurveRow,
    GradedRow,
    JudgementRow,
    OverlapRow,
    PseudoRow,
    SplitRow,
    SpoiltRow,
    TrainingRow,
    VerdictRow,
    write_rows,
)
from semiqc.work.stages import Stage

if TYPE_CHECKING:
    from semiqc.experiment.views import Window
    from semiqc.report import Overlay
    from semiqc.report.explained import Explained, SearchPath
    from semiqc.report.views import StudyViews
    from semiqc.review.run_queue import Queued

TABLES: dict[str, type[Any]] = {
    "split": SplitRow,
    "dirty": SpoiltRow,
    "overlap": OverlapRow,
    "clinical": ClinicalRow,
    "corrections": CorrectionRow,
    "curves": CurveRow,
    "judgements": JudgementRow,
    "pseudo": PseudoRow,
    "training": TrainingRow,
    "verdicts": VerdictRow,
    "labels": LabelRow,
}
"""Tables of a run by the name of their file in ``results/``."""

FORMAT = 2
"""Of runs; since 2 each has a manifest, and says which data it is of."""

FILES = "files.json"
"""Checksums of what was imported, in ``results/`` where the data is no store."""

CHECKPOINTS = "checkpoints.csv"
"""Table of the weights, in ``results/`` where there are several kinds of them."""

GRADED = "graded.csv"
"""Table of what the estimators learned from, in ``results/``; runs of earlier versions lack it."""


@dataclass
class Results:
    """Rows and models of a run, as they come.

    Args:
        data: What the run works on.
        split: Who is used for what.
        suite: By title, what is to be known of the suite that judges; empty without one.
    """

    data: Data
    split: list[SplitRow]
    suite: Mapping[str, str] = field(default_factory=dict)
    overlap: list[OverlapRow] = field(default_factory=list)
    clinical: list[ClinicalRow] = field(default_factory=list)
    corrections: list[CorrectionRow] = field(default_factory=list)
    curves: list[CurveRow] = field(default_factory=list)
    judgements: list[JudgementRow] = field(default_factory=list)
    pseudo: list[PseudoRow] = field(default_factory=list)
    verdicts: list[VerdictRow] = field(default_factory=list)
    queue: "list[Queued]" = field(default_factory=list)
    checkpoints: list[CheckpointRow] = field(default_factory=list)
    graded: list[GradedRow] = field(default_factory=list)
    explained: "list[Explained | SearchPath]" = field(default_factory=list)
    overlays: "list[Overlay]" = field(default_factory=list)
    views: "dict[str, tuple[StudyViews, Window]]" = field(default_factory=dict)
    views_of_pool: "list[StudyViews]" = field(default_factory=list)
    models: dict[tuple[str, int], Trained] = field(default_factory=dict)
    estimators: dict[tuple[str, int], tuple[Stage, QualityEstimator]] = field(default_factory=dict)
    blends: dict[int, Blend] = field(default_factory=dict)

    @property
    def dirty(self) -> Sequence[SpoiltRow]:
        """Which unlabelled studies were spoilt, and how."""
        return self.data.dirty

    @property
    def labels(self) -> Sequence[LabelRow]:
        """Frames that an expert labelled since the store was made."""
        return self.data.labels

    @property
    def training(self) -> list[TrainingRow]:
        """What the trainings of the scenarios' models reported."""
        return [
            TrainingRow(f"{scenario}, seed {seed}", row.step, row.term, row.value)
            for (scenario, seed), trained in self.models.items()
            for stage in trained.stages
            for row in read_log(stage.folder / FILE)
        ]


def model_file(run: Path, scenario: str, seed: int) -> Path:
    """Where a run keeps the weights of a scenario's final segmenter."""
    return run / "models" / f"{as_file_name(scenario)}-seed{seed}.safetensors"


def estimator_file(run: Path, estimator: str, seed: int) -> Path:
    """Where a run keeps a fitted quality estimator."""
    return run / "qc" / f"{as_file_name(estimator)}-seed{seed}.safetensors"


def write_results(results: Results, run: Path) -> None:
    """Leave tables, overlays, models and estimators in the folder ``run``."""
    # What a report shows is nothing that makes stages needs.
    from semiqc.experiment.explaining import FILE as EXPLAINED
    from semiqc.experiment.explaining import write_explained
    from semiqc.experiment.overlays import write_overlays
    from semiqc.experiment.views import write_views

    folder = run / "results"
    for name, kind in TABLES.items():
        write_rows(folder / f"{name}.csv", kind, getattr(results, name))
    write_rows(folder / CHECKPOINTS, CheckpointRow, results.checkpoints)
    write_rows(folder / GRADED, GradedRow, results.graded)
    write_overlays(folder / "overlays.h5", results.overlays)
    write_explained(folder / EXPLAINED, results.explained)
    shown = [views for views, _ in results.views.values()]
    write_views(folder / "views.h5", [*shown, *results.views_of_pool])
    for (scenario, seed), trained in results.models.items():
        _copy(trained.path, model_file(run, scenario, seed))
    figures: dict[str, Mapping[str, float]] = {}
    for (name, seed), (stage, estimator) in results.estimators.items():
        _copy(stage.folder / ESTIMATOR, estimator_file(run, name, seed))
        figures[f"{name}, seed {seed}"] = estimator.measured()
    for seed, blend in results.blends.items():
        save_estimator(blend, estimator_file(run, CONSENSUS, seed))
    if results.data.files:
        write_text(folder / FILES, json.dumps(dict(results.data.files), indent=1) + "\n")
    described = _described(results.data, figures) | {"suite": dict(results.suite)}
    write_text(folder / "data.json", json.dumps(described, indent=1) + "\n")


def _described(data: Data, figures: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """What ``data.json`` holds, beside the settings all that a finished run is read by.

    Args:
        data: Its in-plane spacing, in mm, is that of all its studies.
        figures: Of each estimator and seed, what it noted of its own fit.
    """
    store = data.store
    return {
        "format": FORMAT,
        "fingerprint": store.as_given.fingerprint(),
        "scheme": store.scheme.to_json(),
        "modalities": list(store.modalities),
        "spacing_mm": next(iter(store)).spacing[1],
        "left_out": list(data.left_out),
        "notes": list(data.notes),
        "estimators": figures,
    }


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that ``target`` is there whole or not at all."""
    with whole_file(target) as temporary:
        shutil.copyfile(source, temporary)
