"""Arguments and options that several commands have in common."""

from pathlib import Path
from typing import Annotated, Any

import typer

from semiqc.work.bounds import bounds_of
from semiqc.work.descriptions import descriptions

NewStore = Annotated[Path, typer.Argument(help="HDF5 file to write.")]
SuiteFolder = Annotated[Path, typer.Argument(help="Folder that `semiqc qc fit` wrote.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Seed = Annotated[int, typer.Option(help="Of all that is drawn.")]


def option_of(kind: type, setting: str) -> Any:  # noqa: ANN401
    """The option of a command that is a field of a settings dataclass: its help and bounds."""
    low, high = bounds_of(kind).get(setting, (None, None))
    smallest, largest = getattr(low, "ge", None), getattr(high, "le", None)
    return typer.Option(help=descriptions(kind)[setting], min=smallest, max=largest)
