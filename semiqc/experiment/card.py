"""The card of a run: what its segmenters and estimators were made of, and what they are good for.

Reference:
    Mitchell et al., "Model cards for model reporting", FAccT 2019.
    https://doi.org/10.1145/3287560.3287596
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from semiqc.experiment.settings import Settings
from semiqc.pages.table import Table
from semiqc.report import ReportData, answers, summary_tables, told_apart, trust

USE = (
    "Research only: it is not a medical device, and no diagnosis may rest on it. The segmenters"
    " know images like those they learned from; the estimators know errors like those of this"
    " run's segmenters. On other scanners, views or diseases compare with references first:"
    " `semiqc evaluate`, `semiqc qc evaluate`."
)


def card_of_run(settings: Settings, data: ReportData, environment: Mapping[str, str]) -> str:
    """Markdown: what was done with which data, what came out and how far to trust it.

    Args:
        settings: Of the run.
        data: What it found.
        environment: Versions and device.
    """
    return "\n".join(_lines(settings, data, environment)) + "\n"


def _lines(settings: Settings, data: ReportData, environment: Mapping[str, str]) -> Iterator[str]:
    yield f"# {settings.name}\n"
    yield f"{USE}\n"
    yield "## Data\n"
    source = settings.data.name if settings.data else f"{settings.phantom.kind} phantoms"
    yield f"- from {source}, labels {data.scheme.name}: {', '.join(data.scheme.classes[1:])}"
    for role, count in Counter(row.role for row in data.split).most_common():
        groups = Counter(row.group for row in data.split if row.role == role and row.group)
        said = ", ".join(f"{group} {n}" for group, n in sorted(groups.items()))
        yield f"- {role}: {count} studies" + (f" ({said})" if said else "")
    yield "\n## Models\n"
    yield (
        f"- segmenter {settings.segmenter.kind}, {settings.training.steps} steps, start"
        f" {settings.training.start}, seeds {', '.join(map(str, settings.seeds))}"
    )
    judged = settings.qc.suite or ", ".join(settings.estimators)
    yield f"- quality estimators: {judged}"
    yield f"- scenarios: {', '.join(one.title for one in settings.compared().values())}"
    yield "- made with " + ", ".join(f"{name} {said}" for name, said in environment.items())
    yield "\n## What came out\n"
    for one in (*answers(data), told_apart(data)):
        yield f"- {one.question} {one.word}. {one.figures or one.meaning}"
    dice = next((table for table in summary_tables(data) if table.name == "dice"), None)
    if dice and dice.rows:
        yield f"\n{dice.title}:\n"
        yield from _table(dice)
    yield "\n## How far to trust it\n"
    for line in trust(data) if data.overlap else ["No test study has a reference."]:
        yield f"- {line}"


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(table.header)} |"
    yield "|" + "---|" * len(table.header)
    for row in table.body:
        yield f"| {' | '.join(row)} |"
