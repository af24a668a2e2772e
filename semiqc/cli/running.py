"""What ``semiqc run`` prints: its settings, what it would do, what it found."""

from pathlib import Path
from typing import TYPE_CHECKING

from semiqc.cli.output import (
    bar,
    console,
    manner,
    next_command,
    note,
    print_left_out,
    print_report_table,
    print_table,
    say,
)

if TYPE_CHECKING:
    from semiqc.experiment import Settings

WRITTEN = (
    ("report.html", "the page"),
    ("results", "tables, a row for each study, frame and judgement"),
    ("CARD.md", "what the models were made of, and what they are good for"),
    ("models", "segmenter of each scenario, for `semiqc predict`"),
    ("qc", "fitted estimators"),
    ("stages", "what a change of settings need not do again"),
)
"""What a run leaves, as far as it is there."""


def print_settings(settings: "Settings") -> None:
    """All settings as YAML, those that were not given too; ``semiqc run`` reads it."""
    import yaml

    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    print(text, end="")


def print_plan(settings: "Settings") -> None:
    """Each step of a run with its expected time, and the disk it needs; nothing is made.

    Raises:
        ValueError: If the run could not begin.
    """
    from semiqc.experiment.enough import foreseen
    from semiqc.experiment.estimating import estimate_run, extent_of_settings
    from semiqc.experiment.ready import check_ready
    from semiqc.work.plan import duration

    check_ready(settings)
    for line in foreseen(settings):
        note(line)
    extent = extent_of_settings(settings)
    if extent is None:
        raise ValueError(
            f"data: {settings.data}: not imported yet; `semiqc check` reads it and says what a run"
            " takes, `semiqc import` makes the store that --dry-run can look at"
        )
    with bar("time a few steps of everything"):
        found = estimate_run(settings, extent)
    rows = [(n, step, duration(took)) for n, (step, took) in enumerate(found.steps.items(), 1)]
    print_table(f"{len(rows)} steps into {settings.output}", ("", "step", "about"), rows)
    say(
        "seconds",
        found.seconds,
        f"{duration(found.seconds)} of {found.whose}, within a factor of two",
    )
    say("disk", found.disk_bytes, f"{found.disk_bytes / 1e9:.2g} GB")


def print_summary(run: Path) -> None:
    """What a finished run found, what it wrote where, and what may follow."""
    from semiqc.experiment import summary_of

    found = summary_of(run)
    for table in found.tables:
        print_report_table(table)
    for line in found.findings:
        console.print(line, highlight=False)
    print_left_out([(line, "") for line in found.left_out])
    for one in found.answers:
        told = [one.figures, one.compared] if one.figures else [one.meaning]
        manner.document.facts[one.question] = one.word
        said = f"{one.question} {one.mark} {one.word}: {'; '.join(filter(None, told))}"
        console.print(said, highlight=False)
    _print_written(run)
    for step in found.next:
        next_command(step.command, step.why)


def _print_written(run: Path) -> None:
    rows = [(run / name, what) for name, what in WRITTEN if (run / name).exists()]
    print_table("written", ("where", "what"), rows)
    say("report", run / "report.html")
