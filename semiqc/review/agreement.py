"""How far readers agree with one another, and with themselves."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from qc.verdicts import VERDICTS
from semiqc.review.records import Reading


@dataclass(frozen=True)
class Agreement:
    """How far two readings of the same segmentations agree.

    Args:
        first: Reader.
        second: Another reader; the same one where what they saw twice is compared.
        studies: How many both judged.
        same: Share of which both said the same.
        kappa: Cohen's: the share beyond what chance would give; NaN where chance gives all.
        admitted: Dice of the sets that they call good, 2 |A and B| / (|A| + |B|); NaN where
            neither calls any good.
    """

    first: str
    second: str
    studies: int
    same: float
    kappa: float
    admitted: float


def agreements(readings: Iterable[Reading]) -> list[Agreement]:
    """Each reader with themselves, where they saw something twice, and with each other.

    Readers are compared by their first showing.
    """
    first: dict[str, dict[tuple[str, str], bool]] = {}
    again: dict[str, dict[tuple[str, str], bool]] = {}
    for one in readings:
        said = first if one.place.showing == 1 else again
        of_reader = said.setdefault(one.reader, {})
        of_reader[one.place.study, one.place.of] = VERDICTS[one.verdict]
    names = sorted(first)
    pairs = [(name, name, first[name], again.get(name, {})) for name in names]
    pairs += [(a, b, first[a], first[b]) for a, b in combinations(names, 2)]
    return [
        _agreement(a, b, [(ours[key], theirs[key]) for key in ours if key in theirs])
        for a, b, ours, theirs in pairs
        if set(ours) & set(theirs)
    ]


def _agreement(first: str, second: str, pairs: Sequence[tuple[bool, bool]]) -> Agreement:
    same = sum(a == b for a, b in pairs) / len(pairs)
    return Agreement(first, second, len(pairs), same, cohen_kappa(pairs), _dice(pairs))


def cohen_kappa(pairs: Sequence[tuple[bool, bool]]) -> float:
    """Cohen's kappa of two readers' verdicts; NaN where both always say the same one thing.

    J. Cohen, "A coefficient of agreement for nominal scales", Educational and Psychological
    Measurement 20(1):37-46, 1960.
    """
    count = len(pairs)
    if not count:
        return math.nan
    seen = sum(a == b for a, b in pairs) / count
    ours, theirs = (sum(column) / count for column in zip(*pairs, strict=True))
    by_chance = ours * theirs + (1 - ours) * (1 - theirs)
    return (seen - by_chance) / (1 - by_chance) if by_chance < 1 else math.nan


def _dice(pairs: Sequence[tuple[bool, bool]]) -> float:
    called = sum(a + b for a, b in pairs)
    return 2 * sum(a and b for a, b in pairs) / called if called else math.nan
