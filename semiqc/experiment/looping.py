"""Arguments of loops, as settings give them."""

import inspect
from collections.abc import Mapping
from typing import Any

from loops import LOOPS
from loops.online.registry import METHODS
from semiqc.work.arguments import checked_arguments

OF_RUN = ("bench", "first", "experts", "candidates", "rounds")
"""Arguments of a loop that a run gives."""


BANK = {"labels": "bank"}
"""Argument of a method that learns the label bank's labels and not its teacher's."""


def learns_bank(loop: str) -> bool:
    """Whether an online loop can learn the labels of its bank."""
    return "labels" in inspect.signature(METHODS[loop]).parameters


def arguments_of(loop: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a loop as its annotations have them; an online loop's are its method's.

    Args:
        loop: Its name.
        given: By name, as YAML has them.

    Raises:
        ValueError: In words that begin with the loop's name.
    """
    kind = METHODS.get(loop) or LOOPS[loop]
    try:
        return checked_arguments(kind, given, of_run=OF_RUN)
    except ValueError as error:
        raise ValueError(f"{loop}.{error}") from None
