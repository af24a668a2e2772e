"""``semiqc info`` and ``semiqc doctor``: what something holds, and what this machine has."""

from pathlib import Path
from typing import Annotated

import typer

from semiqc.cli.output import print_report_table, print_table, say

LACKING = 1
"""Exit code where something that is needed does not work."""


def info(
    path: Annotated[Path, typer.Argument(help="Store, suite or run folder; phantom.")],
) -> None:
    """Tell what a store, a suite or a run holds."""
    from semiqc.experiment.informing import info_of

    found = info_of(path)
    say("path", path)
    for name, fact in found.facts.items():
        say(name, fact)
    for title, columns, rows in found.tables:
        print_table(title, columns, rows)
    for table in found.found:
        print_report_table(table)


def doctor(
    folder: Annotated[Path, typer.Argument(help="Where runs will be written.")] = Path("."),
) -> None:
    """Look at this machine: versions, GPU, memory, disk, extras, weights that are shipped."""
    from semiqc.experiment.health import examine

    found = examine(folder)
    rows = [("ok" if one.is_well else one.grade, one.what, one.said) for one in found]
    print_table("this machine", ("", "what", "found"), rows)
    if any(one.grade == "fails" for one in found):
        raise typer.Exit(LACKING)
