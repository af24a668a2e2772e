"""``semiqc verify``: whether a store, a suite or a run is as it was written."""

from pathlib import Path
from typing import Annotated

import typer

from semiqc.cli.output import console

DAMAGED = 2
"""Exit code where something is damaged, as of a command that refuses it."""


def verify(
    path: Annotated[Path, typer.Argument(help="Store, suite or run folder.")],
) -> None:
    """Check every file of a store, a suite or a run against its checksum."""
    from semiqc.experiment.verifying import verify as verified

    found = verified(path)
    for one in found.damaged:
        console.print(str(one), markup=False, highlight=False, soft_wrap=True)
    if found.damaged:
        raise typer.Exit(DAMAGED)
    said = "sound" if found.files else "no checksums, for it was written by version 0.1"
    line = f"{path}: {found.kind}, {found.files} files: {said}"
    console.print(line, markup=False, highlight=False, soft_wrap=True)
