"""The layout of nnU-Net: a folder of images, a folder of labels, and what they mean.

Reference:
    Isensee et al., "nnU-Net: a self-configuring method for deep learning-based biomedical image
    segmentation", Nature Methods 2021. https://doi.org/10.1038/s41592-020-01008-z

::

    Dataset501_Heart/
        dataset.json                          channel_names, labels, file_ending
        imagesTr/CASE_0000.nii.gz             training cases: a 3-D file for each channel
        labelsTr/CASE.nii.gz                  their labels
        imagesTs/  labelsTs/                  test cases likewise; may be missing

``dataset.json`` names the channels and the labels; a label that is a list of values is a region,
and the voxels of ``ignore`` become ``UNLABELLED``. Files of the first version, in which labels
are given by value and channels as ``modality``, are read too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from semiqc.doors.json_file import read_json, whole_number
from semiqc.exchange.readers.hearts import short_axis_meaning
from semiqc.exchange.readers.listing import listing_of
from semiqc.exchange.readers.nifti import (
    LabelValues,
    Meaning,
    in_plane_mm,
    raw_study,
    read_channels,
    unlabelled,
)
from semiqc.files.walking import children
from semiqc.images.raw import Entry, Listing, RawStudy, UnusableError, safe_name
from semiqc.nifti.files import ENDINGS
from semiqc.schemes import MOST_CLASSES, SHORT_AXIS, UNLABELLED, LabelScheme, Measure, Structure

DESCRIPTION = "dataset.json"
IGNORE = "ignore"
PARTS = {"train": ("imagesTr", "labelsTr"), "test": ("imagesTs", "labelsTs")}


@dataclass(frozen=True)
class Description:
    """What ``dataset.json`` tells.

    Args:
        channels: Their names, in the order of the files' numbers.
        scheme: Classes and structures that the labels and regions make up.
        meaning: Value of the scheme, or ``UNLABELLED``, of each value in a file of labels.
        ending: Of the files' names.
    """

    channels: tuple[str, ...]
    scheme: LabelScheme
    meaning: Mapping[int, int]
    ending: str


def recognises(source: Path) -> bool:
    """Whether a folder, or one folder in it, holds ``dataset.json`` and ``imagesTr``."""
    return source.is_dir() and bool(datasets(source))


def find(
    source: Path, scheme: LabelScheme | None = None, meaning: Meaning | None = None
) -> Listing:
    """Studies of ``imagesTr``, split "train", and of ``imagesTs``, split "test".

    Args:
        source: Folder of the data set, or one that holds only this data set.
        scheme: Of the labels; by default what ``dataset.json`` says: every label and region is
            a structure, measured as a volume.
        meaning: Value of the scheme of each value in the files, where ``dataset.json`` is wrong.

    Raises:
        ValueError: If ``dataset.json`` cannot be understood, or there are several data sets.
    """
    folder = dataset(source)
    described = read_description(folder / DESCRIPTION)
    scheme = scheme or described.scheme
    values = LabelValues(scheme, meaning or described.meaning)
    cases = [
        (name, _Case(split, channels, folder / labels / f"{name}{described.ending}"))
        for split, (images, labels) in PARTS.items()
        for name, channels in _cases(folder / images, described.ending).items()
    ]
    entry = partial(_entry, described, values)
    return listing_of(cases, entry, scheme, modalities=described.channels)


@dataclass(frozen=True)
class _Case:
    """The files of one case.

    Args:
        split: ``"train"`` or ``"test"``.
        channels: Image of each channel, by its number.
        labels: Where its labels would stand.
    """

    split: str
    channels: Mapping[int, Path]
    labels: Path


def _entry(described: Description, values: LabelValues, text: str, case: _Case) -> Entry:
    """A case to be read.

    Raises:
        UnusableError: If a channel is missing, or its name cannot name a study.
    """
    name = safe_name(text)
    for number in range(len(described.channels)):
        if number not in case.channels:
            raise UnusableError(f"{text}_{number:04d}{described.ending}: missing")
    paths = [case.channels[number] for number in range(len(described.channels))]
    read = partial(_read, name, case, paths, values)
    return Entry(name, paths[0], partial(in_plane_mm, paths[0]), read)


def dataset(source: Path) -> Path:
    """The one folder of a data set that a source is or holds.

    Raises:
        ValueError: If there are several, or none.
    """
    found = datasets(source)
    if len(found) != 1:
        names = ", ".join(folder.name for folder in found)
        raise ValueError(
            f"{source}: expected one data set with {DESCRIPTION}, got {names or 'none'}"
        )
    return found[0]


def datasets(source: Path) -> list[Path]:
    """The source itself, where it is a data set, or else those right within it."""
    folders = [source, *(child for child in children(source) if child.is_dir())]
    found = [f for f in folders if (f / DESCRIPTION).is_file() and (f / "imagesTr").is_dir()]
    return found[:1] if source in found else found


def _cases(folder: Path, ending: str) -> dict[str, dict[int, Path]]:
    """Files of each case by the number of the channel."""
    named = re.compile(rf"^(?P<case>.+)_(?P<channel>\d{{4}}){re.escape(ending)}$")
    cases: dict[str, dict[int, Path]] = {}
    for path in children(folder):
        found = named.match(path.name)
        if found:
            cases.setdefault(found["case"], {})[int(found["channel"])] = path
    return cases


def _read(
    name: str, case: _Case, paths: list[Path], values: LabelValues, with_labels: bool
) -> RawStudy:
    """A case with its labels, where there is a file of them."""
    image, voxels = read_channels(paths, axes=3)
    labels = unlabelled(image, image.frames)
    warnings: list[str] = []
    if with_labels and case.labels.exists():
        labels = values.read(case.labels, image, warnings)
    elif with_labels and case.split == "train":
        warnings.append("a training case without a file in labelsTr, taken as unlabelled")
    return raw_study(
        name,
        image,
        voxels,
        labels,
        warnings=warnings,
        split=case.split,
        source=str(paths[0]),
    )


def read_description(path: Path) -> Description:
    """Read ``dataset.json``.

    Raises:
        ValueError: If it is not one, or of files of another format.
    """
    names, ending, labels = _understood(path)
    if ending not in ENDINGS:
        raise ValueError(f"{path}: files end in {ending}, expected {' or '.join(ENDINGS)}")
    if not names:
        raise ValueError(f"{path}: names no channel")
    try:
        scheme, meaning = _scheme(path.parent.name, labels)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return Description(names, scheme, meaning, ending)


def _understood(path: Path) -> tuple[tuple[str, ...], str, dict[str, tuple[int, ...]]]:
    """Names of the channels in order, ending of the files, and values of each label."""
    try:
        content = read_json(path)
        channels = content.get("channel_names", content.get("modality"))
        names = tuple(str(channels[key]) for key in sorted(channels, key=int))
        ending = str(content.get("file_ending", ".nii.gz"))
        return names, ending, _labels(content["labels"])
    except UnusableError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(
            f"{path}: expected channel_names, labels and file_ending as nnU-Net writes them"
            f" ({type(error).__name__}: {error})"
        ) from error


def _labels(content: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Values of each label or region by name."""
    if all(str(key).isdecimal() for key in content):
        return {str(name): (whole_number(value),) for value, name in content.items()}
    return {
        str(name): tuple(
            whole_number(v) for v in (values if isinstance(values, list) else [values])
        )
        for name, values in content.items()
    }


def _scheme(
    name: str, labels: Mapping[str, tuple[int, ...]]
) -> tuple[LabelScheme, dict[int, int]]:
    """The scheme, and the meaning of each value of a file.

    Labels of a heart in the short axis are those of ``SHORT_AXIS``, whatever their values, so that
    what is shipped for it fits.

    Raises:
        ValueError: If there is no label besides the background, or too many.
    """
    ignored = labels.get(IGNORE, ())
    heart = short_axis_meaning({one: given for one, given in labels.items() if one != IGNORE})
    if heart:
        return SHORT_AXIS, heart | dict.fromkeys(ignored, UNLABELLED)
    values = {value for given in labels.values() for value in given} - set(ignored)
    last = max(values, default=0)
    if not 1 <= last < MOST_CLASSES or min(values) < 0:
        raise ValueError(f"labels must lie between 1 and {MOST_CLASSES - 1}, got {sorted(values)}")
    single = {given[0]: label for label, given in labels.items() if len(given) == 1}
    classes = ["background", *(single.get(v, f"label {v}") for v in range(1, last + 1))]
    structures = tuple(
        Structure(label, given, Measure.VOLUME)
        for label, given in sorted(labels.items(), key=lambda item: item[1])
        if label != IGNORE and given != (0,)
    )
    meaning = {value: value for value in values | {0}} | dict.fromkeys(ignored, UNLABELLED)
    return LabelScheme(name, tuple(classes), structures), meaning
