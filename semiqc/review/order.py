"""In which order a reader sees the studies, and which of them twice."""

import hashlib
import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from semiqc.review.items import Item
from semiqc.review.records import Place

Order = Literal["given", "random", "score", "disagreement"]
"""As given; at random; lowest mean score first; where estimators differ most first."""

ORDERS: tuple[str, ...] = get_args(Order)


def places(items: Sequence[Item], order: Order, repeat: float, seed: int) -> list[Place]:
    """The showings of all items, those that are repeated somewhere in the second half.

    Args:
        items: In the given order.
        order: Of the first showings. What has no score comes last.
        repeat: Share of the items that are shown twice, in [0, 1].
        seed: Of what is drawn.

    Raises:
        ValueError: If ``repeat`` is out of range.
    """
    check_share(repeat)
    rng = np.random.default_rng(seed)
    first = [Place(one.study, one.of) for one in _ordered(items, order, rng)]
    # Those of the first half come back in the second, when they are no longer remembered.
    count = round(repeat * len(first))
    again = sorted(rng.permutation(len(first))[:count])
    found = list(first)
    for rank in again:
        place = first[rank]
        earliest = min(len(found), found.index(place) + 1 + len(first) // 2)
        at = int(rng.integers(earliest, len(found) + 1))
        found.insert(at, Place(place.study, place.of, 2))
    return found


def check_share(repeat: float) -> None:
    """Make sure that a share is one.

    Raises:
        ValueError: If not.
    """
    if not 0 <= repeat <= 1:
        raise ValueError(f"repeat must lie in [0, 1], got {repeat}")


def seed_of(reader: str, seed: int) -> int:
    """A seed of the reader's own, so that two readers see two orders."""
    return int.from_bytes(hashlib.sha256(f"{seed} {reader}".encode()).digest()[:8])


def _ordered(items: Sequence[Item], order: Order, rng: np.random.Generator) -> list[Item]:
    match order:
        case "random":
            return [items[rank] for rank in rng.permutation(len(items))]
        case "score":
            return sorted(items, key=_mean_score)
        case "disagreement":
            return sorted(items, key=lambda one: -_spread(one))
        case _:
            return list(items)


def _known(item: Item) -> list[float]:
    return [score for score in item.scores.values() if math.isfinite(score)]


def _mean_score(item: Item) -> float:
    known = _known(item)
    return sum(known) / len(known) if known else math.inf


def _spread(item: Item) -> float:
    """Standard deviation of the scores; below all others where there are fewer than two."""
    known = _known(item)
    return float(np.std(known)) if len(known) > 1 else -1.0
