"""Which layout a source has, and which reader knows it.

Readers are tried in the order of ``READERS``, those that look for a certain file before those that
look for files of a kind: a data set of nnU-Net holds NIfTI files with ``_frame`` in their names,
too.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from semiqc.exchange.readers import (
    acdc,
    decathlon,
    dicom,
    manifest,
    mnms,
    nnunet,
    plain_nifti,
    ssl4mis,
    ukbb,
)
from semiqc.exchange.readers.formats import DICOM, HDF5, NIFTI, in_two_files, unread
from semiqc.exchange.readers.nifti import Meaning, checked_meaning
from semiqc.files.walking import children, say_if_large
from semiqc.images.raw import Listing
from semiqc.schemes import LabelScheme


@dataclass(frozen=True)
class Reader:
    """What is to be known of a layout.

    Args:
        recognises: Whether a file or folder has the layout.
        find: Lists the studies of a path; given a scheme, their labels are understood as of that
            scheme, and given ``meaning``, by that.
        evidence: By what it is recognised, in words.
        is_file: Whether the layout is of a file and not of a folder.
        format: Of the images of a folder.
    """

    recognises: Callable[[Path], bool]
    find: Callable[..., Listing]
    evidence: str = "as its reader recognises it"
    is_file: bool = False
    format: str = NIFTI


READERS: dict[str, Reader] = {
    "manifest": Reader(manifest.recognises, manifest.find, "a CSV file", is_file=True),
    "decathlon": Reader(
        decathlon.recognises, decathlon.find, "dataset.json, and files in imagesTr without _0000"
    ),
    "nnunet": Reader(nnunet.recognises, nnunet.find, "dataset.json beside imagesTr"),
    "acdc": Reader(
        acdc.recognises, acdc.find, "folders with Info.cfg, or files named like their folder"
    ),
    "ukbb": Reader(ukbb.recognises, ukbb.find, "folders with sa, sa_ED or sa_ES files"),
    "mnms": Reader(mnms.recognises, mnms.find, "files named CODE_sa or CODE_SA_ED"),
    "ssl4mis": Reader(
        ssl4mis.recognises, ssl4mis.find, "HDF5 files that hold an image", format=HDF5
    ),
    "dicom": Reader(dicom.recognises, dicom.find, "files with DICOM's mark", format=DICOM),
}
"""Layouts that a command may name, in the order in which they are tried."""


def find(
    source: Path,
    layout: str = "auto",
    scheme: LabelScheme | None = None,
    meaning: Meaning | None = None,
) -> Listing:
    """The studies of a source.

    Args:
        source: File or folder.
        layout: Name of a reader, or ``"auto"``.
        scheme: Of the labels; by default what the layout says.
        meaning: Value of the scheme of each value in the files; by default what the layout says.

    Raises:
        ValueError: If there is no such source, no reader knows its layout, or ``meaning`` has a
            value that the scheme does not have.
    """
    source = whole(source)
    name, reader = _reader(source, layout)
    if meaning:
        scheme = scheme or reader.find(source, None).scheme
        found = reader.find(source, scheme, meaning=checked_meaning(meaning, scheme))
    else:
        found = reader.find(source, scheme)
    strange = () if reader.is_file else tuple(unread(source, reader.format))
    return replace(found, layout=name, refusals=(*found.refusals, *strange))


def find_images(source: Path, layout: str, scheme: LabelScheme, modalities: int) -> Listing:
    """The studies of a source whose labels, if any, are not wanted.

    A NIfTI file and a folder of NIfTI files are taken too.

    Args:
        source: File or folder.
        layout: Name of a reader, or ``"auto"``.
        scheme: Of the segmenter that the images are for.
        modalities: Images that make up a study in a folder of NIfTI files.

    Raises:
        ValueError: If there is no such source, or no reader knows its layout.
    """
    source = whole(source)
    if layout != "auto" or not plain_nifti.recognises(source):
        return find(source, layout, scheme)
    name = layout_of(source)
    if name is not None and (source.is_file() or READERS[name].format == NIFTI):
        return find(source, layout, scheme)
    plain = plain_nifti.find(source, scheme, modalities)
    if source.is_dir():
        plain = replace(plain, refusals=(*plain.refusals, *unread(source, NIFTI)))
    # A stray file of another format does not make a folder of NIfTI files one of that format.
    other = find(source, layout, scheme) if name is not None else plain
    return other if len(other.entries) > len(plain.entries) else plain


def check_layout(source: Path, layout: str) -> None:
    """Make sure that a source is of a layout, before any of its files is read.

    Raises:
        ValueError: If it is not there, or not of the layout, or of none that is known.
    """
    _reader(whole(source), layout)


def whole(source: Path) -> Path:
    """The path with all its folders, which may name the split; a link keeps its own name.

    Raises:
        ValueError: If nothing stands there.
    """
    if not source.exists():
        raise ValueError(f"{source}: no such file or folder")
    if source.is_dir():
        say_if_large(source)
    return Path(os.path.abspath(source))


def _reader(source: Path, layout: str) -> tuple[str, Reader]:
    """Name and reader of a layout that is named, or that the source has.

    Raises:
        ValueError: If the layout is unknown, or is one of files and the source is a folder, or
            the other way round.
    """
    found = layout_of(source) if layout == "auto" else layout
    if found is None:
        raise ValueError(_not_known(source))
    if found not in READERS:
        raise ValueError(f"unknown layout '{found}'; known: auto, {', '.join(READERS)}")
    reader = READERS[found]
    if source.is_file() != reader.is_file:
        expected = "a file" if reader.is_file else "a folder"
        raise ValueError(f"{source}: layout {found} is of {expected}")
    return found, reader


def _not_known(source: Path) -> str:
    """Message for a source that no reader recognises."""
    is_empty = source.is_dir() and not any(children(source))
    return (
        f"{source}: {'an empty folder' if is_empty else 'no known layout'},"
        f" expected one of {', '.join(READERS)};"
        " `semiqc check` drafts a manifest of a plain folder of images"
        f"{in_two_files(source)}"
    )


def layout_of(source: Path) -> str | None:
    """Name of the first layout that the source has; None where it has none that is known."""
    return next((name for name, reader in READERS.items() if reader.recognises(source)), None)


def recognised(source: Path) -> str:
    """The layout that a source has, and by what it is known, in words."""
    layout = layout_of(whole(source))
    return f"{layout}: {READERS[layout].evidence}" if layout else "none that is known"
