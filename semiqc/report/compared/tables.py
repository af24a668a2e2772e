"""Tables of several runs: what each found, their scenarios, their settings, study by study."""

from collections.abc import Sequence

from semiqc.measuring.statistics import summarise
from semiqc.pages.table import Cell, Column, Row, Table, count, interval, mean_sd, number, text
from semiqc.report.answer import answers, control_of
from semiqc.report.compared.budget import budget_tables
from semiqc.report.compared.runs import ComparedRun, tested_by_all
from semiqc.report.paired import compare, compare_scenarios

IGNORED = ("output", "name")
"""Settings that tell runs apart without a meaning of their own."""

GATES = "gates."
"""Settings of scenarios; of one that a run lacks, the table of scenarios tells."""

ABSENT = "–"  # noqa: RUF001


def comparison_tables(runs: Sequence[ComparedRun]) -> list[Table]:
    """All tables of a comparison, in the page's order."""
    return [
        runs_table(runs),
        *budget_tables(runs),
        pairs_table(runs),
        scenarios_table(runs),
        settings_table(runs),
    ]


def runs_table(runs: Sequence[ComparedRun]) -> Table:
    """A row for each run: both answers with their differences."""
    return Table(
        "runs",
        "What each run found",
        [_found(run) for run in runs],
        [
            text("run", "Run"),
            text("scenario", "Scenario"),
            count("studies", "Test studies"),
            count("seeds", "Seeds"),
            text("control", "Did quality control help?"),
            number("control difference", "Difference", 3, signed=True),
            interval("control", "95 % interval", 3),
            text("unlabelled", "Did the unlabelled studies help?"),
            number("unlabelled difference", "Difference", 3, signed=True),
            interval("unlabelled", "95 % interval", 3),
        ],
        "Differences in Dice within each run, study by study, as on the first screen of its own"
        " report. Runs are not pooled: they may share studies.",
    )


def _found(run: ComparedRun) -> Row:
    data = run.data
    others = (control_of(data)[0], data.baseline_scenario)
    row: dict[str, Cell] = {
        "run": run.name,
        "scenario": data.scenario_title(data.reference_scenario),
        "studies": len(data.test_studies),
        "seeds": len(data.seeds),
    }
    for name, answer, other in zip(("control", "unlabelled"), answers(data), others, strict=True):
        found = compare_scenarios(data, data.reference_scenario, other)
        low, high = found.interval
        row |= {
            name: f"{answer.mark} {answer.word}",
            f"{name} difference": found.mean_difference,
            f"{name} low": low,
            f"{name} high": high,
        }
    return row


def settings_table(runs: Sequence[ComparedRun]) -> Table:
    """A row for each setting that differs, a column for each run."""
    names = dict.fromkeys(name for run in runs for name in run.settings)
    rows = []
    for name in names:
        values = [run.settings.get(name, ABSENT) for run in runs]
        is_elsewhere = name.startswith(GATES) and ABSENT in values
        if len(set(values)) > 1 and name not in IGNORED and not is_elsewhere:
            named = {f"run {n}": value for n, value in enumerate(values, start=1)}
            rows.append({"setting": name, **named})
    columns = [text(f"run {n}", run.name) for n, run in enumerate(runs, start=1)]
    return Table(
        "settings",
        "Settings that differ",
        rows,
        [text("setting", "Setting"), *columns],
        missing="The settings of the runs are the same.",
    )


def scenarios_table(runs: Sequence[ComparedRun]) -> Table:
    """Mean Dice of every scenario of every run."""
    rows = [_scenario(run, key, title) for run in runs for key, title in run.data.scenarios]
    names = dict.fromkeys(s.name for run in runs for s in run.data.scheme.structures)
    structures = [mean_sd(name, name, 3) for name in names]
    return Table(
        "scenarios",
        "Dice, mean (SD) over test studies",
        [row for row in rows if row["studies"]],
        [
            text("run", "Run"),
            text("scenario", "Scenario"),
            count("studies", "Studies"),
            mean_sd("dice", "All structures", 3),
            *structures,
        ],
        missing="No run has a test study with a reference.",
    )


def _scenario(run: ComparedRun, key: str, title: str) -> dict[str, Cell]:
    parts = {"dice": None, **{s.name: s.name for s in run.data.scheme.structures}}
    row: dict[str, Cell] = {"run": run.name, "scenario": title}
    for name, structure in parts.items():
        found = summarise(run.data.overlap_of(key, structure=structure).values())
        row |= {f"{name} mean": found.mean, f"{name} sd": found.sd}
        row.setdefault("studies", found.n)
    return row


def pairs_table(runs: Sequence[ComparedRun]) -> Table:
    """Each scenario of a later run less the same one of the first, over the studies of all."""
    studies = tested_by_all(runs)
    first, *later = runs
    rows = [
        _pair(first, run, key, title, studies)
        for run in later
        for key, title in run.data.scenarios
        if key in dict(first.data.scenarios)
    ]
    return Table(
        "pairs",
        f"Difference in Dice from {first.name}, study by study",
        [row for row in rows if row["studies"]],
        [
            text("run", "Run"),
            text("scenario", "Scenario"),
            count("studies", "Studies"),
            number("difference", "Difference", 3, signed=True),
            interval("difference", "95 % interval", 3),
            _better(),
        ],
        "Each test study that all runs have is compared with itself. Positive: better than"
        f" {first.name}.",
        "The runs have no test study of the same data set in common, so they are not compared"
        " study by study.",
    )


def _better() -> Column:
    return Column("Better", lambda row: f"{row['better']} of {row['studies']}")


def _pair(
    first: ComparedRun, run: ComparedRun, key: str, title: str, studies: set[str]
) -> dict[str, Cell]:
    of_run, of_first = (
        {study: dice for study, dice in one.data.overlap_of(key).items() if study in studies}
        for one in (run, first)
    )
    found = compare(of_run, of_first, run.data.subjects)
    low, high = found.interval
    better = sum(of_run[study] > of_first[study] for study in of_run.keys() & of_first.keys())
    return {
        "run": run.name,
        "scenario": title,
        "studies": found.n,
        "difference": found.mean_difference,
        "difference low": low,
        "difference high": high,
        "better": better,
    }
