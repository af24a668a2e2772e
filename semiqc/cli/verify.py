"""``semiqc verify``: whether a store, a suite or a run is as it was written."""

from pathlib import Path
from typing import Annotated

import typer

from semiqc.cli.output import note, say

DAMAGED = 2
"""Exit code where something is damaged, as of a command that refuses it."""


def verify(
    path: Annotated[Path, typer.Argument(help="Store, suite or run folder.")],
) -> None:
    """Check every file of a store, a suite or a run against its checksum."""
    from semiqc.experiment.verifying import verify as verified

    found = verified(path)
    for one in found.damaged:
        note(str(one))
    if found.damaged:
        raise typer.Exit(DAMAGED)
    said = "sound" if found.files else "no checksums, for it was written by version 0.1"
    say(str(path), said, f"{found.kind}, {found.files} files: {said}")
