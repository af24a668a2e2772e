"""``semiqc suggest``: which studies to label next."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semiqc.cli.options import Output, RunFolder, Seed
from semiqc.cli.output import console, print_table

if TYPE_CHECKING:
    from semiqc.experiment.suggesting.suggesting import SuggestionRow


def suggest(
    run: RunFolder,
    output: Output,
    count: Annotated[int, typer.Option("--count", "-k", min=1, help="How many studies.")] = 5,
    seed: Seed = 0,
) -> None:
    """Rank unlabelled studies by what a label would teach, with segmentations to correct."""
    from semiqc.experiment import Terminal
    from semiqc.experiment.suggesting.suggesting import suggest as suggest_studies

    rows = suggest_studies(run, output, count=count, seed=seed, monitor=Terminal(console))
    if len(rows) < count:
        _say(f"note: {len(rows)} unlabelled studies were judged, fewer than {count}")
    _print_rows(rows, output)
    _say(f"table: {output / 'suggestions.csv'}")
    _say(f"next: correct {shlex.quote(str(output / 'prelabels'))} in a program such as 3D Slicer")


def _print_rows(rows: "list[SuggestionRow]", output: Path) -> None:
    print_table(
        f"studies to label next, with segmentations to correct in {output}",
        ("", "study", "group", "score", "differ", "why"),
        [
            (row.rank, row.study, row.group, f"{row.score:.2f}", f"{row.disagreement:.2f}",
             row.reasons)
            for row in rows
        ],
    )  # fmt: skip


def _say(line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
