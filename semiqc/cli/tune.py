"""``semiqc tune``: settings of the training, chosen on validation subjects."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from semiqc.cli.options import Changes, Output, Seed
from semiqc.cli.output import next_command, print_table, terminal

if TYPE_CHECKING:
    from semiqc.work.search import Searched

Over = Annotated[
    list[str],
    typer.Option(
        "--over",
        metavar="KEY=RANGE",
        help="Search over a setting: log(LOW,HIGH), uniform(LOW,HIGH), int(LOW,HIGH), [A, B].",
    ),
]


def tune(
    settings: Annotated[Path, typer.Argument(help="YAML file, as for run.")],
    over: Over,
    output: Output,
    changes: Changes = None,
    trials: Annotated[int, typer.Option(min=1, help="With those of earlier calls.")] = 20,
    reduction: Annotated[
        int, typer.Option(min=2, help="Of trials at one step, one of so many goes on.")
    ] = 3,
    seed: Seed = 0,
) -> None:
    """Search settings of the training, or of an estimator, on validation subjects; resumes."""
    from semiqc.experiment.tuning import SETTINGS, Tuning
    from semiqc.experiment.tuning import tune as tune_settings

    asked = Tuning(settings, changes or (), over, output, trials, seed, reduction)
    found = tune_settings(asked, terminal())
    _print_trials(found)
    if found.best is None:
        raise ValueError(f"{output}: no trial came to its end; see trials.csv")
    next_command(shlex.join(["semiqc", "run", str(output / SETTINGS)]), "run the best")


def _print_trials(found: "Searched") -> None:
    """The trials, the best first."""
    order = sorted(found.trials, key=lambda one: (one.state != "complete", -one.value))
    print_table(
        f"{len(order)} trials",
        ("trial", "", found.measure, "step", "settings"),
        [
            (
                one.number,
                one.state,
                f"{one.value:.4f}",
                one.step,
                ", ".join(f"{key}={value}" for key, value in one.changes.items()),
            )
            for one in order
        ],
    )
