"""Studies that come twice: two of one name, and one under two names, told by its voxels."""

import hashlib
from collections.abc import Callable

import numpy as np

from semiqc.images.raw import Entry, Listing, RawStudy, Refusal, UnusableError


def without_namesakes(listing: Listing) -> tuple[list[Entry], list[Refusal]]:
    """Entries sorted by name, the first of each name; and what is left out so far."""
    taken: dict[str, Entry] = {}
    left_out = list(listing.refusals)
    for entry in sorted(listing.entries, key=lambda entry: (entry.name, str(entry.source))):
        # File systems that ignore case would let one study's results replace another's.
        first = taken.setdefault(entry.name.casefold(), entry)
        if first is not entry:
            reason = f"{entry.source}: the name is taken by {first.source}"
            left_out.append(Refusal(entry.name, reason))
    return list(taken.values()), left_out


class Pixels:
    """Remembers the frames of all studies, to know one that comes under a second name."""

    def __init__(self) -> None:
        self._owners: dict[bytes, str] = {}

    def check(self, raw: RawStudy) -> Callable[[], None]:
        """Refuse a study of which a frame is another study's.

        Frames that are the same everywhere do not count.

        Returns:
            Remembers the study's frames, once it is used: one that is left out for another reason
            must not cost a sound study its place.

        Raises:
            UnusableError: If so.
        """
        digests = _digests(raw)
        for digest, frame in digests.items():
            if digest in self._owners:
                raise UnusableError(
                    f"frame {frame} has the same pixels as a frame of {self._owners[digest]}"
                )
        name = raw.name
        return lambda: self._owners.update(dict.fromkeys(digests, name))


def _digests(raw: RawStudy) -> dict[bytes, int]:
    """Each frame that is not the same everywhere, by the hash of its shape and pixels."""
    digests = {}
    for frame in range(raw.image.shape[1]):
        pixels = np.ascontiguousarray(raw.image[:, frame], dtype=np.float32)
        if pixels.min() == pixels.max():
            continue
        hashed = hashlib.sha256(repr(pixels.shape).encode())
        hashed.update(pixels.data)
        digests[hashed.digest()] = frame
    return digests
