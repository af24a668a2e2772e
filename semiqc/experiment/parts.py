"""Stages of many studies in parts, so that several workers share them."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

from semiqc.work.stages import RunFolder

PART = 100
"""Studies of one part at most; fewer than that are one stage."""

Item = TypeVar("Item")
Made = TypeVar("Made")


def in_parts(
    folder: RunFolder,
    items: Sequence[Item],
    make: Callable[[str, Sequence[Item]], list[Made]],
) -> list[Made]:
    """What ``make`` gives of all items, in their order, from one part after the other.

    Args:
        folder: In which others may make some of the parts.
        items: Studies, or what was made of them.
        make: Given what a part's stage is called beside its name, and its items.
    """
    if len(items) <= PART:
        return make("", items)
    starts = range(0, len(items), PART)
    tasks = [
        partial(make, f"-part{number}", items[start : start + PART])
        for number, start in enumerate(starts, 1)
    ]
    return list(chain.from_iterable(folder.each(tasks)))
