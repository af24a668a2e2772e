"""The report: one file that needs nothing beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semiqc.pages.drawing import Picture, structure_colours
from semiqc.pages.html import write_html
from semiqc.pages.table import NOTHING, Table, number_text
from semiqc.report.accepted import coverage_plots
from semiqc.report.answer import answers
from semiqc.report.behind import figure_tables
from semiqc.report.bland_altman import bland_altman_plots
from semiqc.report.data import RANKS, Overlay, ReportData
from semiqc.report.explained import looked_at, path_plots
from semiqc.report.figures import box_plots, change_plots, training_plots
from semiqc.report.forest import forest
from semiqc.report.graded import balance_plots, estimate_plots
from semiqc.report.hearts import hearts
from semiqc.report.judged import curve_plots, score_plots
from semiqc.report.next_steps import next_steps
from semiqc.report.overlaid import overlay_picture
from semiqc.report.roc import roc_plots
from semiqc.report.side_by_side import side_by_side
from semiqc.report.study_pages import anchors, how_chosen, study_parts
from semiqc.report.summary import findings, trust
from semiqc.report.tables import summary_tables
from semiqc.report.telling_apart import told_apart
from semiqc.report.worth_looking import worth_looking

TITLES = {
    "segmentation": "Segmentation",
    "change": "Per-case change",
    "clinical": "Clinical measures",
    "control": "Quality control",
    "overlays": "Overlays",
    "studies": "Study by study",
    "training": "Training",
    "run": "The run",
}
"""Sections of the page, in its order."""

SECTIONS = {
    "segmentation": ("boxes",),
    "change": ("changes",),
    "clinical": ("agreements",),
    "control": ("scores", "admitted", "rejected"),
    "overlays": ("overlays",),
    "studies": ("studies",),
    "training": ("trainings",),
}
"""Figures that each section shows beside its tables."""

MISSING = {
    "scores": "No judged study has a reference, so scores cannot be compared with true Dice.",
    "overlays": "No test study could be shown with its reference.",
    "trainings": "No training was recorded.",
}
"""Said of figures that are empty."""


@dataclass(frozen=True)
class OverlayRow:
    """The overlays of one scenario, one for each of ``RANKS``; None where there is none."""

    title: str
    colour: str
    pictures: Sequence[Picture | None]


def build_report(data: ReportData, output: Path, lead: str = "") -> list[Table]:
    """Write the report as one HTML file, whole or not at all.

    It holds its figures and style, loads nothing and runs only the script that sorts tables. What
    is empty or NaN is named as missing.

    Args:
        data: What to show.
        output: File to write; one that is there is replaced.
        lead: Said before all that limits the answers.

    Returns:
        The tables of the page, and those behind its figures.
    """
    parts = _parts(data)
    parts["trust"] = [*([lead] if lead else []), *parts["trust"]]
    write_html("semiqc.report", output, data=data, **parts)
    return [*parts["tables"].values(), *figure_tables(data)]


def _parts(data: ReportData) -> dict[str, Any]:
    """What the template shows, by name; it refuses to be without one that it uses."""
    parts = _figures_and_tables(data)
    return parts | {
        "sections": _sections(parts),
        "missing": _missing(parts),
        "anchors": anchors(parts["studies"]),
        "answers": [*answers(data), told_apart(data)],
        "forest": forest(data),
        "look_at": worth_looking(data),
        "next_steps": next_steps(data),
        "trust": [*trust(data), *findings(data)[:1]] if data.overlap else findings(data),
        "hearts": hearts(data),
        "same": side_by_side(data),
        "scenarios": _legend(data),
        "structures": list(structure_colours(data.scheme).items()),
        "ranks": RANKS,
    }


def _figures_and_tables(data: ReportData) -> dict[str, Any]:
    """What the sections are made of; a figure or a table that cannot be had is empty."""
    admitted, rejected = curve_plots(data)
    return {
        "tables": {table.name: table for table in summary_tables(data)},
        "studies": study_parts(data),
        "how_chosen": how_chosen(data),
        "estimators": _estimators(data),
        "boxes": box_plots(data),
        "changes": change_plots(data),
        "agreements": bland_altman_plots(data),
        "scores": score_plots(data),
        "coverage": [*coverage_plots(data), *roc_plots(data)],
        "estimates": estimate_plots(data),
        "balance": balance_plots(data),
        "looked": [*looked_at(data.explained), *path_plots(data.paths)],
        "admitted": admitted,
        "rejected": rejected,
        "trainings": training_plots(data),
        "overlays": _overlays(data),
    }


def _sections(parts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Anchor and title of each section that has something to show."""
    found = {section for section, names in SECTIONS.items() if any(parts[name] for name in names)}
    found |= {table.section for table in parts["tables"].values() if table.rows}
    return [(name, title) for name, title in TITLES.items() if name in {*found, "run"}]


def _missing(parts: Mapping[str, Any]) -> list[str]:
    """What the run cannot show and why, each once."""
    said = [table.missing for table in parts["tables"].values() if not table.rows]
    said += [why for name, why in MISSING.items() if not parts[name]]
    return [line for line in dict.fromkeys(said) if line]


def _legend(data: ReportData) -> list[tuple[int, str, str]]:
    """Number from 1, title and colour of each scenario."""
    numbered = enumerate(data.scenarios, start=1)
    return [(number, title, data.colours[key]) for number, (key, title) in numbered]


def _overlays(data: ReportData) -> list[OverlayRow]:
    """A row of pictures for each scenario that has some; no study twice in it."""
    found = {(one.scenario, one.rank): one for one in data.overlays}
    rows = []
    for key, title in data.scenarios:
        pictures = _once([found.get((key, rank)) for rank in RANKS])
        drawn = [overlay_picture(data, one) if one else None for one in pictures]
        if any(drawn):
            rows.append(OverlayRow(title, data.colours[key], drawn))
    return rows


def _once(shown: Sequence[Overlay | None]) -> list[Overlay | None]:
    """No study twice: of two studies the worst is the median, too."""
    studies = [one.study if one else "" for one in shown]
    return [None if study in studies[:n] else shown[n] for n, study in enumerate(studies)]


def _estimators(data: ReportData) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Names of the figures, and of each estimator the figures as text.

    Estimators differ in which figures they have; one that an estimator lacks is ``NOTHING``.
    """
    names = list(dict.fromkeys(n for figures in data.estimator_figures.values() for n in figures))
    rows = [
        (name, [number_text(figures[n], 2) if n in figures else NOTHING for n in names])
        for name, figures in data.estimator_figures.items()
    ]
    return names, rows
