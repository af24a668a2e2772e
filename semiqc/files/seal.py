"""The seal of an HDF5 file: a checksum of all of it, in the block before HDF5's own.

HDF5 lets the first bytes of a file to its user (the "user block" of its file format), and reads
what follows. There stands the SHA-256 of everything behind it, so that a store which somebody
moves, sends or renames still tells whether it is whole.
"""

import hashlib
import re
from pathlib import Path

from semiqc.files.checksums import Identity, identity_of, is_settled

BLOCK = 512
"""Bytes of the user block, the smallest that HDF5 takes."""
MARK = b"semiqc-sha256 "
"""Beginning of a sealed file."""
SEAL = re.compile(MARK + rb"([0-9]+) ([0-9a-f]{64})\n\0+")

_sound: set[Identity] = set()


def seal(path: Path) -> None:
    """Write the checksum of a closed file into its user block."""
    with path.open("r+b") as file:
        file.seek(BLOCK)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell() - BLOCK
        file.seek(0)
        file.write((MARK + f"{size} {digest}\n".encode()).ljust(BLOCK, b"\0"))


def broken_seal(path: Path) -> str:
    """How a file differs from what was sealed, in words; empty where it does not.

    Each file is hashed once in a process while it stays.
    """
    identity = identity_of(path)
    if identity in _sound:
        return ""
    with path.open("rb") as file:
        found = SEAL.fullmatch(file.read(BLOCK))
        if not found:
            return "the checksum at its beginning cannot be read"
        size = path.stat().st_size - BLOCK
        if size != int(found[1]):
            return f"expected {found[1].decode()} bytes behind the first {BLOCK}, got {size}"
        if hashlib.file_digest(file, "sha256").hexdigest() != found[2].decode():
            return "its SHA-256 is not the one that was written with it"
    if is_settled(identity):
        _sound.add(identity)
    return ""
