"""Formats of images by the names of their files, and what a layout of one format leaves unread."""

from collections.abc import Iterator
from pathlib import Path

from semiqc.files.walking import files_within
from semiqc.images.raw import Refusal
from semiqc.nifti.files import is_image

NIFTI, DICOM, HDF5 = "NIfTI, NRRD or MetaImage", "DICOM", "HDF5"
ENDINGS = {".dcm": DICOM, ".ima": DICOM, ".dicom": DICOM, ".h5": HDF5, ".hdf5": HDF5}

IN_TWO_FILES = "NIfTI or Analyze in two files (.hdr, .img)"
"""Which no reader takes."""

TO_ONE_FILE = "save it as .nii.gz, such as with nibabel"

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
    others = {
        path: f"{kind}, where files of {read} are read; {advice}"
        for path in files_within(source)
        for kind, advice in [_other(path)]
        if kind not in ("", HDF5, read)
    }
    for path, reason in list(others.items())[:LISTED]:
        yield Refusal(path.name, f"{path.name}: {reason}")
    if len(others) > LISTED:
        yield Refusal(f"{len(others) - LISTED} more", f"{source.name}: likewise")


def _other(path: Path) -> tuple[str, str]:
    """Format of a file, and what to do where it is not the one that is read."""
    if _is_half(path):
        return (IN_TWO_FILES, TO_ONE_FILE) if path.suffix.lower() == ".img" else ("", "")
    return format_of(path), "name its own folder to read it"


def _is_half(path: Path) -> bool:
    """Whether a file is the header or the voxels of an image of two files."""
    if path.suffix.lower() not in (".hdr", ".img"):
        return False
    lower = path.suffix.islower()
    return all(
        path.with_suffix(end if lower else end.upper()).exists() for end in (".hdr", ".img")
    )


def in_two_files(source: Path) -> str:
    """Words for a message, where nothing was recognised in a source of such images."""
    files = files_within(source) if source.is_dir() else [source]
    if any(_is_half(path) for path in files):
        return f"; {IN_TWO_FILES} is not read, {TO_ONE_FILE}"
    return ""
