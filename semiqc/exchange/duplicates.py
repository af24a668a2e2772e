"""Studies that come twice, under two names, told by their voxels."""

import hashlib

import numpy as np

from semiqc.images.raw import RawStudy, UnusableError


class Pixels:
    """Remembers the frames of all studies, to know one that comes under a second name."""

    def __init__(self) -> None:
        self._owners: dict[bytes, str] = {}

    def check(self, raw: RawStudy) -> None:
        """Remember the frames of a study, unless one of them is another study's.

        Frames that are the same everywhere do not count.

        Raises:
            UnusableError: If so.
        """
        digests = _digests(raw)
        for digest, frame in digests.items():
            if digest in self._owners:
                raise UnusableError(
                    f"frame {frame} has the same pixels as a frame of {self._owners[digest]}"
                )
        self._owners.update(dict.fromkeys(digests, raw.name))


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
