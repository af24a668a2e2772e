"""Arguments and options that several commands have in common."""

from pathlib import Path
from typing import Annotated

import typer

NewStore = Annotated[Path, typer.Argument(help="HDF5 file to write.")]
SuiteFolder = Annotated[Path, typer.Argument(help="Folder that `semiqc qc fit` wrote.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of all that is drawn.")]
