"""What stands behind the page: a queue for each reader, and what they said."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qc.verdicts import VERDICTS
from semiqc.review.items import Item
from semiqc.review.order import ORDERS, Order, check_share, places, seed_of
from semiqc.review.records import Grade, Place, Reading, Records
from semiqc.review.shown import Shown
from semiqc.work.arguments import unknown

REASONS: Mapping[str, str] = {
    "a": "slice missing",
    "s": "slice too many",
    "d": "leaks out",
    "f": "too small",
    "w": "wrong place",
    "r": "jumps in time",
    "t": "pieces or holes",
    "b": "image unusable",
}
"""What may speak against a segmentation, by the key that says so."""

GRADES = (0, 1, 2, 3)
"""Good, in between, to be corrected (Fournel et al., Medical Image Analysis 2021); 0 is none."""

LONGEST_NOTE = 2000
LONGEST_NAME = 60
LONGEST_SECONDS = 3600.0


class RefusedError(ValueError):
    """What the page sent makes no sense here."""


class Desk:
    """A review.

    Args:
        items: What is judged.
        records: What readers said.
        blind: Whether estimates and references are kept from the readers; by default where
            verdicts teach an estimator.
        order: Of the first showings.
        repeat: Share of the items that are shown twice.
        seed: Of what is drawn.

    Raises:
        ValueError: If the order is unknown, or ``repeat`` out of range.
    """

    def __init__(
        self,
        items: Sequence[Item],
        records: Records,
        *,
        blind: bool | None = None,
        order: Order = "random",
        repeat: float = 0.0,
        seed: int = 0,
    ) -> None:
        if order not in ORDERS:
            raise ValueError(f"order: {unknown(order, ORDERS)}")
        check_share(repeat)
        self.items = items
        self.records = records
        self.blind = any(one.teaches for one in items) if blind is None else blind
        self.order: Order = order
        self.repeat = repeat
        self.seed = seed
        self.shown = Shown(items)
        self._numbers = {(one.study, one.of): rank for rank, one in enumerate(items)}

    def queue(self, reader: str) -> dict[str, Any]:
        """The reader's places in order, each with its verdict if there is one, and the grades."""
        reader = _name(reader)
        seed = seed_of(reader, self.seed)
        self.records.line_up(reader, places(self.items, self.order, self.repeat, seed))
        said = {one.place: one for one in self.records.readings(reader)}
        return {
            "reader": reader,
            "blind": self.blind,
            "places": [
                self._place(one, said.get(one))
                for one in self.records.queue(reader)
                if (one.study, one.of) in self._numbers
            ],
        }

    def _place(self, place: Place, said: Reading | None) -> dict[str, Any]:
        number = self._numbers[place.study, place.of]
        return {
            "item": number,
            "showing": place.showing,
            "said": said and _as_json(said),
        }

    def grades(self, reader: str, item: int) -> list[dict[str, Any]]:
        """What the reader graded in a study."""
        of = self._item(item)
        return [
            {"frame": g.frame, "slice": g.slice, "structure": g.structure, "grade": g.grade}
            for g in self.records.grades()
            if (g.reader, g.study, g.of) == (reader, of.study, of.of)
        ]

    def give(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a verdict.

        Args:
            sent: By the page, with the number of the verdict that it knew of as ``knew``.

        Returns:
            Number of the verdict and, as ``other``, one that was given meanwhile elsewhere.

        Raises:
            RefusedError: If it is none.
        """
        reader, place = _name(sent.get("reader")), self._sent_place(sent)
        verdict, reasons = sent.get("verdict"), sent.get("reasons", [])
        if not isinstance(verdict, str) or verdict not in VERDICTS:
            raise RefusedError("verdict must be good or erroneous")
        if not isinstance(reasons, list) or any(r not in REASONS.values() for r in reasons):
            raise RefusedError("reasons must be of the list")
        note = _text(sent.get("note", ""), "note", LONGEST_NOTE)
        before = {one.place: one for one in self.records.readings(reader)}.get(place)
        said = Reading(reader, place, verdict, tuple(reasons), note, _seconds(sent))
        number = self.records.give(said)
        is_other = before is not None and before.number != sent.get("knew", 0)
        return {
            "said": _as_json(replace(said, number=number)),
            "other": before.verdict if before and is_other else None,
        }

    def undo(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Take back the reader's last verdict; where it was given is ``item`` and ``showing``."""
        found = self.records.undo(_name(sent.get("reader")))
        if found is None or (found.place.study, found.place.of) not in self._numbers:
            return {"undone": None}
        return {"undone": self._place(found.place, None)}

    def put_off(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Move a place to the end of the reader's queue.

        Raises:
            RefusedError: If there is no such place.
        """
        self.records.put_off(_name(sent.get("reader")), self._sent_place(sent))
        return {}

    def grade(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a grade of one structure in one slice.

        Raises:
            RefusedError: If it is none.
        """
        item = self._item(sent.get("item"))
        frame, number, grade = sent.get("frame"), sent.get("slice"), sent.get("grade")
        structure = _text(sent.get("structure"), "structure", LONGEST_NAME)
        if type(frame) is not int or type(number) is not int or min(frame, number) < 0:
            raise RefusedError("frame and slice must be counted from 0")
        if type(grade) is not int or grade not in GRADES:
            raise RefusedError("grade must be 1, 2 or 3, or 0 to take one back")
        reader = _name(sent.get("reader"))
        self.records.grade(
            Grade(reader, item.study, item.of, frame, number, structure, int(grade))
        )
        return {}

    def _item(self, number: object) -> Item:
        if type(number) is not int or not 0 <= number < len(self.items):
            raise RefusedError(f"no study of that number among {len(self.items)}")
        return self.items[number]

    def _sent_place(self, sent: Mapping[str, Any]) -> Place:
        item, showing = self._item(sent.get("item")), sent.get("showing")
        if type(showing) is not int or showing not in (1, 2):
            raise RefusedError("showing must be 1 or 2")
        return Place(item.study, item.of, int(showing))


def _as_json(said: Reading) -> dict[str, Any]:
    return {
        "verdict": said.verdict,
        "reasons": list(said.reasons),
        "note": said.note,
        "seconds": said.seconds,
        "number": said.number,
    }


def _name(value: object) -> str:
    name = _text(value, "reader", LONGEST_NAME).strip()
    if not name:
        raise RefusedError("reader has no name")
    return name


def _text(value: object, what: str, most: int) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise RefusedError(f"{what} must be a text of {most} characters at most")
    return value


def _seconds(sent: Mapping[str, Any]) -> float:
    value = sent.get("seconds", 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RefusedError("seconds must be a number")
    return min(max(float(value), 0.0), LONGEST_SECONDS)
