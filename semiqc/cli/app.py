"""The whole command: subcommands in the order of the help, and what becomes of failures.

What is heavy to import is imported inside the commands, so that help is there at once.
"""

import logging
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from semiqc import __version__
from semiqc.cli import check, data, pretraining, qc, review, runs, score, suggest, tune, verify
from semiqc.cli.mistakes import can_be_mended, in_one_line
from semiqc.cli.output import console
from semiqc.work.waiting import WaitingError

app = typer.Typer(
    name="semiqc",
    help="Train segmenters on few labels, guarded by quality control.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(score.score)
app.command()(review.review)
app.command()(check.check)
app.command("import")(data.import_)
app.command()(data.phantom)
app.command()(data.spoil)
app.command()(runs.run)
app.command()(runs.report)
app.command()(runs.predict)
app.command()(runs.evaluate)
app.command()(pretraining.pretrain)
app.command()(tune.tune)
app.command()(suggest.suggest)
app.command()(runs.export)
app.command()(verify.verify)
app.command()(runs.schema)
app.add_typer(qc.app, name="qc")

WAITING = 3
"""Exit code where the work waits for a person."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it; some versions of Typer return it, others raise."""


@app.callback(invoke_without_command=True)
def _semiqc(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Options of the command itself; without any, a subcommand follows."""
    if version:
        console.print(__version__, highlight=False)
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on the words after ``semiqc``; by default those of the process.

    Returns 0 when done, 2 after a mistake of the user's, told in one line, 3 where a person has to
    judge first, 130 after Ctrl-C.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A terminal that knows no umlauts must not end the work on a study that has one.
            stream.reconfigure(errors="backslashreplace")
    # What Fabric says of each network's precision is of no use beside a progress bar.
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    try:
        code = int(app(args=arguments, standalone_mode=False) or 0)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except WaitingError as error:
        print(f"semiqc: {in_one_line(error)}", file=sys.stderr)
        return WAITING
    except Exception as error:
        if not can_be_mended(error):
            raise
        print(f"semiqc: {in_one_line(error)}", file=sys.stderr)
        return 2
    if code == INTERRUPTED:
        print("semiqc: interrupted; the same command goes on where it stood", file=sys.stderr)
    return code
