"""Options that every command has: how it speaks."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from semiqc.cli.output import speak

Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say more: stages that were found, tracebacks.")
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document; the rest goes to standard error.")
]
COMMON = {"quiet": Quiet, "verbose": Verbose, "as_json": AsJson}


def spoken(command: Callable[..., None]) -> Callable[..., None]:
    """A command with ``--quiet``, ``--verbose`` and ``--json`` besides its own options."""

    @wraps(command)
    def told(*args: Any, quiet: bool, verbose: bool, as_json: bool, **given: Any) -> None:  # noqa: ANN401
        if quiet and verbose:
            raise typer.BadParameter("--quiet and --verbose contradict each other")
        speak(quiet=quiet, verbose=verbose, as_json=as_json)
        command(*args, **given)

    own = inspect.signature(command, eval_str=True)
    common = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for name, kind in COMMON.items()
    ]
    signature = own.replace(parameters=[*own.parameters.values(), *common])
    told.__signature__ = signature  # type: ignore[attr-defined]
    told.__annotations__ = get_type_hints(command, include_extras=True) | COMMON
    return told
