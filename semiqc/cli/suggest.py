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
    _print_next(run, output)


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


def _print_next(run: Path, output: Path) -> None:
    """How corrected files come into the run."""
    from semiqc.experiment import Finished

    settings = Finished.in_folder(run).settings
    if settings.dirty.share:
        _say("note: with dirty.share, labels of spoilt studies are not taken back by `semiqc run`")
        return
    known = settings.labels
    again = f"semiqc run {shlex.quote(str(run / 'settings.yaml'))} -o {shlex.quote(str(run))}"
    if known is None:
        again += f" --labels {shlex.quote(str(output / 'prelabels'))}"
    where = f"; put them into {known}, beside those of before" if known else ""
    _say("next: correct the prelabels, such as in 3D Slicer or ITK-SNAP, and remove those that")
    _say(f"nobody looked at{where}; then")
    _say(f"  {again}")


def _say(line: str) -> None:
    console.print(line, markup=False, highlight=False, soft_wrap=True)
