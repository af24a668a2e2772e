"""Numbers checked against the bounds that a dataclass's annotations give."""

from collections.abc import Iterator
from typing import Annotated, Any, cast, get_args, get_type_hints

from annotated_types import Ge, Gt, Interval, Le, Lt

FAR = 1000
"""Bounds beyond are there for mistakes alone."""

Share = Annotated[float, Interval(ge=0, le=1)]
"""From 0 to 1, both included."""
PositiveShare = Annotated[float, Interval(gt=0, le=1)]
"""From 0 to 1, without 0."""
InnerShare = Annotated[float, Interval(gt=0, lt=1)]
"""From 0 to 1, without both."""
OpenShare = Annotated[float, Interval(ge=0, lt=1)]
"""From 0 to 1, without 1."""
Count = Annotated[int, Interval(ge=1, le=10**6)]
"""Of studies, trees, trainings and the like."""
Number = Annotated[int, Interval(ge=0, le=10**6)]
"""Of studies, where there may be none."""
Rounds = Annotated[int, Interval(ge=1, le=1000)]
"""Of judging and training anew."""
LabelValue = Annotated[int, Interval(ge=-(2**31), lt=2**31)]
"""Of a file of segmentations."""
Samples = Annotated[int, Interval(ge=0, le=1000)]
"""Of one network; 0 for none."""
Index = Annotated[int, Interval(ge=0, le=1000)]
"""Of a modality."""
Folds = Annotated[int, Interval(ge=2, le=10**4)]
"""Of a cross-fitting."""
Steps = Annotated[int, Interval(ge=1, le=10**8)]
"""Of an optimizer."""
Size = Annotated[int, Interval(ge=1, le=4096)]
"""Of an image in pixels, of a layer in filters, of a batch in slices."""
Rate = Annotated[float, Interval(gt=0, le=1000)]
"""Learning rate."""
Weight = Annotated[float, Interval(ge=0, le=10**6)]
"""Of a term of a loss."""
Amount = Annotated[float, Interval(ge=0, le=10**6)]
"""Of noise, movement and the like; 0 for none."""
Factor = Annotated[float, Interval(gt=0, le=10**6)]
"""What is multiplied or divided by."""
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
        if isinstance(value, bool):
            raise ValueError(f"{name} must be a number, got {value}")
        above = low is None or (value > low.gt if isinstance(low, Gt) else value >= low.ge)
        below = high is None or (value < high.lt if isinstance(high, Lt) else value <= high.le)
        if not (above and below):
            # Of a number that is too small, a bound that only mistakes pass is of no interest.
            is_far = isinstance(high, Le) and cast("float", high.le) > FAR
            shown = None if is_far and below else high
            raise ValueError(f"{name} must {_expected(low, shown)}, got {value}")


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
