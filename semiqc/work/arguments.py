"""Arguments of estimators and of sources of segmentations, checked before anything is made."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from semiqc.doors.regular import in_short
from semiqc.work.booleans import no_booleans
from semiqc.work.descriptions import descriptions

GIVEN = ("self", "scheme", "modalities", "seed")
"""What the program itself says, and settings do not."""

LONGEST_NAME = 80
"""Characters of a name that is looked at."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a constructor.

    Args:
        annotation: Its type, with its bounds.
        default: Where it is not given.
        description: By the docstring of the class.
    """

    annotation: Any
    default: Any
    description: str


def parameters_of(kind: type, given: Collection[str]) -> dict[str, Parameter]:
    """Parameters of a class's constructor by name, without those in ``given``."""
    said = descriptions(kind)
    return {
        name: Parameter(one.annotation, one.default, said.get(name, ""))
        for name, one in inspect.signature(kind).parameters.items()
        if name not in given
    }


def checked_arguments(
    kind: Callable[..., Any], given: Mapping[str, Any], of_run: tuple[str, ...] = GIVEN
) -> dict[str, Any]:
    """Arguments for ``kind`` as its annotations have them; what is not given is left out.

    Args:
        kind: A class whose constructor annotates its arguments, or a function.
        given: By name, as YAML or JSON has them.
        of_run: Arguments that the program itself gives.

    Raises:
        ValueError: In words that name the argument, what was expected and what came.
    """
    model = _model(kind, of_run)
    for name in given:
        if name not in model.model_fields:
            raise ValueError(f"{name}: {unknown(name, list(model.model_fields))}")
    try:
        checked = model.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        given = first["input"]
        shown = in_short(repr(given) if isinstance(given, str) else given, LONGEST_NAME)
        message = str(first["msg"])
        said = message.removeprefix("Value error, ")
        wrong = said if said != message else f"{message.lower()}, got {shown}"
        raise ValueError(f"{where}: {wrong}") from None
    return {name: getattr(checked, name) for name in checked.model_fields_set}


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that is likeliest meant, if one resembles the name."""
    # Looking for the nearest takes long for long names.
    return next(iter(get_close_matches(name[:LONGEST_NAME], known, n=1)), None)


def unknown(name: str, known: Sequence[str]) -> str:
    """Message for a name that is not among the known ones, with the likeliest meant."""
    near = nearest(name, known)
    hint = f"did you mean '{near}'?" if near else f"known: {', '.join(sorted(known))}"
    return f"unknown '{in_short(name, 80)}'; {hint}"


@lru_cache
def _model(kind: Callable[..., Any], of_run: tuple[str, ...]) -> type[BaseModel]:
    """The arguments that settings may give, with their types and defaults, as a model."""
    fields: dict[str, Any] = {
        name: (parameter.annotation, parameter.default)
        for name, parameter in inspect.signature(kind).parameters.items()
        if name not in of_run
    }
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False)
    model: type[BaseModel] = create_model(
        "Arguments", __config__=config, __validators__={"no_booleans": no_booleans}, **fields
    )
    return model
