"""Sound files damaged at random: what a fuzz of a door reads. The same number, the same damage."""

import json
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

ODD_BYTES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0" * 8)
ODD_NUMBERS = (b"0", b"-1", b"nan", b"inf", b"1e308", b"-8", b"1" * 30, b"4294967296", b"0x7", b"")
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 10**30, float("nan"), float("inf"), "", "x", "../x", "\0", "\ud800",
    "9" * 400, [], {}, [[]], [None], {"": None}, ["a", "a"], "é", "e\u0301",
)  # fmt: skip
MOST_DAMAGES = 4
LONGEST = 64


def damaged(content: bytes, number: int) -> bytes:
    """A file with one to four damages."""
    draw = random.Random(number)
    for _ in range(draw.randint(1, MOST_DAMAGES)):
        place = draw.randrange(max(len(content), 1))
        content = draw.choice(_DAMAGES)(content, place, draw)
    return content


def _overwritten(content: bytes, place: int, draw: random.Random) -> bytes:
    odd = draw.choice((*ODD_BYTES, draw.randbytes(draw.randint(1, 8))))
    return content[:place] + odd + content[place + len(odd) :]


def _flipped(content: bytes, place: int, draw: random.Random) -> bytes:
    byte = bytes([content[place] ^ 1 << draw.randrange(8)]) if content else b""
    return content[:place] + byte + content[place + 1 :]


def _lost(content: bytes, place: int, draw: random.Random) -> bytes:
    return content[:place] + content[place + draw.randint(1, LONGEST) :]


def _doubled(content: bytes, place: int, draw: random.Random) -> bytes:
    end = place + draw.randint(1, LONGEST)
    return content[:end] + content[place:]


def _cut(content: bytes, place: int, _: random.Random) -> bytes:
    return content[:place]


def _renumbered(content: bytes, place: int, draw: random.Random) -> bytes:
    """Another number in the place of the next one that is written in digits."""
    digits = b"-.0123456789"
    start = next((n for n in range(place, len(content)) if content[n] in digits), len(content))
    end = next((n for n in range(start, len(content)) if content[n] not in digits), len(content))
    return content[:start] + draw.choice(ODD_NUMBERS) + content[end:]


_DAMAGES: tuple[Callable[[bytes, int, random.Random], bytes], ...] = (
    _overwritten, _overwritten, _flipped, _lost, _doubled, _cut, _renumbered, _renumbered,
)  # fmt: skip


def damaged_json(content: bytes, number: int) -> bytes:
    """JSON of which one to four values became others, are missing or are there twice."""
    draw = random.Random(number)
    told = json.loads(content)
    for _ in range(draw.randint(1, MOST_DAMAGES)):
        places = list(_places(told))
        if not places:
            break
        within, key = draw.choice(places)
        _change(within, key, draw)
    return json.dumps(told).encode()


def _places(told: Any) -> Any:
    """Every mapping or list, with each of its keys."""
    pairs = told.items() if isinstance(told, dict) else enumerate(told)
    for key, value in list(pairs):
        yield told, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _change(within: Any, key: Any, draw: random.Random) -> None:
    what = draw.randrange(5)
    if what == 0:
        del within[key]
    elif what == 1 and isinstance(within, dict):
        within[draw.choice(("", "x", key + "x"))] = within.pop(key)
    elif what == 1:
        within.append(deepcopy(within[key]))
    else:
        within[key] = deepcopy(draw.choice(ODD_VALUES))
