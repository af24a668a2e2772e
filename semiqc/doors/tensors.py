"""The door of safetensors files."""

from pathlib import Path
from typing import Any

from safetensors import safe_open

from semiqc.doors.regular import UnusableError, check_regular, refusing

LARGEST_TENSORS = 2**33
"""Bytes of the weights of one network or estimator."""


def read_tensors(path: Path, framework: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors of a file by name, and its metadata.

    Args:
        path: The file; the library checks that its header and its length agree.
        framework: ``pt`` or ``np``.

    Raises:
        UnusableError: If it cannot be read.
    """
    if check_regular(path, most=LARGEST_TENSORS).st_size == 0:
        raise UnusableError(f"{path}: empty file")
    with (
        refusing(path, "a readable safetensors file"),
        safe_open(path, framework=framework) as file,
    ):
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata() or {}
