"""Numbers checked against the bounds that a dataclass's annotations give."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_type_hints

from annotated_types import Ge, Gt, Interval, Le, Lt

Share = Annotated[float, Interval(ge=0, le=1)]
"""From 0 to 1, both included."""
PositiveShare = Annotated[float, Interval(gt=0, le=1)]
"""From 0 to 1, without 0."""
InnerShare = Annotated[float, Interval(gt=0, lt=1)]
"""From 0 to 1, without both."""
Count = Annotated[int, Ge(1)]
"""From 1 on."""
SeedNumber = Annotated[int, Interval(ge=0, lt=2**32)]
"""What every library takes as a seed."""


def check_bounds(one: object) -> None:
    """Make sure that each field lies within the bounds of its annotation; None always does.

    Raises:
        ValueError: With the name of the field, what was expected and what came.
    """
    for name, (low, high) in _bounds(type(one)).items():
        value = getattr(one, name)
        if value is None:
            continue
        above = low is None or (value > low.gt if isinstance(low, Gt) else value >= low.ge)
        below = high is None or (value < high.lt if isinstance(high, Lt) else value <= high.le)
        if not (above and below):
            raise ValueError(f"{name} must {_expected(low, high)}, got {value}")


def _bounds(kind: type) -> dict[str, tuple[Ge | Gt | None, Le | Lt | None]]:
    found = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        bounds = list(_metadata(hint))
        low = next((bound for bound in bounds if isinstance(bound, Ge | Gt)), None)
        high = next((bound for bound in bounds if isinstance(bound, Le | Lt)), None)
        if low or high:
            found[name] = low, high
    return found


def _metadata(hint: Any) -> Iterator[Any]:  # noqa: ANN401
    """All that is annotated, also within a union; an interval as its two bounds."""
    for item in getattr(hint, "__metadata__", ()):
        yield from item if isinstance(item, Interval) else (item,)
    if not hasattr(hint, "__metadata__"):
        for part in get_args(hint):
            yield from _metadata(part)


def _expected(low: Ge | Gt | None, high: Le | Lt | None) -> str:
    left = f"({low.gt:g}" if isinstance(low, Gt) else f"[{low.ge:g}" if low else "(-inf"
    right = f"{high.lt:g})" if isinstance(high, Lt) else f"{high.le:g}]" if high else "inf)"
    if isinstance(low, Ge) and high is None:
        return "not be negative" if low.ge == 0 else f"be at least {low.ge:g}"
    return f"lie in {left}, {right}"
