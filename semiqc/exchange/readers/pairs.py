"""Images and the segmentations that any program made of them, matched by their names.

A segmentation belongs to the image of the same name; ``_gt``, ``_seg``, ``_pred`` and ``_mask`` at
its end do not count, nor does the number of the modality that nnU-Net writes after an image's
name::

    images/                  segmentations/
        a.nii.gz                 a.nii.gz
        b_0000.nii.gz            b.nii.gz          or b_seg.nii.gz
        ward/c.nii.gz            ward/c_pred.nii.gz

Folders are searched with all folders within. Where a name stands in several of them, that of the
folder counts too. Two single files belong together whatever they are called. In a folder that
holds both, segmentations are told by the ending of their name. A study may lack modalities, but
not all.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from semiqc.exchange.readers.listing import listing_of
from semiqc.exchange.readers.nifti import (
    LabelValues,
    checked_meaning,
    in_plane_mm,
    raw_study,
    read_channels,
)
from semiqc.exchange.readers.plain_nifti import CHANNEL
from semiqc.files.walking import files_within
from semiqc.images.raw import Entry, Listing, RawStudy, UnusableError, safe_name
from semiqc.nifti.files import is_image, stem
from semiqc.nifti.headers import Header
from semiqc.schemes import LabelScheme

ENDING = re.compile(r"_(gt|seg|pred|mask)$", re.IGNORECASE)
"""Of a segmentation's name, where its image's has none."""

FIRST = "_0000"
"""At the end of the name of a first or only modality."""


@dataclass
class _Case:
    """What bears one name."""

    images: list[Path] = field(default_factory=list)
    segmentations: list[Path] = field(default_factory=list)


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
        images: A NIfTI file, or a folder of them.
        segmentations: Likewise.
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
    of_images, of_segmentations = _parted(Path(images), Path(segmentations), without)
    if images.is_file() and segmentations.is_file():
        cases = {_stem(images).removesuffix(FIRST): _Case([images], [segmentations])}
    else:
        cases = _matched(of_images, of_segmentations, modalities)
    names = tuple(f"modality {number}" for number in range(modalities))
    entry = _Namer(modalities, values).entry
    return listing_of(sorted(cases.items()), entry, scheme, modalities=names)


def _parted(
    images: Path, segmentations: Path, without: Path | None
) -> tuple[dict[Path, Path], dict[Path, Path]]:
    """Files of both, each with its path within its folder; no file is in both."""
    of_images, of_segmentations = _files(images, without), _files(segmentations, without)
    if set(of_images) == set(of_segmentations):
        endings = {file for file in of_images if ENDING.search(_stem(file))}
        return (
            {file: within for file, within in of_images.items() if file not in endings},
            {file: within for file, within in of_images.items() if file in endings},
        )
    # One folder may lie in the other; the inner one says what its files are.
    inner, outer = sorted((of_images, of_segmentations), key=len)
    for file in set(inner) & set(outer):
        del outer[file]
    return of_images, of_segmentations


def _files(source: Path, without: Path | None) -> dict[Path, Path]:
    """NIfTI files at any depth, sorted, each with its path within the source.

    Raises:
        ValueError: If there is no such source, or no NIfTI file in it.
    """
    if not source.exists():
        raise ValueError(f"{source}: no such file or folder")
    if source.is_file():
        within = [Path(source.name)] if is_image(source) else []
        root = source.parent.resolve()
    else:
        within = [file.relative_to(source) for file in files_within(source) if is_image(file)]
        root = source.resolve()
    # A file that is a link keeps its own name; only folders are resolved.
    found = {root / file: file for file in within}
    if without:
        left_out = without.resolve()
        found = {path: file for path, file in found.items() if left_out not in path.parents}
    if not found:
        raise ValueError(f"{source}: no NIfTI, NRRD or MetaImage file")
    return found


def _matched(
    images: Mapping[Path, Path], segmentations: Mapping[Path, Path], modalities: int
) -> dict[str, _Case]:
    """Images and segmentations by what they have in common of their names."""
    exact = {_stem(file) for file in segmentations} if modalities == 1 else set()
    named = {
        file: _stem(file) if _stem(file) in exact else _without_channel(_stem(file))
        for file in images
    }
    known = set(named.values())
    named_segmentations = {
        file: _stem(file) if _stem(file) in known else ENDING.sub("", _stem(file))
        for file in segmentations
    }
    cases: dict[str, _Case] = {}
    ambiguous = _in_several_folders(named) | _in_several_folders(named_segmentations)
    for file, name in named.items():
        key = _key(name, images[file], ambiguous)
        cases.setdefault(key, _Case()).images.append(file)
    for file, name in named_segmentations.items():
        key = _key(name, segmentations[file], ambiguous)
        cases.setdefault(key, _Case()).segmentations.append(file)
    return cases


def _stem(path: Path) -> str:
    """A file's name without its ending; letters with marks as one, however they are written."""
    return normalize("NFC", stem(path))


def _without_channel(name: str) -> str:
    """A file's name without the number of the modality, where it ends in one."""
    found = CHANNEL.match(name)
    return found["study"] if found else name


def _in_several_folders(named: Mapping[Path, str]) -> set[str]:
    """Names that files in more than one folder have."""
    folders: dict[str, set[Path]] = {}
    for file, name in named.items():
        folders.setdefault(name, set()).add(file.parent)
    return {name for name, found in folders.items() if len(found) > 1}


def _key(name: str, within: Path, ambiguous: Iterable[str]) -> str:
    """What a case is called: its name, with that of the folder where there are several."""
    return (within.parent / name).as_posix() if name in ambiguous else name


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

    def entry(self, text: str, case: _Case) -> Entry:
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


def _entry(text: str, case: _Case, modalities: int, values: LabelValues) -> Entry:
    """A study to be read.

    Raises:
        UnusableError: If its files do not make up one.
    """
    _check_case(case)
    name, paths = safe_name(text), sorted(case.images, key=_stem)
    channels = _Channels(paths, _places(Path(text).name, paths, modalities), modalities)
    read = partial(_read, name, channels, case.segmentations[0], values)
    return Entry(name, paths[0], partial(in_plane_mm, paths[0]), read)


def _check_case(case: _Case) -> None:
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
    found = [_stem(path) for path in paths]
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
