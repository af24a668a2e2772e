"""Studies made ready for the page, of which the last few are kept."""

import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from semiqc.doors.regular import UnusableError, one_study
from semiqc.review.described import describe, reveal
from semiqc.review.items import Item, Material
from semiqc.review.sheet import film, heat_sheet

KEPT_BYTES = 2**25
"""Of what was made ready: the studies around the one that is seen, each two megabytes or so."""


class Shown:
    """Makes what the page asks for, each part once while it is kept.

    Args:
        items: Of the queue, by their number.
        most: Bytes that are kept.
    """

    def __init__(self, items: Sequence[Item], most: int = KEPT_BYTES) -> None:
        self.items = items
        self.most = most
        self._kept: OrderedDict[tuple[int, str], bytes] = OrderedDict()
        self._material: tuple[int, Material] | None = None
        # One at a time: films of several studies at once would fill the memory. In one thread:
        # each that ever made a film would keep memory of its own.
        self._working = ThreadPoolExecutor(1, "films")

    def about(self, number: int) -> bytes:
        """Size, outlines and curves of a study, as JSON.

        Raises:
            UnusableError: If the study cannot be read.
        """
        return self._part(number, "about", lambda one: _json(describe(one)))

    def film(self, number: int, modality: int) -> bytes:
        """The frames and slices of one modality, as JPEG.

        Raises:
            UnusableError: If the study cannot be read, or has no such modality.
        """
        return self._part(number, f"film {modality}", lambda one: _film(one, modality))

    def revealed(self, number: int) -> bytes:
        """What a blind reader must not see, as JSON.

        Raises:
            UnusableError: If the study cannot be read.
        """
        item = self.items[number]
        return self._part(number, "revealed", lambda one: _json(reveal(item, one)))

    def heat(self, number: int, rank: int) -> bytes:
        """What is laid over the image, the ``rank``-th of what ``revealed`` lists, as JPEG.

        Raises:
            UnusableError: If the study cannot be read, or has no such map.
        """
        return self._part(number, f"heat {rank}", lambda one: _heat(one, rank))

    def _part(self, number: int, part: str, make: Callable[[Material], bytes]) -> bytes:
        return self._working.submit(self._made, number, part, make).result()

    def _made(self, number: int, part: str, make: Callable[[Material], bytes]) -> bytes:
        key = number, part
        if key not in self._kept:
            with one_study(self.items[number].study):
                self._kept[key] = make(self._read(number))
        self._kept.move_to_end(key)
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > self.most:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _read(self, number: int) -> Material:
        """The study, of which the last one that was asked for stays open."""
        if self._material is None or self._material[0] != number:
            self._material = number, self.items[number].read()
        return self._material[1]


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":"), allow_nan=False).encode()


def _film(material: Material, modality: int) -> bytes:
    if not 0 <= modality < material.image.shape[0]:
        raise UnusableError(f"no modality {modality} among {material.image.shape[0]}")
    return film(material.image, modality)


def _heat(material: Material, rank: int) -> bytes:
    if not 0 <= rank < len(material.heat):
        raise UnusableError(f"no map {rank} among {len(material.heat)}")
    return heat_sheet(list(material.heat.values())[rank])
