"""The whole command: subcommands in the order of the help, and what becomes of failures.

What is heavy to import is imported inside the commands, so that help is there at once.
"""

import logging
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from semiqc import __version__
from semiqc.cli import (
    check,
    data,
    info,
    pretraining,
    qc,
    review,
    runs,
    score,
    suggest,
    tune,
    verify,
)
from semiqc.cli.mistakes import (
    can_be_mended,
    in_one_line,
    is_help,
    of_output,
    refuse_lost,
    refuse_odd,
)
from semiqc.cli.output import console, manner, speak
from semiqc.cli.spoken import spoken
from semiqc.files.interrupts import INTERRUPTED, heard, was_interrupted
from semiqc.work.waiting import WaitingError

app = typer.Typer(
    name="semiqc",
    help="Train segmenters on few labels, guarded by quality control.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
COMMANDS: dict[str, Callable[..., None]] = {
    "score": score.score,
    "review": review.review,
    "check": check.check,
    "import": data.import_,
    "phantom": data.phantom,
    "spoil": data.spoil,
    "run": runs.run,
    "report": runs.report,
    "predict": runs.predict,
    "evaluate": runs.evaluate,
    "pretrain": pretraining.pretrain,
    "tune": tune.tune,
    "suggest": suggest.suggest,
    "export": runs.export,
    "info": info.info,
    "verify": verify.verify,
    "doctor": info.doctor,
}
"""In the order of the help; each tells how it goes in the manner that the user asks for."""

for _name, _command in COMMANDS.items():
    app.command(_name)(spoken(_command))
app.command()(runs.schema)
app.add_typer(qc.app, name="qc")

MISTAKE = 2
"""Exit code after a mistake of the user's."""

WAITING = 3
"""Exit code where the work waits for a person."""

GOING_ON = ("run", "predict", "pretrain", "tune", "qc fit", "qc pretrain")
"""Commands that go on where they stood; all others leave nothing and begin anew."""


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
    speak()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        with heard():
            code = _done(words)
    except KeyboardInterrupt:
        # Some versions of Typer return it, others raise.
        code = INTERRUPTED
    except BrokenPipeError:
        # Who reads the output has read enough, such as `head`.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        return INTERRUPTED
    if code == INTERRUPTED:
        print(_interrupted(words), file=sys.stderr)
    return code


def _done(words: Sequence[str]) -> int:
    """Exit code of a command, once it is done.

    Raises:
        KeyboardInterrupt: If it was interrupted.
        BrokenPipeError: If nobody reads its output.
        Exception: If there is a bug.
    """
    try:
        refuse_odd(words)
        refuse_lost()
        code = int(app(args=words, standalone_mode=False) or 0)
        if manner.is_json:
            print(manner.document.to_json(), flush=True)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        raise
    except Exception as error:
        # A library may have made an error of its own of it.
        if was_interrupted():
            raise KeyboardInterrupt from None
        if is_help(error):
            print(error.format_message())  # type: ignore[attr-defined]
            return 0
        return _failed(of_output(error))
    return code


def _interrupted(words: Sequence[str]) -> str:
    """What is said after Ctrl-C of a command of these words."""
    goes_on = any(list(words[: len(one)]) == one for one in map(str.split, GOING_ON))
    return "semiqc: interrupted" + ("; the same command goes on where it stood" if goes_on else "")


def _failed(error: Exception) -> int:
    """Tell in one line why a command failed; the exit code.

    Raises:
        Exception: The same, if it is a bug.
    """
    if not isinstance(error, WaitingError) and not can_be_mended(error):
        raise error
    if manner.is_verbose:
        traceback.print_exception(error)
    if manner.is_json:
        manner.document.facts["error"] = in_one_line(error)
        print(manner.document.to_json())
    print(f"semiqc: {in_one_line(error)}", file=sys.stderr)
    return WAITING if isinstance(error, WaitingError) else MISTAKE
