"""Formats of images by the names of their files, and what a layout of one format leaves unread."""

from collections.abc import Iterator
from pathlib import Path

from semiqc.files.walking import files_within
from semiqc.images.raw import Refusal
from semiqc.nifti.files import is_image

NIFTI, DICOM, HDF5 = "NIfTI, NRRD or MetaImage", "DICOM", "HDF5"
ENDINGS = {".dcm": DICOM, ".ima": DICOM, ".dicom": DICOM, ".h5": HDF5, ".hdf5": HDF5}

LISTED = 20
"""Files that are told one by one."""


def format_of(path: Path) -> str:
    """The format of images that a file's name announces; empty where it announces none."""
    return NIFTI if is_image(path) else ENDINGS.get(path.suffix.lower(), "")


def unread(source: Path, read: str) -> Iterator[Refusal]:
    """Images in a folder that are of another format than its layout.

    HDF5 files are not told: results and stores are such, too.

    Args:
        source: The folder.
        read: Format that the layout is of.
    """
    others = [path for path in files_within(source) if format_of(path) not in ("", HDF5, read)]
    for path in others[:LISTED]:
        reason = f"{path.name}: {format_of(path)}, where files of {read} are read"
        yield Refusal(path.name, f"{reason}; name its own folder to read it")
    if others[LISTED:]:
        yield Refusal(f"{len(others) - LISTED} more", f"{source.name}: likewise")
