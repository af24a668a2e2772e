"""A run folder as a whole: claimed by one process, and telling how it was made."""

import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import yaml
from filelock import FileLock, Timeout

from semiqc import __version__
from semiqc.doors.json_file import read_object
from semiqc.files.atomic import write_text
from semiqc.files.checksums import MANIFEST
from semiqc.files.staying import is_empty, is_mount
from semiqc.work.machine import cores
from semiqc.work.publishing import ENVIRONMENT, LOCK, PARTS, SETTINGS, carry_on

RESULT = "results/data.json"
"""What a finished run has."""
PACKAGES = ("torch", "monai", "lightning-fabric", "numpy", "scipy", "scikit-learn", "h5py")


@contextmanager
def claim(output: Path, settings: Mapping[str, Any]) -> Iterator[None]:
    """Keep other processes out of the run folder, and write down settings and environment.

    Those of a finished run stay until its results are replaced, too; see ``publishing``. The claim
    ends with the process, however that ends.

    Args:
        output: The run folder; made where there is none.
        settings: Of the run, as YAML can hold them.

    Raises:
        FileExistsError: If the folder holds something that is not a run.
        BlockingIOError: If another process works in it.
    """
    _refuse_foreign(output)
    output.mkdir(parents=True, exist_ok=True)
    with locked(output):
        carry_on(output)
        if not any((output / name).exists() for name in (RESULT, MANIFEST)):
            write_provenance(output, settings)
        yield


def write_provenance(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write settings and environment into a folder."""
    write_text(folder / SETTINGS, yaml.safe_dump(dict(settings), sort_keys=False))
    write_text(folder / ENVIRONMENT, json.dumps(environment(), indent=1) + "\n")


def locked(output: Path) -> AbstractContextManager[object]:
    """Lock a run folder for this process until the context is left.

    Raises:
        BlockingIOError: If another process works in it.
    """
    try:
        return FileLock(output / LOCK, blocking=False).acquire()
    except Timeout:
        raise BlockingIOError(f"{output}: another process works in this run folder") from None


def _refuse_foreign(output: Path) -> None:
    """Make sure that a path is free, or an empty folder, or a run folder that can be written."""
    if output.exists() and not output.is_dir():
        raise FileExistsError(f"{output}: is a file, expected a run folder")
    if (output / MANIFEST).exists() and not (output / SETTINGS).exists():
        raise FileExistsError(f"{output}: holds a suite and is not a run folder; choose another")
    for name in PARTS:
        if (output / name).exists() and is_mount(output / name):
            raise FileExistsError(f"{output / name}: is a mount point; mount {output} itself")
    known = any((output / name).exists() for name in (SETTINGS, LOCK))
    if not known and output.is_dir() and not is_empty(output):
        raise FileExistsError(f"{output}: holds files and is not a run folder; choose another")


def environment() -> dict[str, str]:
    """What a figure of this run depends on beside settings and data."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return {
        "semiqc": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "system": platform.platform(),
        "processor": platform.machine(),
        "cores": str(cores()),
        "threads": str(torch.get_num_threads()),
        "device": device,
    }


def read_environment(folder: Path) -> dict[str, str]:
    """What ``claim`` wrote down of the environment."""
    return read_object(folder / ENVIRONMENT)
