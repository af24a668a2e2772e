"""NIfTI files without anything else: images to be segmented.

With one modality each file is a study; with several, files whose names differ in the number of
the channel alone are one, as nnU-Net writes them::

    folder/
        NAME.nii.gz                            one modality, 3-D or 4-D
        NAME_0000.nii.gz  NAME_0001.nii.gz     several, on one grid
"""

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from semiqc.exchange.readers.listing import listing_of
from semiqc.exchange.readers.nifti import in_plane_mm, raw_study, read_channels, unlabelled
from semiqc.files.walking import children
from semiqc.images.raw import Entry, Listing, RawStudy, UnusableError, safe_name
from semiqc.nifti.files import is_image, stem
from semiqc.schemes import LabelScheme

CHANNEL = re.compile(r"^(?P<study>.+)_(?P<channel>\d{4})$")
"""A study's name and the number of the modality, as nnU-Net writes them."""


def recognises(source: Path) -> bool:
    """Whether it is a NIfTI file or a folder that holds some."""
    return is_image(source) or (source.is_dir() and any(map(is_image, children(source))))


def find(source: Path, scheme: LabelScheme, modalities: int) -> Listing:
    """Studies of one file each, or of ``_0000``, ``_0001`` ... where there are modalities.

    Args:
        source: A NIfTI file, or a folder of them.
        scheme: Of the listing; there are no labels.
        modalities: Files that make up a study.
    """
    files = [source] if source.is_file() else list(filter(is_image, children(source)))
    studies = _by_study(files, with_channels=modalities > 1)
    names = tuple(f"modality {number}" for number in range(modalities))
    entry = partial(_entry, modalities)
    return listing_of(studies.items(), entry, scheme, modalities=names)


def _by_study(files: Iterable[Path], *, with_channels: bool) -> dict[str, list[Path]]:
    """Files by what their names have before the number of the channel."""
    studies: dict[str, list[Path]] = {}
    for file in files:
        found = CHANNEL.match(stem(file)) if with_channels else None
        studies.setdefault(found["study"] if found else stem(file), []).append(file)
    return studies


def _entry(modalities: int, text: str, paths: list[Path]) -> Entry:
    """A study to be read.

    Raises:
        UnusableError: If it has too few or too many files for the modalities.
    """
    name = safe_name(text)
    if len(paths) != modalities:
        listed = ", ".join(path.name for path in paths)
        raise UnusableError(f"{listed}: {len(paths)} modalities, expected {modalities}")
    return Entry(name, paths[0], partial(in_plane_mm, paths[0]), partial(_read, name, paths))


def _read(name: str, paths: list[Path], with_labels: bool) -> RawStudy:
    image, voxels = read_channels(paths)
    labels = unlabelled(image, image.frames)
    return raw_study(name, image, voxels, labels, source=str(paths[0]))
