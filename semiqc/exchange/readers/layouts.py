"""Which layout a source has, and which reader knows it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from semiqc.exchange.readers import acdc, dicom, images, manifest, mnms, nnunet
from semiqc.images.raw import Listing
from semiqc.schemes import LabelScheme


@dataclass(frozen=True)
class Reader:
    """What is to be known of a layout.

    Args:
        recognises: Whether a file or folder has the layout.
        find: Lists the studies; given a scheme, their labels are understood as of that scheme.
        is_file: Whether the layout is of a file and not of a folder.
    """

    recognises: Callable[[Path], bool]
    find: Callable[[Path, LabelScheme | None], Listing]
    is_file: bool = False


READERS: dict[str, Reader] = {
    "manifest": Reader(manifest.recognises, manifest.find, is_file=True),
    "nnunet": Reader(nnunet.recognises, nnunet.find),
    "acdc": Reader(acdc.recognises, acdc.find),
    "mnms": Reader(mnms.recognises, mnms.find),
    "dicom": Reader(dicom.recognises, dicom.find),
}
"""Layouts that a command may name, in the order in which they are tried."""


def find(source: Path, layout: str = "auto", scheme: LabelScheme | None = None) -> Listing:
    """The studies of a source.

    Args:
        source: File or folder.
        layout: Name of a reader, or ``"auto"``.
        scheme: Of the labels; by default what the layout says.

    Raises:
        ValueError: If there is no such source, or no reader knows its layout.
    """
    _check_exists(source)
    return _reader(source, layout).find(source, scheme)


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
    _check_exists(source)
    if layout == "auto" and _layout(source) is None and images.recognises(source):
        return images.find(source, scheme, modalities)
    return find(source, layout, scheme)


def _check_exists(source: Path) -> None:
    if not source.exists():
        raise ValueError(f"{source}: no such file or folder")


def _reader(source: Path, layout: str) -> Reader:
    found = _layout(source) if layout == "auto" else layout
    if found is None:
        nothing = source.is_dir() and not any(source.iterdir())
        raise ValueError(
            f"{source}: {'an empty folder' if nothing else 'no known layout'},"
            f" expected one of {', '.join(READERS)}"
        )
    if found not in READERS:
        raise ValueError(f"unknown layout '{found}'; known: auto, {', '.join(READERS)}")
    reader = READERS[found]
    if source.is_file() != reader.is_file:
        expected = "a file" if reader.is_file else "a folder"
        raise ValueError(f"{source}: layout {found} is of {expected}")
    return reader


def _layout(source: Path) -> str | None:
    return next((name for name, reader in READERS.items() if reader.recognises(source)), None)
