"""The report: one file that needs nothing beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from semiqc.files.atomic import write_text
from semiqc.pages.drawing import Picture, structure_colours
from semiqc.pages.table import NOTHING, number_text
from semiqc.report.data import RANKS, ReportData
from semiqc.report.figures import box_plots, change_plots, training_plots
from semiqc.report.judged import curve_plots, score_plots
from semiqc.report.overlaid import overlay_picture
from semiqc.report.summary import findings
from semiqc.report.tables import summary_tables

TEMPLATE = "template.html.j2"


@dataclass(frozen=True)
class OverlayRow:
    """The overlays of one scenario, one for each of ``RANKS``; None where there is none."""

    title: str
    colour: str
    pictures: Sequence[Picture | None]


def build_report(data: ReportData, output: Path, lead: str = "") -> None:
    """Write the report as one HTML file, whole or not at all.

    It holds its figures and style, loads nothing and runs no script. What is empty or NaN
    is named as missing.

    Args:
        data: What to show.
        output: File to write; one that is there is replaced.
        lead: Said before the findings.
    """
    environment = Environment(
        loader=PackageLoader("semiqc.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = _parts(data)
    parts["findings"] = [*([lead] if lead else []), *findings(data)]
    write_text(output, environment.get_template(TEMPLATE).render(data=data, **parts))


def _parts(data: ReportData) -> dict[str, object]:
    """What the template shows, by name; it refuses to be without one that it uses."""
    admitted, rejected = curve_plots(data)
    return {
        "tables": {table.name: table for table in summary_tables(data)},
        "estimators": _estimators(data),
        "scenarios": _legend(data),
        "structures": list(structure_colours(data.scheme).items()),
        "boxes": box_plots(data),
        "changes": change_plots(data),
        "scores": score_plots(data),
        "admitted": admitted,
        "rejected": rejected,
        "trainings": training_plots(data),
        "ranks": RANKS,
        "overlays": _overlays(data),
    }


def _legend(data: ReportData) -> list[tuple[int, str, str]]:
    """Number from 1, title and colour of each scenario."""
    numbered = enumerate(data.scenarios, start=1)
    return [(number, title, data.colours[key]) for number, (key, title) in numbered]


def _overlays(data: ReportData) -> list[OverlayRow]:
    """A row of pictures for each scenario that has some."""
    found = {(one.scenario, one.rank): one for one in data.overlays}
    rows = []
    for key, title in data.scenarios:
        pictures = [
            overlay_picture(data, found[key, rank]) if (key, rank) in found else None
            for rank in RANKS
        ]
        if any(pictures):
            rows.append(OverlayRow(title, data.colours[key], pictures))
    return rows


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
