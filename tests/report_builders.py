"""Plain functions that build what a report shows: a made-up run of five scenarios."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semiqc.files.tables import (
    ClinicalRow,
    CorrectionRow,
    CurveRow,
    GradedRow,
    JudgementRow,
    OverlapRow,
    SplitRow,
    TrainingRow,
)
from semiqc.measuring.metrics import METRICS
from semiqc.pages.table import Table
from semiqc.report import CANDIDATES, MANUAL, Overlay, ReportData, build_report
from semiqc.schemes import SHORT_AXIS, LabelScheme

SCENARIOS = (
    ("full", "Full data set"),
    ("few", "Few labels"),
    ("random", "Self-training, no QC"),
    ("crf", "Self-training, no QC, CRF"),
    ("semiqc", "semiQCSeg"),
)
LEVELS = {"full": 0.9, "few": 0.76, "random": 0.79, "crf": 0.80, "semiqc": 0.83}
GROUPS = ("NOR", "DCM", "HCM", "MINF", "RV")
GATED = ("random", "crf", "semiqc")


def figures(*numbers: float) -> dict[str, float]:
    """Numbers by the names of the metrics."""
    return dict(zip(METRICS, numbers, strict=True))


def empty_report(**fields) -> ReportData:
    """A run of which nothing is known but its scenarios."""
    blank = ReportData("a run", "seeds: [0]\n", {"python": "3.11"}, SHORT_AXIS, SCENARIOS)
    return replace(blank, **fields)


def full_report(studies: int = 15, seeds: int = 1, scheme: LabelScheme = SHORT_AXIS) -> ReportData:
    """A run with every table, in which semiqc is better than few by about .07 Dice."""
    names = [f"phantom{number:03d}" for number in range(studies)]
    candidates = [f"candidate{number:03d}" for number in range(20)]
    return empty_report(
        scheme=scheme,
        split=[SplitRow(n, n, GROUPS[i % 5], "test") for i, n in enumerate(names)]
        + [SplitRow(n, n, GROUPS[i % 5], "unlabelled") for i, n in enumerate(candidates)]
        + [SplitRow(f"labelled{i}", f"labelled{i}", GROUPS[i], "labelled") for i in range(4)],
        overlap=[row for seed in range(seeds) for row in overlap_rows(names, scheme, seed)],
        clinical=clinical_rows(names),
        curves=curve_rows(candidates),
        corrections=correction_rows(names),
        judgements=judgement_rows(candidates),
        graded=graded_rows(),
        training=training_rows(),
        overlays=[overlay(key, rank) for key, _ in SCENARIOS for rank in ("best", "worst")]
        + [overlay("semiqc", "median")],
        left_out=["patient007: image holds NaN"],
        by_chance={"crf": "random", "semiqc": "random"},
        at_random=["random", "crf"],
        estimator_figures={"curve, seed 0": {"auc": 0.91, "sensitivity": 0.95}},
    )


@cache
def built_report() -> tuple[str, Mapping[str, Table]]:
    """The page of ``full_report()``, which takes seconds to draw, and its tables by name."""
    with tempfile.TemporaryDirectory() as folder:
        tables = build_report(full_report(), Path(folder) / "report.html")
        page = (Path(folder) / "report.html").read_text(encoding="utf-8")
    return page, {table.name: table for table in tables}


def graded_rows() -> list[GradedRow]:
    """Two segmentations of each of ten studies; one estimator is near, one tells the LV alone."""
    return [
        GradedRow(
            0,
            f"qc{number}",
            source,
            structure,
            dice := 0.04 * number + (0.5 if source == "last" else 0.0),
            {"svr": dice + 0.05} | ({"cnn": dice + 0.2} if structure == "LV" else {}),
        )
        for number in range(10)
        for source in ("first", "last")
        for structure in ("LV", "MYO", "RV")
    ]


def overlap_rows(names: list[str], scheme: LabelScheme, seed: int) -> list[OverlapRow]:
    generator = np.random.default_rng(seed)
    rows = []
    for number, name in enumerate(names):
        hardness = 0.12 * np.sin(number)
        for key, _ in SCENARIOS:
            for frame in (0, 9):
                for structure in scheme.structures:
                    dice = np.clip(
                        LEVELS[key] + hardness * (1.5 - LEVELS[key]) + generator.normal(0, 0.02),
                        0,
                        1,
                    )
                    rows.append(
                        OverlapRow(
                            seed, key, name, GROUPS[number % 5], frame, structure.name,
                            figures(float(dice), float(dice**0.5), float(30 * (1 - dice))),
                        )
                    )  # fmt: skip
    return rows


def clinical_rows(names: list[str]) -> list[ClinicalRow]:
    generator = np.random.default_rng(1)
    rows = []
    for name in names:
        for structure in ("LV", "RV"):
            end_diastolic, fraction = generator.normal(150, 35), generator.normal(56, 7)
            for key in (MANUAL, *LEVELS):
                error = 0 if key == MANUAL else generator.normal(1, 4) / LEVELS[key]
                for measure, unit, value in (
                    ("EDV", "ml", end_diastolic + 2 * error),
                    ("EF", "%", fraction + error),
                ):
                    rows.append(ClinicalRow(0, key, name, "", structure, measure, unit, value))
    return rows


def curve_rows(names: list[str]) -> list[CurveRow]:
    generator = np.random.default_rng(2)
    phase = np.linspace(0, 2 * np.pi, 25)
    rows = []
    for number, name in enumerate(names):
        for structure, size in (("LV", 120.0), ("MYO", 90.0), ("RV", 140.0)):
            beat = size * (0.75 + 0.25 * np.cos(phase)) if structure != "MYO" else size + 0 * phase
            beat = beat + generator.normal(0, 1 + 0.8 * number, len(phase))
            rows += [
                CurveRow(0, CANDIDATES, name, structure, frame, float(max(value, 0)), "ml")
                for frame, value in enumerate(beat)
            ]
    return rows


def correction_rows(names: list[str]) -> list[CorrectionRow]:
    """Every third study has a failed slice, whose replacement brings EF from 8 to 2 points off."""
    return [
        CorrectionRow(
            0, "semiqc", name, "LV", "EF", "%", 50 + 8 * failed, 50 + 2 * failed, 50.0, int(failed)
        )
        for name, failed in ((name, number % 3 == 0) for number, name in enumerate(names))
    ]


def judgement_rows(names: list[str]) -> list[JudgementRow]:
    generator = np.random.default_rng(3)
    rows = []
    for key in GATED:
        chosen = set(names[:8] if key == "semiqc" else generator.permutation(names)[:8])
        for number, name in enumerate(names):
            rows.append(
                JudgementRow(
                    0, key, 1, name, GROUPS[number % 5], "curve",
                    score=float(np.clip(0.95 - 0.04 * number, 0, 1)),
                    is_good=number < 12,
                    admitted=name in chosen,
                    reason=f"rank {number + 1} of 20",
                    true_dice=float(0.85 - 0.02 * number + generator.uniform(-0.08, 0.08)),
                    scores={"cnn": 0.1 + 0.04 * number, "curve": 0.95 - 0.04 * number},
                )
            )  # fmt: skip
    return rows


def training_rows() -> list[TrainingRow]:
    generator = np.random.default_rng(4)
    return [
        TrainingRow(f"{key}, seed 0", step, term, float(np.exp(-step / 100) + noise))
        for key, _ in SCENARIOS
        for term, every in (("loss", 4), ("validation_dice", 50))
        for step, noise in zip(
            range(every, 401, every), generator.normal(0, 0.05, 400), strict=False
        )
    ]


def overlay(scenario: str, rank: str) -> Overlay:
    """A ring with a cavity, predicted a little off."""
    reference = rings(48.0, 50.0)
    image = np.take([0.1, 0.9, 0.3, 0.95], reference).astype(np.float32)
    image += np.random.default_rng(5).normal(0, 0.05, image.shape).astype(np.float32)
    return Overlay(
        scenario, rank, f"phantom {rank}", 3, 1, image, rings(50.0, 49.0), reference, 0.81
    )


def rings(row: float, column: float) -> NDArray[np.int8]:
    """Labels of a short-axis slice, [96, 104]."""
    rows, columns = np.mgrid[:96, :104]
    labels = np.zeros((96, 104), dtype=np.int8)
    labels[np.hypot(rows - row, (columns - column + 20) / 1.3) < 14] = 1
    distance = np.hypot(rows - row, columns - column)
    labels[distance < 16] = 2
    labels[distance < 10] = 3
    return labels
