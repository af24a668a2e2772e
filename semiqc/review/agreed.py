"""What several readers say together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from qc.verdicts import VERDICTS
from semiqc.review.records import Reading


@dataclass(frozen=True)
class Agreed:
    """What readers together say of one segmentation.

    Args:
        study: Its name.
        of: Which segmentation of it.
        is_good: What most say; erroneous where they are as many.
        readers: How many judged it.
        unanimous: Whether all say the same.
    """

    study: str
    of: str
    is_good: bool
    readers: int
    unanimous: bool


def agreed(readings: Iterable[Reading]) -> list[Agreed]:
    """The verdict of most readers on each segmentation, each by their last showing of it.

    Where as many say good as erroneous, it is erroneous: a wrong label that is learned from does
    more harm than a right one that is not.
    """
    last: dict[tuple[str, str], dict[str, bool]] = {}
    for one in sorted(readings, key=lambda one: (one.place.showing, one.number)):
        said = last.setdefault((one.place.study, one.place.of), {})
        said[one.reader] = VERDICTS[one.verdict]
    return [_agreed(study, of, said) for (study, of), said in last.items()]


def _agreed(study: str, of: str, said: Mapping[str, bool]) -> Agreed:
    good: Sequence[bool] = list(said.values())
    return Agreed(study, of, 2 * sum(good) > len(good), len(good), len(set(good)) == 1)
