"""NIfTI files without anything else: images to be segmented."""

import re
from functools import partial
from pathlib import Path

from semiqc.exchange.readers.series import in_plane_mm, raw_study, read_channels, unlabelled
from semiqc.images.raw import Entry, Listing, RawStudy, Refusal, UnusableError, safe_name
from semiqc.nifti.files import is_nifti, stem
from semiqc.schemes import LabelScheme

CHANNEL = re.compile(r"^(?P<study>.+)_(?P<channel>\d{4})$")
"""A study's name and the number of the modality, as nnU-Net writes them."""


def recognises(source: Path) -> bool:
    """Whether it is a NIfTI file or a folder that holds some."""
    return is_nifti(source) or (source.is_dir() and any(map(is_nifti, source.iterdir())))


def find(source: Path, scheme: LabelScheme, modalities: int) -> Listing:
    """Studies of one file each, or of ``_0000``, ``_0001`` ... where there are modalities.

    Args:
        source: A NIfTI file, or a folder of them.
        scheme: Of the listing; there are no labels.
        modalities: Files that make up a study.
    """
    files = [source] if source.is_file() else sorted(filter(is_nifti, source.iterdir()))
    studies: dict[str, list[Path]] = {}
    for file in files:
        found = CHANNEL.match(stem(file)) if modalities > 1 else None
        studies.setdefault(found["study"] if found else stem(file), []).append(file)
    entries, refusals = [], []
    for text, paths in studies.items():
        try:
            name = safe_name(text)
            if len(paths) != modalities:
                raise UnusableError(
                    f"{', '.join(p.name for p in paths)}: {len(paths)} modalities,"
                    f" expected {modalities}"
                )
        except UnusableError as error:
            refusals.append(Refusal(text, str(error)))
            continue
        entries.append(
            Entry(name, paths[0], partial(in_plane_mm, paths[0]), partial(_read, name, paths))
        )
    names = tuple(f"modality {number}" for number in range(modalities))
    return Listing(tuple(entries), scheme, names, tuple(refusals))


def _read(name: str, paths: list[Path], with_labels: bool) -> RawStudy:
    image, voxels = read_channels(paths)
    labels = unlabelled(image, image.frames)
    return raw_study(name, image, voxels, labels, source=str(paths[0]))
