"""The tables of a report, as figures that stand for themselves.

Every table is over studies, averaged over frames and seeds before anything is compared, since two
frames of one heart are not two patients.
"""

import math
from collections.abc import Sequence

from semiqc.measuring.statistics import Comparison, compare, holm, spearman, summarise
from semiqc.pages.table import (
    Cell,
    Column,
    Table,
    count,
    interval,
    mean_sd,
    number,
    p_value,
    text,
)
from semiqc.report.checkpoints import checkpoints_table
from semiqc.report.choices import choices_table
from semiqc.report.clinical import agreement_table, clinical_table, corrections_table
from semiqc.report.data import ReportData
from semiqc.report.gate import estimators_table, gate_table

POOLED = "all structures"
"""What stands for the mean over structures."""

STAR_P = 0.001
"""Below this p of the paired t-test a mean is starred, as in the paper's Table 2."""

NO_OVERLAP = "No test study has a reference, so nothing can be compared with one."


def summary_tables(data: ReportData) -> list[Table]:
    """Every table of a report, in its order; those without rows say what is missing."""
    return [
        dice_table(data),
        comparison_table(data),
        surface_table(data),
        distance_table(data),
        seed_table(data),
        change_table(data),
        clinical_table(data),
        agreement_table(data),
        corrections_table(data),
        choices_table(data),
        gate_table(data),
        estimators_table(data),
        split_table(data),
        *([checkpoints_table(data)] if data.checkpoints else []),
    ]


def dice_table(data: ReportData) -> Table:
    """Mean Dice and its SD, per scenario and structure: Table 2 of the paper."""
    reference = data.scenario_title(data.reference_scenario)
    note = (
        f"* p < {STAR_P:g} against {reference} by a paired t-test over studies, uncorrected, as"
        " in Table 2 of Ruijsink et al. 2020, here and in the two tables of surfaces. The"
        " next table gives every p, corrected. A structure that should be there and was missed"
        " counts as 0."
    )
    if data.has_several_structures:
        note += " The mean over structures is taken in each study first."
    return _overlap_table(data, "dice", "Dice, mean (SD) over test studies", note, digits=3)


def comparison_table(data: ReportData) -> Table:
    """Paired differences of every scenario from the reference scenario."""
    rows: list[dict[str, Cell]] = []
    for name, structure in _parts(data):
        for key, title in data.scenarios:
            found = _against_reference(data, key, structure)
            if key == data.reference_scenario or not found.n:
                continue
            rows.append({"structure": name, "scenario": key, "title": title, **_figures(found)})
    for test in ("t p", "wilcoxon p"):
        adjusted = holm([float(row[test]) for row in rows])
        for row, p in zip(rows, adjusted, strict=True):
            row[f"{test} holm"] = p
    reference = data.scenario_title(data.reference_scenario)
    columns = [
        Column("Structure", lambda row: _heading(str(row["structure"])), is_number=False),
        Column(f"{reference} less …", lambda row: str(row["title"]), is_number=False),
        count("n", "Pairs"),
        number("difference", "Difference", 3, signed=True),
        interval("difference", "95 % interval", 3),
        p_value("t p", "p, t-test"),
        p_value("t p holm", "Holm"),
        p_value("wilcoxon p", "p, Wilcoxon"),
        p_value("wilcoxon p holm", "Holm"),
    ]
    if any(row["note"] for row in rows):
        columns.append(text("note", "Note"))
    return Table(
        "comparison",
        f"Difference in Dice of {reference} from the others",
        rows,
        columns,
        "Positive: the first is better. Each study is compared with itself; intervals are those"
        " of Student's t for the mean paired difference. The columns headed Holm correct for all"
        " comparisons of this table. Intervals and tests tell of the spread between"
        " studies, not of what another training would have given.",
        f"No test study has a reference and a result of {reference} and of another scenario.",
    )


def surface_table(data: ReportData) -> Table:
    """Normalised surface Dice per scenario and structure."""
    return _overlap_table(
        data,
        "nsd",
        "Normalised surface Dice, mean (SD) over test studies",
        "Share of both surfaces that lies within the tolerance of the settings from the other;"
        " higher is better. A structure that was missed counts as 0.",
        digits=3,
    )


def distance_table(data: ReportData) -> Table:
    """95 % Hausdorff distance per scenario and structure."""
    return _overlap_table(
        data,
        "hd95_mm",
        "Hausdorff distance (95th percentile) in mm, mean (SD) over test studies",
        "Lower is better. A structure that was missed counts with the diagonal of the image, so"
        " one such study weighs heavily in mean and SD.",
        digits=1,
    )


def _overlap_table(data: ReportData, figure: str, title: str, note: str, digits: int) -> Table:
    rows: list[dict[str, Cell]] = []
    for key, scenario in data.scenarios:
        row = _means(data, key, figure)
        if row["n"]:
            rows.append({"scenario": key, "title": scenario, **row})
    columns = [text("title", "Scenario"), count("n", "Studies")]
    columns += [mean_sd(name, _heading(name), digits, f"{name} mark") for name, _ in _parts(data)]
    return Table(figure, title, rows, columns, note, NO_OVERLAP)


def _means(data: ReportData, key: str, figure: str) -> dict[str, Cell]:
    row: dict[str, Cell] = {"n": 0}
    for name, structure in _parts(data):
        found = summarise(data.overlap_of(key, figure, structure).values())
        row |= {f"{name} mean": found.mean, f"{name} sd": found.sd, f"{name} n": found.n}
        row["n"] = max(int(row["n"]), found.n)
        against = _against_reference(data, key, structure, figure)
        row |= {f"{name} p": against.t_p, f"{name} mark": "*" if against.t_p < STAR_P else ""}
    return row


def seed_table(data: ReportData) -> Table:
    """Mean Dice of each seed: how much of a difference is the luck of a training."""
    rows: list[dict[str, Cell]] = []
    if len(data.seeds) > 1:
        for key, title in data.scenarios:
            means = [summarise(data.overlap_of(key, seed=s).values()).mean for s in data.seeds]
            over_seeds = summarise(means)
            if over_seeds.n:
                by_seed = {f"seed {s}": m for s, m in zip(data.seeds, means, strict=True)}
                rows.append(
                    {"scenario": key, "title": title, **by_seed, "mean": over_seeds.mean,
                     "sd": over_seeds.sd}
                )  # fmt: skip
    columns = [text("title", "Scenario")]
    columns += [number(f"seed {s}", f"Seed {s}", 3) for s in data.seeds]
    columns += [number("mean", "Mean", 3), number("sd", "SD over seeds", 3)]
    return Table(
        "seeds",
        "Mean Dice of each seed",
        rows,
        columns,
        "The same studies, trained anew. A difference between scenarios that is smaller than the"
        " spread over seeds may be the luck of a training.",
        "One seed was run, so how much the figures owe to the luck of a training is not known.",
    )


def change_table(data: ReportData) -> Table:
    """Change of Dice per study against the baseline: is only the easy case improved?"""
    baseline = data.overlap_of(data.baseline_scenario)
    rows: list[dict[str, Cell]] = []
    for key, title in data.scenarios:
        pairs = sorted(
            (baseline[study], value)
            for study, value in data.overlap_of(key).items()
            if study in baseline and math.isfinite(value) and math.isfinite(baseline[study])
        )
        if key != data.baseline_scenario and pairs:
            rows.append({"scenario": key, "title": title, **_change(pairs)})
    return Table(
        "change",
        f"Change of Dice per study against {data.scenario_title(data.baseline_scenario)}",
        rows,
        [
            text("title", "Scenario"),
            count("n", "Studies"),
            count("improved", "Improved"),
            mean_sd("hard", "Harder half", 3),
            mean_sd("easy", "Easier half", 3),
            number("oldham", "Correlation with difficulty", 2, signed=True),
            p_value("oldham p", "p"),
        ],
        "Halves by the Dice of the baseline. Even a change that helps nobody more than others"
        " seems to help the harder half, since a study that did badly by chance does better the"
        " next time (regression to the mean). The correlation, Spearman's of the change with the"
        " mean of both Dice (Oldham, Journal of Chronic Diseases 1962), is free of that as long as"
        " both scenarios vary alike; above zero means that easy studies gained more.",
        f"No test study has a result of {data.scenario_title(data.baseline_scenario)} and of"
        " another scenario.",
    )


def _change(pairs: Sequence[tuple[float, float]]) -> dict[str, Cell]:
    """Figures of how studies changed, out of Dice before and after, the hardest first."""
    changes = [after - before for before, after in pairs]
    middle = len(pairs) // 2
    hard, easy = summarise(changes[:middle]), summarise(changes[len(pairs) - middle :])
    # Against the mean of both, as Oldham has it: noise of the baseline stands in the change
    # with the opposite sign, and would tilt any plot against the baseline downwards.
    tilt = spearman([(before + after) / 2 for before, after in pairs], changes)
    return {
        "n": len(pairs),
        "improved": sum(change > 0 for change in changes),
        "hard mean": hard.mean,
        "hard sd": hard.sd,
        "easy mean": easy.mean,
        "easy sd": easy.sd,
        "oldham": tilt.coefficient,
        "oldham p": tilt.p,
    }


def split_table(data: ReportData) -> Table:
    """How many studies of each group were used for what."""
    groups = sorted({row.group for row in data.split})
    roles = list(dict.fromkeys(row.role for row in data.split))
    rows: list[dict[str, Cell]] = []
    for role in roles:
        of_role = [row for row in data.split if row.role == role]
        rows.append(
            {
                "role": role,
                "studies": len(of_role),
                "subjects": len({row.subject for row in of_role}),
                **{f"group {g}": sum(row.group == g for row in of_role) for g in groups},
            }
        )
    columns = [text("role", "Role"), count("studies", "Studies"), count("subjects", "Subjects")]
    if groups != [""]:
        columns += [count(f"group {g}", g or "no group") for g in groups]
    note = "Test studies are seen by no training, no estimator and no threshold."
    return Table("split", "What the studies were used for", rows, columns, note, "No split.")


def _parts(data: ReportData) -> list[tuple[str, str | None]]:
    """Name of each column and the structure it is of; None for the mean over structures."""
    pooled: list[tuple[str, str | None]] = [(POOLED, None)] if data.has_several_structures else []
    return pooled + [(s.name, s.name) for s in data.scheme.structures]


def _heading(name: str) -> str:
    return "All structures" if name == POOLED else name


def _against_reference(
    data: ReportData, key: str, structure: str | None, figure: str = "dice"
) -> Comparison:
    return compare(
        data.overlap_of(data.reference_scenario, figure, structure),
        data.overlap_of(key, figure, structure),
    )


def _figures(found: Comparison) -> dict[str, Cell]:
    return {
        "n": found.n,
        "missing": found.missing,
        "difference": found.mean_difference,
        "difference low": found.interval[0],
        "difference high": found.interval[1],
        "t p": found.t_p,
        "wilcoxon p": found.wilcoxon_p,
        "note": found.note,
    }
