"""``semiqc qc pretrain``, ``finetune``, ``calibrate``: suites of phantoms, and for own images."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from semiqc.cli.options import Arguments, Names, Output, Seed, names_of
from semiqc.cli.output import bar, next_command, say, terminal


def pretrain(
    output: Output,
    scheme: Annotated[str | None, typer.Option(help="short-axis, aorta or tumour.")] = None,
    phantoms: Annotated[int | None, typer.Option(min=1, help="How many are drawn.")] = None,
    size: Annotated[int | None, typer.Option(min=32, help="Their rows and columns.")] = None,
    slices: Annotated[int | None, typer.Option(min=1, help="Of each.")] = None,
    spacing: Annotated[float | None, typer.Option(help="In-plane, in mm.")] = None,
    estimators: Names = None,
    sources: Names = None,
    calibrate: Annotated[
        int | None, typer.Option(min=0, help="Phantoms to fit the weights of the consensus on.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of all that is drawn.")] = None,
    changes: Arguments = None,
) -> None:
    """Fit a suite to phantoms alone; with its card. Goes on where it stopped."""
    from semiqc.experiment.settings_file import validated
    from semiqc.suites.pretraining import SuitePretraining, pretrain_suite

    numbers = {
        "scheme": scheme,
        "phantoms": phantoms,
        "size": size,
        "slices": slices,
        "spacing": spacing,
        "calibrate": calibrate,
        "seed": seed,
    }
    given = {name: number for name, number in numbers.items() if number is not None}
    names = {"estimators": estimators, "sources": sources}
    said = given | {name: text for name, text in names.items() if text}
    options = [word for name, value in said.items() for word in (f"--{name}", str(value))]
    options += [word for change in changes or () for word in ("--set", change)]
    settings = validated(
        SuitePretraining, given | names_of(**names) | {"changes": tuple(changes or ())}
    )
    command = shlex.join(["semiqc", "qc", "pretrain", *options, "-o", output.name])
    card = pretrain_suite(settings, output, terminal(), command=command)
    say("suite", output)
    say("SHA-256", card.sha256)


def calibrate(
    suite: Annotated[Path, typer.Argument(help="Folder of a suite, or phantom.")],
    graded: Annotated[Path, typer.Argument(help="Graded segmentations of few subjects.")],
    output: Output,
    store: Annotated[
        Path | None, typer.Option(help="Their store, if it is not where it was.")
    ] = None,
) -> None:
    """Let the consensus of a suite learn what it means on your images, from few labels."""
    from semiqc.suites.calibrating import calibrate_suite

    with bar("calibrate") as tick:
        found = calibrate_suite(suite, graded, output, store=store, observe=tick)
    weighing = len(found.training.weighing)
    say("suite", output, f"{output}; {', '.join(found.names)}, weighed by {weighing} studies")


def finetune(
    suite: Annotated[Path, typer.Argument(help="Folder of a suite, or phantom.")],
    store: Annotated[Path, typer.Argument(help="Store with labelled frames of few subjects.")],
    output: Output,
    split: Annotated[
        Path | None, typer.Option(help="Table of roles; only labelled studies are learned from.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of the training.")] = 400,
    seed: Seed = 0,
) -> None:
    """Let the judge of a suite learn your labels; no segmentation of them is needed."""
    from semiqc.suites.finetuning import finetune_suite

    with bar("finetune") as tick:
        found = finetune_suite(
            suite, store, output, split=split, steps=steps, seed=seed, observe=tick
        )
    say("suite", output, f"{output}; {', '.join(found.names)}")
    next_command(
        shlex.join(["semiqc", "score", str(output), "IMAGES", "SEGMENTATIONS", "-o", "scores"]),
        "judge segmentations",
    )
