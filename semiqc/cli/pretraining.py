"""``semiqc pretrain``: weights that only phantoms teach."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from semiqc.cli.options import Changes, Overwrite
from semiqc.cli.output import say, terminal


def pretrain(
    weights: Annotated[Path, typer.Option("--output", "-o", help="File to write, *.safetensors.")],
    scheme: Annotated[str | None, typer.Option(help="short-axis, aorta or tumour.")] = None,
    phantoms: Annotated[int | None, typer.Option(min=1, help="How many are drawn.")] = None,
    frames: Annotated[int | None, typer.Option(min=1, help="Of each phantom.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of the training.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of phantoms and training.")] = None,
    changes: Changes = None,
    overwrite: Overwrite = False,
) -> None:
    """Teach a network on phantoms alone; weights and their card. Goes on where it stopped."""
    from semiqc.experiment import pretrain as make_weights
    from semiqc.experiment import read_pretraining

    given = {
        "scheme": scheme,
        "phantoms": phantoms,
        "frames": frames,
        "training.steps": steps,
        "seed": seed,
        "training.seed": seed,
    }
    said = [f"{key}={value}" for key, value in given.items() if value is not None]
    said += changes or ()
    options = [word for change in said for word in ("--set", change)]
    card = make_weights(
        read_pretraining(said),
        weights,
        terminal(),
        command=shlex.join(["semiqc", "pretrain", *options, "-o", weights.name]),
        overwrite=overwrite,
    )
    say("weights", weights)
    say("SHA-256", card.sha256)
