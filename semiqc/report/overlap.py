"""Tables of how well the test studies were segmented: Dice, surfaces, differences, seeds.

Every table is over studies, averaged over frames and seeds before anything is compared, since two
frames of one heart are not two patients; nor are two studies of one, so intervals and tests are
over subjects.
"""

from collections.abc import Sequence

from semiqc.measuring.metrics import METRICS
from semiqc.measuring.statistics import Comparison, summarise
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
from semiqc.report.choices import correct_for_all
from semiqc.report.data import ReportData

POOLED = "all structures"
"""What stands for the mean over structures."""

STAR_P = 0.001
"""Below this p of the paired t-test a mean is starred, as in the paper's Table 2."""

NO_OVERLAP = "No test study has a reference, so nothing can be compared with one."

COMPARISON_NOTE = (
    "Positive: the first is better. Each study is compared with itself; intervals are those of"
    " Student's t for the mean paired difference. The columns headed Holm correct for all"
    " comparisons of this table. Intervals and tests describe the spread between studies, not"
    " between trainings; studies of one subject count as one draw."
)


def dice_table(data: ReportData) -> Table:
    """Mean Dice and its SD.

    Reference:
        Ruijsink, Puyol-Antón et al., STACOM 2020, Table 2.

    Returns:
        A row for each scenario; a column for each structure and for the mean over them.
    """
    reference = data.scenario_title(data.reference_scenario)
    note = (
        f"* p < {STAR_P:g} against {reference} by a paired t-test over studies, uncorrected, as"
        " in Table 2 of Ruijsink et al. 2020, here and in the two tables of surfaces. The"
        f" next table gives every p, corrected. {METRICS['dice'].note}"
    )
    if data.has_several_structures:
        note += " The mean over structures is taken in each study first."
    return _overlap_table(data, "dice", note)


def comparison_table(data: ReportData) -> Table:
    """Paired differences in Dice of the reference scenario from every other one.

    Reference:
        Ruijsink, Puyol-Antón et al., STACOM 2020, Table 2 (paired t-test). Holm, "A simple
        sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.

    Returns:
        A row for each structure and scenario but that of reference; columns are the number of
        pairs, the mean difference with its interval, and p of both tests, plain and adjusted over
        all rows.
    """
    rows: list[dict[str, Cell]] = []
    for name, structure in _parts(data):
        for key, title in data.scenarios:
            found = _against_reference(data, key, structure)
            if key != data.reference_scenario and found.n:
                names = {"structure": name, "scenario": key, "title": title}
                rows.append({**names, **_figures(found)})
    for test in ("t p", "wilcoxon p"):
        correct_for_all(rows, test)
    reference = data.scenario_title(data.reference_scenario)
    return Table(
        "comparison",
        f"Difference in Dice of {reference} from the others",
        rows,
        _comparison_columns(reference, any(row["note"] for row in rows)),
        COMPARISON_NOTE,
        f"No test study has a reference and a result of {reference} and of another scenario.",
    )


def _comparison_columns(reference: str, has_notes: bool) -> list[Column]:
    """What is shown of a comparison; notes, on why there is no test, where there are some."""
    return [
        Column("Structure", lambda row: _heading(str(row["structure"])), is_number=False),
        Column(f"{reference} less …", lambda row: str(row["title"]), is_number=False),
        count("n", "Pairs"),
        number("difference", "Difference", 3, signed=True),
        interval("difference", "95 % interval", 3),
        p_value("t p", "p, t-test"),
        p_value("t p holm", "Holm"),
        p_value("wilcoxon p", "p, Wilcoxon"),
        p_value("wilcoxon p holm", "Holm"),
        *([text("note", "Note")] if has_notes else []),
    ]


def metric_tables(data: ReportData) -> list[Table]:
    """A table of each metric but Dice; rows and columns as in ``dice_table``."""
    others = {name: metric for name, metric in METRICS.items() if name != "dice"}
    return [_overlap_table(data, name, metric.note) for name, metric in others.items()]


def _overlap_table(data: ReportData, name: str, note: str) -> Table:
    """A metric of overlap: a row for each scenario, a column for each structure.

    Args:
        data: Of the run.
        name: In ``METRICS``; also the table's.
        note: Shown under the table.
    """
    metric = METRICS[name]
    rows: list[dict[str, Cell]] = []
    for key, scenario in data.scenarios:
        row = _means(data, key, name)
        if row["n"]:
            rows.append({"scenario": key, "title": scenario, **row})
    columns = [text("title", "Scenario"), count("n", "Studies")]
    columns += [
        mean_sd(part, _heading(part), metric.digits, f"{part} mark") for part, _ in _parts(data)
    ]
    title = f"{metric.title}, mean (SD) over test studies"
    return Table(name, title, rows, columns, note, NO_OVERLAP)


def _means(data: ReportData, key: str, figure: str) -> dict[str, Cell]:
    """Mean, SD, number of studies and p against the reference of each structure.

    ``n`` of the row is the largest of the structures', for one that is absent in both
    segmentations of a study has no figure there. A mean with p below ``STAR_P`` has the mark
    ``*``.
    """
    row: dict[str, Cell] = {"n": 0}
    for name, structure in _parts(data):
        found = summarise(data.overlap_of(key, figure, structure).values())
        row |= {f"{name} mean": found.mean, f"{name} sd": found.sd, f"{name} n": found.n}
        row["n"] = max(int(row["n"]), found.n)
        against = _against_reference(data, key, structure, figure)
        row |= {f"{name} p": against.t_p, f"{name} mark": "*" if against.t_p < STAR_P else ""}
    return row


def seed_table(data: ReportData) -> Table:
    """Mean Dice of each seed: how much trainings vary.

    Returns:
        A row for each scenario and a column for each seed, with mean and SD over the seeds; no
        row where there is one seed.
    """
    rows = [_seed_row(data, key, title) for key, title in data.scenarios]
    several = len(data.seeds) > 1
    return Table(
        "seeds",
        "Mean Dice of each seed",
        [row for row in rows if row and several],
        _seed_columns(data.seeds),
        "The same studies, with another random seed of each training. A difference between"
        " scenarios that is smaller than the SD over seeds may come from the seed.",
        "One seed was run, so it is not known how much the figures vary between trainings.",
    )


def _seed_columns(seeds: Sequence[int]) -> list[Column]:
    """A column for each seed, then mean and SD over them."""
    of_seeds = [number(f"seed {s}", f"Seed {s}", 3) for s in seeds]
    over_seeds = [number("mean", "Mean", 3), number("sd", "SD over seeds", 3)]
    return [text("title", "Scenario"), *of_seeds, *over_seeds]


def _seed_row(data: ReportData, key: str, title: str) -> dict[str, Cell]:
    """Mean Dice of a scenario for each seed; empty where no seed has one."""
    means = {s: summarise(data.overlap_of(key, seed=s).values()).mean for s in data.seeds}
    found = summarise(means.values())
    by_seed = {f"seed {s}": mean for s, mean in means.items()}
    names = {"scenario": key, "title": title}
    return {**names, **by_seed, "mean": found.mean, "sd": found.sd} if found.n else {}


def _parts(data: ReportData) -> list[tuple[str, str | None]]:
    """Name of each column and the structure it is of; None for the mean over structures."""
    pooled: list[tuple[str, str | None]] = [(POOLED, None)] if data.has_several_structures else []
    return pooled + [(s.name, s.name) for s in data.scheme.structures]


def _heading(name: str) -> str:
    """Title of a column."""
    return "All structures" if name == POOLED else name


def _against_reference(
    data: ReportData, key: str, structure: str | None, figure: str = "dice"
) -> Comparison:
    """The reference scenario compared with another one, study by study.

    Positive differences are in favour of the reference where a higher ``figure`` is better.
    """
    return data.compared(data.reference_scenario, key, figure, structure)


def _figures(found: Comparison) -> dict[str, Cell]:
    """The cells of a paired comparison; ``missing`` counts studies that only one of both has."""
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
