"""Names of files and folders, made of what users call things."""

import re

LONGEST = 120
"""Characters of a name; file systems take 255 bytes, and keys and suffixes follow."""


def as_file_name(name: str) -> str:
    """A name that stays within its folder: other signs than letters, digits and ``._@-`` are _."""
    safe = re.sub(r"[^\w.@-]", "_", name, flags=re.ASCII)[:LONGEST]
    return safe if safe.strip(".") else "_"
