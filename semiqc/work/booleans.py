"""Refuses True and False, which Python and YAML's ``yes`` give, where a number is meant."""

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel, ValidationInfo, field_validator


def refuse_booleans(value: object, hint: Any, called: str = "") -> None:  # noqa: ANN401
    """Make sure that no number of a value is True or False; both would be taken as 1 and 0.

    Args:
        value: As settings have it: also lists and mappings, or the fields of a dataclass by name.
        hint: The type that is expected.
        called: How messages name the value; empty where what they are put into does.

    Raises:
        ValueError: If there is one.
    """
    kinds = set(_kinds(hint))
    if isinstance(value, bool) and kinds & {int, float} and not kinds & {bool, Any}:
        raise ValueError(f"{called}{' ' * bool(called)}must be a number, got {value}")
    for inner, name, of in _parts(value, hint, kinds):
        refuse_booleans(inner, of, ".".join(filter(None, (called, name))))


def _parts(
    value: object,
    hint: Any,  # noqa: ANN401
    kinds: set[Any],
) -> Iterator[tuple[object, str, Any]]:
    """What a value holds, the name of each field, and the type that is expected."""
    if isinstance(value, list | tuple):
        yield from ((one, "", hint) for one in value)
    elif isinstance(value, Mapping):
        # What annotates a type may be a dataclass, too.
        records = [kind for kind in kinds if isinstance(kind, type) and is_dataclass(kind)]
        fields = {n: of for kind in records for n, of in get_type_hints(kind).items()}
        if fields:
            yield from ((value[n], n, of) for n, of in fields.items() if n in value)
        else:
            yield from ((one, "", hint) for one in (*value, *value.values()))


def _kinds(hint: Any) -> Iterator[Any]:  # noqa: ANN401
    """All types that a hint is made of, within lists and unions too."""
    yield hint
    for part in get_args(hint):
        yield from _kinds(part)


def _check_field(model: type[BaseModel], value: Any, info: ValidationInfo) -> Any:  # noqa: ANN401
    refuse_booleans(value, model.model_fields[info.field_name or ""].annotation)
    return value


no_booleans: Any = field_validator("*", mode="before")(classmethod(_check_field))
"""Validator of a model whose numbers are no booleans."""
