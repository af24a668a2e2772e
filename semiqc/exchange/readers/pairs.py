"""Images and the segmentations that any program made of them, matched by their names.

A segmentation belongs to the image of the same name; ``_gt``, ``_seg``, ``_pred`` and ``_mask`` at
its end do not count, nor does the number of the modality that nnU-Net writes after an image's
name::

    images/                  segmentations/
        a.nii.gz                 a.nii.gz
        b_0000.nii.gz            b.nii.gz          or b_seg.nii.gz
        ward/c.nii.gz            ward/c_pred.nii.gz

Images may also be of any layout that ``semiqc predict`` takes, with a segmentation of each study
named after it, as it writes them: see ``laid_out``.

Folders are searched with all folders within. Where a name stands in several of them, that of the
folder counts too. Two single files belong together whatever they are called. In a folder that
holds both, segmentations are told by the ending of their name. A study may lack modalities, but
not all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.exchange.readers.laid_out import find_laid_out
from semiqc.exchange.readers.listing import listing_of
from semiqc.exchange.readers.matching import Case, matched, parted, stem_of
from semiqc.exchange.readers.nifti import (
    LabelValues,
    checked_meaning,
    in_plane_mm,
    raw_study,
    read_channels,
)
from semiqc.images.raw import Entry, Listing, RawStudy, UnusableError, safe_name
from semiqc.nifti.headers import Header
from semiqc.schemes import LabelScheme

FIRST = "_0000"
"""At the end of the name of a first or only modality."""


def find_pairs(
    images: Path,
    segmentations: Path,
    scheme: LabelScheme,
    modalities: int = 1,
    meaning: Mapping[int, int] | None = None,
    *,
    without: Path | None = None,
) -> Listing:
    """Studies of an image, 3-D or 4-D, and a segmentation on the same grid.

    Args:
        images: A NIfTI file, a folder of them, or a source in a layout.
        segmentations: A NIfTI file, or a folder of them.
        scheme: Of the labels.
        modalities: Files ``_0000``, ``_0001`` ... that make up an image.
        meaning: Value of the scheme of each label value in the files, where they are not the
            same; 0 stays 0.
        without: Folder that is not searched.

    Raises:
        ValueError: If there is no such file or folder, it holds no NIfTI file, or ``meaning``
            has a value that the scheme does not have.
    """
    values = LabelValues(scheme, checked_meaning(meaning, scheme))
    cases, fault = _cases(images, segmentations, modalities, without)
    if not any(case.images and case.segmentations for case in cases.values()):
        if found := find_laid_out(images, segmentations, values, modalities, without):
            return found
        if fault:
            raise fault
    names = tuple(f"modality {number}" for number in range(modalities))
    entry = _Namer(modalities, values).entry
    return listing_of(sorted(cases.items()), entry, scheme, modalities=names)


def _cases(
    images: Path, segmentations: Path, modalities: int, without: Path | None
) -> tuple[dict[str, Case], ValueError | None]:
    """Files that belong together by their names, or why there can be none."""
    try:
        of_images, of_segmentations = parted(Path(images), Path(segmentations), without)
    except ValueError as error:
        return {}, error
    if images.is_file() and segmentations.is_file():
        return {stem_of(images).removesuffix(FIRST): Case([images], [segmentations])}, None
    return matched(of_images, of_segmentations, modalities), None


class _Namer:
    """Makes studies to be read, each of which has a name of its own.

    Args:
        modalities: Files that make up an image.
        values: How the label values are to be understood.
    """

    def __init__(self, modalities: int, values: LabelValues) -> None:
        self.modalities = modalities
        self.values = values
        self._taken: dict[str, Entry] = {}

    def entry(self, text: str, case: Case) -> Entry:
        """A study to be read.

        Raises:
            UnusableError: If its files do not make up one, or its name is taken.
        """
        entry = _entry(text, case, self.modalities, self.values)
        # File systems that ignore case would let one study's results replace another's.
        first = self._taken.setdefault(entry.name.casefold(), entry)
        if first is not entry:
            raise UnusableError(f"{entry.source}: the name is taken by {first.source}")
        return entry


def _entry(text: str, case: Case, modalities: int, values: LabelValues) -> Entry:
    """A study to be read.

    Raises:
        UnusableError: If its files do not make up one.
    """
    _check_case(case)
    name, paths = safe_name(text), sorted(case.images, key=stem_of)
    channels = _Channels(paths, _places(Path(text).name, paths, modalities), modalities)
    read = partial(_read, name, channels, case.segmentations[0], values)
    spacing = partial(in_plane_mm, paths[0])
    return Entry(name, paths[0], spacing, read, case.segmentations[0])


def _check_case(case: Case) -> None:
    """Refuse what is not images and one segmentation of them."""
    if not case.images:
        raise UnusableError(f"{_names(case.segmentations)}: a segmentation without an image")
    if not case.segmentations:
        raise UnusableError(f"{_names(case.images)}: an image without a segmentation")
    if len(case.segmentations) > 1:
        raise UnusableError(f"{_names(case.segmentations)}: several segmentations of one image")


def _places(base: str, paths: Sequence[Path], modalities: int) -> list[int]:
    """Which modality each file of an image is.

    Raises:
        UnusableError: If a file has none of the names that modalities have, or two have one.
    """
    found = [stem_of(path) for path in paths]
    wanted = [f"{base}_{number:04d}" for number in range(modalities)]
    if modalities == 1:
        if found not in ([base], wanted):
            raise UnusableError(f"{_names(paths)}: expected {base} or {wanted[0]} alone")
        return [0]
    if not set(found) <= set(wanted) or len(set(found)) < len(found):
        raise UnusableError(f"{_names(paths)}: expected {' and '.join(wanted)}")
    return [wanted.index(one) for one in found]


def _names(files: Sequence[Path]) -> str:
    return ", ".join(file.name for file in files)


@dataclass(frozen=True)
class _Channels:
    """Files of an image's modalities; one that the study lacks is 0 everywhere.

    Args:
        paths: Of the modalities that there are.
        places: Which these are.
        count: Of all.
    """

    paths: Sequence[Path]
    places: Sequence[int]
    count: int

    def read(self) -> tuple[Header, list[NDArray[Any]]]:
        """The first's header, and the voxels of all."""
        image, voxels = read_channels(self.paths)
        of_place = dict(zip(self.places, voxels, strict=True))
        nothing = np.zeros_like(voxels[0])
        return image, [of_place.get(place, nothing) for place in range(self.count)]


def _read(
    name: str, channels: _Channels, segmentation: Path, values: LabelValues, with_labels: bool
) -> RawStudy:
    """An image and its segmentation, which must lie on one grid and have as many frames."""
    image, voxels = channels.read()
    notes: list[str] = []
    try:
        labels = values.read(segmentation, image, notes)
        if len(labels) != image.frames:
            raise UnusableError(
                f"{segmentation.name}: {len(labels)} frames, {image.path.name} has {image.frames}"
            )
    except UnusableError as error:
        # It may have the same name as its image.
        raise UnusableError(f"segmentation {error}") from error
    return raw_study(name, image, voxels, labels, warnings=notes, source=str(channels.paths[0]))
