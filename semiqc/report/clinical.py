"""Clinical measures of the scenarios beside those of the reference.

Every measure is of one structure of one study, in the unit that its row names. Automatic and
manual measures are of the same frames. All figures are averaged over seeds within a study before
studies are compared, so that n counts studies.
"""

import math
from collections.abc import Sequence

from semiqc.files.tables import CorrectionRow
from semiqc.measuring.statistics import Agreement, agree, summarise
from semiqc.pages.table import Cell, Column, Table, count, interval, mean_sd, number, text
from semiqc.report.data import MANUAL, ReportData

SHOWN = ("EDV", "EF", "mass", "volume", "largest", "relative change")
"""Measures of the first table and of the corrections; the table of agreement has all."""

NO_CLINICAL = "No clinical measure: the scheme measures nothing, or no test study has a reference."

MEASURE = Column("Measure", lambda r: f"{r['structure']} {r['measure']} ({r['unit']})", False)

AGREEMENT_COLUMNS = (
    MEASURE,
    text("title", "Scenario"),
    count("n", "Studies"),
    count("failed", "Failed"),
    number("bias", "Bias", 1, signed=True),
    interval("bias", "95 % interval", 1),
    interval("limits", "Limits of agreement", 1),
    number("mean absolute error", "Mean error", 1),
    number("correlation", "r", 2),
)

AGREEMENT_NOTE = (
    "Bias: mean of automatic less manual, with the interval of Student's t. Limits: bias plus and"
    " minus 1.96 SD of the differences (Bland and Altman, The Lancet 1986). Mean error: mean"
    " absolute difference. r: Pearson's. Failed: studies whose automatic segmentation does not"
    " have the measure; they are in no other column."
)

CORRECTION_COLUMNS = (
    MEASURE,
    count("n", "Studies"),
    count("changed", "Changed"),
    count("slices", "Slices replaced"),
    mean_sd("before", "Error before", 1),
    mean_sd("after", "Error after", 1),
)

Measure = tuple[str, str, str]
"""Structure, measure and unit."""


def clinical_table(data: ReportData) -> Table:
    """Mean and SD of the main measures.

    Reference:
        Ruijsink, Puyol-Antón et al., STACOM 2020, Table 3.

    Returns:
        A row for each scenario and one for the reference; a column for each structure and
        measure of ``SHOWN``.
    """
    shown = [measure for measure in measures_of(data) if measure[1] in SHOWN]
    scenarios = [*data.scenarios, (MANUAL, "Manual segmentation")]
    rows = [_clinical_row(data, key, title, shown) for key, title in scenarios]
    columns = [text("title", "Scenario"), count("n", "Studies")]
    columns += [
        mean_sd(f"{structure} {measure}", f"{structure} {measure} ({unit})", _digits(unit))
        for structure, measure, unit in shown
    ]
    return Table(
        "clinical",
        "Clinical measures, mean (SD) over test studies",
        [row for row in rows if row["n"]],
        columns,
        "As Table 3 of Ruijsink et al. 2020. Automatic and manual measures are of the same frames,"
        " those that the reference labels. Equal means do not show that each study agrees; the"
        " next table shows the agreement study by study.",
        NO_CLINICAL,
        "clinical",
    )


def _clinical_row(
    data: ReportData, key: str, title: str, shown: Sequence[Measure]
) -> dict[str, Cell]:
    """Mean, SD and number of studies of each measure of a scenario.

    ``n`` of the row is the largest of the measures', since one that a study lacks (an ejection
    fraction without a full cycle) does not make the study missing.
    """
    row: dict[str, Cell] = {"scenario": key, "title": title, "n": 0}
    for structure, measure, _ in shown:
        found = summarise(data.clinical_of(key, structure, measure).values())
        name = f"{structure} {measure}"
        row |= {f"{name} mean": found.mean, f"{name} sd": found.sd, f"{name} n": found.n}
        row["n"] = max(int(row["n"]), found.n)
    return row


def agreement_table(data: ReportData) -> Table:
    """Bias, limits of agreement, error and correlation against the manual measures.

    Reference:
        Bland and Altman, "Statistical methods for assessing agreement between two methods of
        clinical measurement", The Lancet 1986. https://doi.org/10.1016/S0140-6736(86)90837-8

    Returns:
        A row for each measure and scenario.
    """
    rows = [
        row
        for measure in measures_of(data)
        for key, title in data.scenarios
        if (row := _agreement_row(data, measure, key, title))
    ]
    title = "Agreement of clinical measures with the manual ones"
    columns, note = AGREEMENT_COLUMNS, AGREEMENT_NOTE
    return Table("agreement", title, rows, columns, note, NO_CLINICAL, "clinical")


def _agreement_row(data: ReportData, of: Measure, key: str, title: str) -> dict[str, Cell]:
    """The row of one measure of one scenario; empty where no study has it and the manual one."""
    structure, measure, unit = of
    manual = data.clinical_of(MANUAL, structure, measure)
    automatic = data.clinical_of(key, structure, measure)
    both = [s for s, value in manual.items() if math.isfinite(value) and s in automatic]
    if not both:
        return {}
    pair = ({s: automatic[s] for s in both}, {s: manual[s] for s in both})
    found = agree(*pair, data.subjects)
    names = {"structure": structure, "measure": measure, "unit": unit}
    return {**names, "scenario": key, "title": title, **_agreement_figures(found)}


def _agreement_figures(found: Agreement) -> dict[str, Cell]:
    """The cells of an agreement, by column name.

    Bias and limits have the unit of the measure; ``failed`` counts studies without an automatic
    value.
    """
    return {
        "n": found.n,
        "failed": found.missing,
        "bias": found.bias,
        "bias low": found.interval[0],
        "bias high": found.interval[1],
        "limits low": found.limits[0],
        "limits high": found.limits[1],
        "mean absolute error": found.mean_absolute_error,
        "correlation": found.correlation,
    }


def corrections_table(data: ReportData) -> Table:
    """Absolute errors of the measures, as they are and with failed slices replaced.

    Reference:
        Fournel et al., "Medical image segmentation automatic quality control: a multi-dimensional
        approach", Medical Image Analysis 2021, section 5.

    Returns:
        A row for each measure of ``SHOWN`` that was corrected.
    """
    found = {measure: _corrections_of(data, measure) for measure in measures_of(data)}
    rows = [_correction_row(of, own) for of, own in found.items() if own and of[1] in SHOWN]
    return Table(
        "corrections",
        "Measures with failed slices replaced",
        rows,
        CORRECTION_COLUMNS,
        f"Absolute difference of {data.scenario_title(data.reference_scenario)} from manual, mean"
        " (SD), before and after the correction. The correction replaces slices that an estimator"
        " calls wrong by the mean of their good neighbours (Fournel et al. 2021, section 5).",
        "No estimator of this run judges slices.",
        "clinical",
    )


def _corrections_of(data: ReportData, of: Measure) -> list[CorrectionRow]:
    """The rows of a measure that have all three values: automatic, corrected and manual.

    The sum of the three is finite exactly where each of them is.
    """
    return [
        row
        for row in data.corrections
        if (row.structure, row.measure) == of[:2]
        and math.isfinite(row.value + row.corrected + row.manual)
    ]


def _correction_row(of: Measure, own: Sequence[CorrectionRow]) -> dict[str, Cell]:
    """Absolute errors of one measure, in its unit, before and after the correction."""
    before = summarise(abs(row.value - row.manual) for row in own)
    after = summarise(abs(row.corrected - row.manual) for row in own)
    return {
        "structure": of[0],
        "measure": of[1],
        "unit": of[2],
        "n": len(own),
        "changed": sum(row.replaced_slices > 0 for row in own),
        "slices": sum(row.replaced_slices for row in own),
        "before mean": before.mean,
        "before sd": before.sd,
        "after mean": after.mean,
        "after sd": after.sd,
    }


def measures_of(data: ReportData) -> list[Measure]:
    """Structure, measure and unit of each that a study has, in the order of the scheme.

    Structures that the scheme does not name stand last; within a structure the order is that of
    the rows.
    """
    order = {structure.name: rank for rank, structure in enumerate(data.scheme.structures)}
    found = dict.fromkeys((row.structure, row.measure, row.unit) for row in data.clinical)
    return sorted(found, key=lambda measure: order.get(measure[0], len(order)))


def _digits(unit: str) -> int:
    """Decimals that a unit is shown with."""
    return 1 if unit == "%" else 0
