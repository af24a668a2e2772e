"""``semiqc suggest``: which studies to label next."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semiqc.cli.options import Output, RunFolder, Seed
from semiqc.cli.output import next_command, note, print_table, say, terminal

if TYPE_CHECKING:
    from semiqc.experiment.suggesting.suggesting import SuggestionRow


def suggest(
    run: RunFolder,
    output: Output,
    count: Annotated[int, typer.Option("--count", "-k", min=1, help="How many studies.")] = 5,
    seed: Seed = 0,
) -> None:
    """Rank unlabelled studies by what a label would teach, with segmentations to correct."""
    from semiqc.experiment.suggesting.suggesting import suggest as suggest_studies

    rows = suggest_studies(run, output, count=count, seed=seed, monitor=terminal())
    if len(rows) < count:
        note(f"{len(rows)} unlabelled studies were judged, fewer than {count}")
    _print_rows(rows, output)
    say("table", output / "suggestions.csv")
    _print_next(run, output)


def _print_rows(rows: "list[SuggestionRow]", output: Path) -> None:
    print_table(
        f"studies to label next, with segmentations to correct in {output}",
        ("", "study", "group", "score", "differ", "why"),
        [
            (row.rank, row.study, row.group, row.score, row.disagreement,
             row.reasons)
            for row in rows
        ],
    )  # fmt: skip


def _print_next(run: Path, output: Path) -> None:
    """How corrected files come into the run."""
    from semiqc.experiment import Finished

    settings = Finished.in_folder(run).settings
    if settings.dirty.share:
        note("with dirty.share, labels of spoilt studies are not taken back by `semiqc run`")
        return
    known = settings.labels
    again = f"semiqc run {shlex.quote(str(run / 'settings.yaml'))} -o {shlex.quote(str(run))}"
    if known is None:
        again += f" --labels {shlex.quote(str(output / 'prelabels'))}"
    where = f"; put them into {known}, beside those of before" if known else ""
    next_command(
        again,
        "correct the prelabels, such as in 3D Slicer or ITK-SNAP, and remove those that nobody"
        f" looked at{where}; then",
    )
