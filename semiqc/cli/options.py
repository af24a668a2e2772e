"""Arguments and options that several commands have in common."""

from pathlib import Path
from typing import Annotated, Any

import typer

NewStore = Annotated[Path, typer.Argument(help="HDF5 file to write.")]
RunFolder = Annotated[Path, typer.Argument(help="Folder of a finished run.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as gate.k=5."),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of all that is drawn.")]
FlagBelow = Annotated[
    float, typer.Option(min=0, max=1, help="Score below which a study is flagged.")
]
Labels = Annotated[
    str | None,
    typer.Option(help="What the files' label values are in the scheme, such as 1=3,2=2,3=1."),
]
Members = Annotated[
    list[Path] | None,
    typer.Option(
        help="Folder of another segmentation of the same images, or of class probabilities (.npz),"
        " such as a fold's; give it for each of several."
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1,
        envvar="SEMIQC_JOBS",
        help="Processes side by side; default: as many as cores, or GPUs.",
    ),
]
EngineName = Annotated[
    str,
    typer.Option("--engine", help="Where they run: processes, of this machine; ray, a cluster."),
]
Address = Annotated[
    str | None,
    typer.Option(help="Head of a Ray cluster, such as 10.0.0.1:6379; auto: on this machine."),
]
Names = Annotated[
    str | None, typer.Option(help="Names, parted by commas; default: see docs/qc.md.")
]
Calibrate = Annotated[
    int, typer.Option(min=0, help="Subjects to fit the weights of the consensus on.")
]
Arguments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME.KEY=VALUE", help="Such as cnn.steps=900."),
]


def names_of(**given: str | None) -> dict[str, Any]:
    """The lists of names that were given, taken apart at commas.

    Options that were not given are left out, so that the defaults hold.
    """
    return {
        option: tuple(name.strip() for name in names.split(","))
        for option, names in given.items()
        if names
    }


def meaning_of(labels: str | None) -> dict[int, int] | None:
    """Label values of a scheme by those of the files, from ``1=3,2=2``."""
    if labels is None:
        return None
    try:
        pairs = [part.split("=") for part in labels.split(",")]
        given = [(int(value), int(meaning)) for value, meaning in pairs]
    except ValueError:
        raise typer.BadParameter(
            f"expected value=value, parted by commas, got '{labels}'", param_hint="--labels"
        ) from None
    values = [value for value, _ in given]
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise typer.BadParameter(f"{twice[0]} is given twice", param_hint="--labels")
    return dict(given)


def threshold_of(text: str) -> float | dict[str, float]:
    """The Dice that the option names: one for all, or one for each structure.

    Raises:
        typer.BadParameter: If it is neither.
    """
    try:
        if "=" not in text:
            return float(text)
        pairs = [part.split("=") for part in text.split(",")]
        return {name.strip(): float(value) for name, value in pairs}
    except ValueError:
        raise typer.BadParameter(
            f"expected a number, or structure=number, parted by commas, got '{text}'",
            param_hint="--threshold",
        ) from None
