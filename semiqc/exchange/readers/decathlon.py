"""The layout of the Medical Segmentation Decathlon: like nnU-Net's, with one file for each case.

Reference:
    Antonelli et al., "The Medical Segmentation Decathlon", Nature Communications 2022.
    https://doi.org/10.1038/s41467-022-30695-9

::

    Task02_Heart/
        dataset.json                 modality, labels
        imagesTr/la_003.nii.gz       3-D; 4-D with a modality along the last axis where several
        labelsTr/la_003.nii.gz
        imagesTs/                    may be missing

Data sets of nnU-Net with one channel, whose files lack the ``_0000`` at their end, are read too.
"""

import re
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from semiqc.exchange.readers import nnunet
from semiqc.exchange.readers.listing import listing_of
from semiqc.exchange.readers.nifti import (
    LabelValues,
    Meaning,
    in_plane_mm,
    raw_study,
    read_image,
    unlabelled,
)
from semiqc.files.walking import children
from semiqc.images.raw import Entry, Listing, RawStudy, UnusableError, safe_name
from semiqc.nifti.files import is_image, read_voxels, stem
from semiqc.schemes import LabelScheme

_NUMBERED = re.compile(r"_\d{4}$")


def recognises(source: Path) -> bool:
    """Whether it is a data set as nnU-Net's whose training images have no channel's number."""
    folders = nnunet.datasets(source) if source.is_dir() else []
    return len(folders) == 1 and _has_no_channels(folders[0])


def _has_no_channels(folder: Path) -> bool:
    names = [stem(path) for path in children(folder / "imagesTr") if is_image(path)]
    labels = {stem(path) for path in children(folder / "labelsTr") if is_image(path)}
    return bool(names) and (
        not any(_NUMBERED.search(name) for name in names) or bool(labels & set(names))
    )


def find(
    source: Path, scheme: LabelScheme | None = None, meaning: Meaning | None = None
) -> Listing:
    """Studies of ``imagesTr``, split "train", and of ``imagesTs``, split "test".

    Args:
        source: Folder of the data set, or one that holds only this data set.
        scheme: Of the labels; by default what ``dataset.json`` says.
        meaning: Value of the scheme of each value in the files, where they are not the same.

    Raises:
        ValueError: If ``dataset.json`` cannot be understood, or there are several data sets.
    """
    folder = nnunet.dataset(source)
    described = nnunet.read_description(folder / nnunet.DESCRIPTION)
    values = LabelValues(scheme or described.scheme, meaning or described.meaning)
    cases = [
        (stem(path), _Case(split, path, folder / labels / path.name))
        for split, (images, labels) in nnunet.PARTS.items()
        for path in children(folder / images)
        if is_image(path)
    ]
    entry = partial(_entry, len(described.channels), values)
    return listing_of(cases, entry, values.scheme, modalities=described.channels)


@dataclass(frozen=True)
class _Case:
    """The files of one case."""

    split: str
    image: Path
    labels: Path


def _entry(modalities: int, values: LabelValues, text: str, case: _Case) -> Entry:
    name = safe_name(text)
    read = partial(_read, name, case, modalities, values)
    return Entry(name, case.image, partial(in_plane_mm, case.image), read)


def _read(
    name: str, case: _Case, modalities: int, values: LabelValues, with_labels: bool
) -> RawStudy:
    """A case with its labels, where there is a file of them.

    Raises:
        UnusableError: If it has other modalities, or its files cannot be used.
    """
    image = read_image(case.image)
    if image.frames != modalities:
        raise UnusableError(
            f"{case.image.name}: shape {image.shape}, expected {modalities} modalities along the"
            " fourth axis"
            if modalities > 1
            else f"{case.image.name}: shape {image.shape}, expected 3-D"
        )
    voxels = [one[None] for one in read_voxels(image)]
    image = replace(image, shape=image.shape[:3], time_step=None)
    labels, notes = unlabelled(image, 1), list[str]()
    if with_labels and case.labels.exists():
        labels = values.read(case.labels, image, notes)
    elif with_labels and case.split == "train":
        notes.append("a training case without a file in labelsTr, taken as unlabelled")
    return raw_study(
        name, image, voxels, labels, warnings=notes, split=case.split, source=str(case.image)
    )
