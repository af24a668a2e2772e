"""Which segmentation belongs to which image, by their names; see ``pairs`` for the rules."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from semiqc.exchange.readers.formats import in_two_files
from semiqc.exchange.readers.plain_nifti import CHANNEL
from semiqc.files.walking import files_within
from semiqc.nifti.files import is_image, stem

ENDING = re.compile(r"_(gt|seg|pred|mask)$", re.IGNORECASE)
"""Of a segmentation's name, where its image's has none."""


@dataclass
class Case:
    """What bears one name."""

    images: list[Path] = field(default_factory=list)
    segmentations: list[Path] = field(default_factory=list)


def parted(
    images: Path, segmentations: Path, without: Path | None
) -> tuple[dict[Path, Path], dict[Path, Path]]:
    """Files of both, each with its path within its folder; no file is in both."""
    of_images, of_segmentations = _files(images, without), _files(segmentations, without)
    if set(of_images) == set(of_segmentations):
        endings = {file for file in of_images if ENDING.search(stem_of(file))}
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
        raise ValueError(f"{source}: no NIfTI, NRRD or MetaImage file{in_two_files(source)}")
    return found


def matched(
    images: Mapping[Path, Path], segmentations: Mapping[Path, Path], modalities: int
) -> dict[str, Case]:
    """Images and segmentations by what they have in common of their names."""
    exact = {stem_of(file) for file in segmentations} if modalities == 1 else set()
    named = {
        file: stem_of(file) if stem_of(file) in exact else _without_channel(stem_of(file))
        for file in images
    }
    named_segmentations = _named(segmentations, set(named.values()))
    cases: dict[str, Case] = {}
    ambiguous = _in_several_folders(named) | _in_several_folders(named_segmentations)
    for file, name in named.items():
        key = _key(name, images[file], ambiguous)
        cases.setdefault(key, Case()).images.append(file)
    for file, name in named_segmentations.items():
        key = _key(name, segmentations[file], ambiguous)
        cases.setdefault(key, Case()).segmentations.append(file)
    return cases


def segmentations_by_name(
    source: Path, known: Collection[str], without: Path | None = None
) -> dict[str, list[Path]]:
    """Segmentations in a file or folder by the name of their image, as ``find_pairs`` matches.

    Args:
        source: A NIfTI file, or a folder of them; images in it are told by lacking the ending that
            a segmentation of the same name has.
        known: Names that images have.
        without: Folder that is not searched.

    Raises:
        ValueError: If there is no such file or folder, or it holds no NIfTI file.
    """
    files = _files(source, without)
    named = _named(files, known)
    ambiguous = _in_several_folders(named)
    found: dict[str, list[Path]] = {}
    for file, name in named.items():
        found.setdefault(_key(name, files[file], ambiguous), []).append(file)
    return {name: _those_with_ending(of_name) for name, of_name in sorted(found.items())}


def _those_with_ending(files: list[Path]) -> list[Path]:
    """The files whose name ends as a segmentation's; all where none or each does."""
    return [file for file in files if ENDING.search(stem_of(file))] or files


def _named(segmentations: Iterable[Path], known: Collection[str]) -> dict[Path, str]:
    """The name of its image for each segmentation; an image may have such an ending itself."""
    return {
        file: stem_of(file) if stem_of(file) in known else ENDING.sub("", stem_of(file))
        for file in segmentations
    }


def stem_of(path: Path) -> str:
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
