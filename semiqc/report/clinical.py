"""Clinical measures of the scenarios beside those of the reference."""

import math

from semiqc.measuring.statistics import agree, summarise
from semiqc.pages.table import Cell, Column, Table, count, interval, mean_sd, number, text
from semiqc.report.data import MANUAL, ReportData

SHOWN = ("EDV", "EF", "mass", "volume", "largest", "relative change")
"""Measures of the first table; the second one has all."""

NO_CLINICAL = "No clinical measure: the scheme measures nothing, or no test study has a reference."


def clinical_table(data: ReportData) -> Table:
    """Mean and SD of the main measures per scenario, and of the reference: the paper's Table 3."""
    shown = [measure for measure in _measures(data) if measure[1] in SHOWN]
    rows: list[dict[str, Cell]] = []
    for key, title in [*data.scenarios, (MANUAL, "Manual segmentation")]:
        row: dict[str, Cell] = {"scenario": key, "title": title, "n": 0}
        for structure, measure, _ in shown:
            found = summarise(data.clinical_of(key, structure, measure).values())
            name = f"{structure} {measure}"
            row |= {f"{name} mean": found.mean, f"{name} sd": found.sd, f"{name} n": found.n}
            row["n"] = max(int(row["n"]), found.n)
        if row["n"]:
            rows.append(row)
    columns = [text("title", "Scenario"), count("n", "Studies")]
    columns += [
        mean_sd(f"{structure} {measure}", f"{structure} {measure} ({unit})", _digits(unit))
        for structure, measure, unit in shown
    ]
    return Table(
        "clinical",
        "Clinical measures, mean (SD) over test studies",
        rows,
        columns,
        "As Table 3 of Ruijsink et al. 2020. Automatic and manual measures are of the same"
        " frames, those that the reference labels. Means may agree although no study does: the"
        " agreement study by study is in the next table.",
        NO_CLINICAL,
    )


def agreement_table(data: ReportData) -> Table:
    """Bias, limits of agreement, error and correlation of every measure against manual."""
    rows: list[dict[str, Cell]] = []
    for structure, measure, unit in _measures(data):
        manual = _finite(data.clinical_of(MANUAL, structure, measure))
        for key, title in data.scenarios:
            automatic = data.clinical_of(key, structure, measure)
            compared = {study: automatic[study] for study in manual if study in automatic}
            found = agree(compared, {study: manual[study] for study in compared})
            if not compared:
                continue
            rows.append(
                {
                    "structure": structure,
                    "measure": measure,
                    "unit": unit,
                    "scenario": key,
                    "title": title,
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
            )
    return Table(
        "agreement",
        "Agreement of clinical measures with the manual ones",
        rows,
        [
            Column("Measure", lambda r: f"{r['structure']} {r['measure']} ({r['unit']})", False),
            text("title", "Scenario"),
            count("n", "Studies"),
            count("failed", "Failed"),
            number("bias", "Bias", 1, signed=True),
            interval("bias", "95 % interval", 1),
            interval("limits", "Limits of agreement", 1),
            number("mean absolute error", "Mean error", 1),
            number("correlation", "r", 2),
        ],
        "Bias: mean of automatic less manual, with the interval of Student's t. Limits: bias"
        " plus and minus 1.96 SD of the differences (Bland and Altman, The Lancet 1986). Mean"
        " error: of its size. r: Pearson's. Failed: studies of which the measure could not be"
        " told from the automatic segmentation; they are in no other column.",
        NO_CLINICAL,
    )


def corrections_table(data: ReportData) -> Table:
    """Relative errors of the measures, as they are and with failed slices replaced."""
    rows: list[dict[str, Cell]] = []
    for structure, measure, unit in _measures(data):
        own = [
            row
            for row in data.corrections
            if (row.structure, row.measure) == (structure, measure)
            and math.isfinite(row.value + row.corrected + row.manual)
        ]
        if not own or measure not in SHOWN:
            continue
        before = summarise(abs(row.value - row.manual) for row in own)
        after = summarise(abs(row.corrected - row.manual) for row in own)
        rows.append(
            {
                "structure": structure,
                "measure": measure,
                "unit": unit,
                "n": len(own),
                "changed": sum(row.replaced_slices > 0 for row in own),
                "slices": sum(row.replaced_slices for row in own),
                "before mean": before.mean,
                "before sd": before.sd,
                "after mean": after.mean,
                "after sd": after.sd,
            }
        )
    return Table(
        "corrections",
        "Measures with failed slices replaced",
        rows,
        [
            Column("Measure", lambda r: f"{r['structure']} {r['measure']} ({r['unit']})", False),
            count("n", "Studies"),
            count("changed", "Changed"),
            count("slices", "Slices replaced"),
            mean_sd("before", "Error before", 1),
            mean_sd("after", "Error after", 1),
        ],
        f"Of {data.scenario_title(data.reference_scenario)}: size of the difference to manual,"
        " mean (SD), as it is and where slices that an estimator calls wrong got the mean of"
        " their good neighbours (Fournel et al. 2021, section 5).",
        "No estimator of this run judges slices.",
    )


def _measures(data: ReportData) -> list[tuple[str, str, str]]:
    """Structure, measure and unit, in the order of the scheme."""
    order = {structure.name: rank for rank, structure in enumerate(data.scheme.structures)}
    found = dict.fromkeys((row.structure, row.measure, row.unit) for row in data.clinical)
    return sorted(found, key=lambda measure: order.get(measure[0], len(order)))


def _digits(unit: str) -> int:
    return 1 if unit == "%" else 0


def _finite(values: dict[str, float]) -> dict[str, float]:
    return {study: value for study, value in values.items() if math.isfinite(value)}
