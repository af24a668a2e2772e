"""Segmentations that any program left in files, beside their images, and what a suite said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from semiqc.doors.json_file import read_object
from semiqc.doors.regular import UnusableError, refusing
from semiqc.exchange.readers.pairs import find_pairs
from semiqc.files.checksums import sha256_of
from semiqc.images.axes import axes_of, turned
from semiqc.images.raw import Entry, Refusal
from semiqc.nifti.files import read_header, read_voxels
from semiqc.review.items import Item, Material
from semiqc.schemes import LabelScheme

SCORES = "quality.json"
"""Where ``semiqc score`` and ``semiqc predict`` write what they found."""


@dataclass(frozen=True)
class Scored:
    """What a suite said of one study.

    Args:
        scores: By estimator, in [0, 1].
        error_maps: File of each structure.
        slice_dice: Of each structure, ``[T, Z]``, mean of the estimators that tell it.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    error_maps: Mapping[str, Path] = field(default_factory=dict)
    slice_dice: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class ScoredFolder:
    """What ``semiqc score`` wrote.

    Args:
        scheme: Of the labels that were judged.
        modalities: That make up an image.
        studies: What was said, by the study's name.
    """

    scheme: LabelScheme
    modalities: int
    studies: Mapping[str, Scored]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What lies in a folder.

        Raises:
            UnusableError: If it is not of ``semiqc score``.
        """
        path = folder / SCORES
        content = read_object(path)
        with refusing(path, "what semiqc score writes"):
            suite = content["suite"]
            scheme = LabelScheme.from_json(suite["scheme"])
            modalities = int((suite["training"] or {}).get("modalities", 1))
            rows = content["studies"]
            return cls(
                scheme, modalities, {str(row["study"]): _scored(folder, row) for row in rows}
            )


def _scored(folder: Path, row: Mapping[str, Any]) -> Scored:
    told = row["estimators"]
    scores = {
        str(name): float(one["score"]) for name, one in told.items() if one["score"] is not None
    }
    files = {str(name): folder / file for name, file in (row["error_maps"] or {}).items()}
    for path in files.values():
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{path} lies elsewhere")
    of_slices: dict[str, list[NDArray[np.float64]]] = {}
    for one in told.values():
        for name, dice in one["slice_dice"].items():
            of_slices.setdefault(str(name), []).append(np.array(dice, float))
    return Scored(
        scores, files, {name: np.mean(found, axis=0) for name, found in of_slices.items()}
    )


def of_files(
    images: Path,
    segmentations: Path,
    scheme: LabelScheme,
    *,
    meaning: Mapping[int, int] | None = None,
    scored: ScoredFolder | None = None,
) -> tuple[list[Item], Sequence[Refusal]]:
    """Studies of an image and a segmentation, and what was left out.

    Args:
        images: A file, or a folder of them; see ``semiqc.exchange.readers.pairs``.
        segmentations: Likewise.
        scheme: Of the labels.
        meaning: Value of the scheme of each label value in the files, where they differ.
        scored: What a suite said of them; its scheme is that of the labels.

    Raises:
        ValueError: If there is no such file or folder, or no study.
    """
    modalities = scored.modalities if scored else 1
    listing = find_pairs(images, segmentations, scheme, modalities, meaning)
    if not listing.entries:
        told = "; ".join(f"{one.name}: {one.reason}" for one in listing.refusals[:3])
        raise ValueError(f"{segmentations}: nothing to review: {told}")
    said = scored.studies if scored else {}
    items = [_item(entry, scheme, said.get(entry.name, Scored())) for entry in listing.entries]
    return items, listing.refusals


def _item(entry: Entry, scheme: LabelScheme, scored: Scored) -> Item:
    segmentation = entry.segmentation
    assert segmentation is not None
    read = partial(_read, entry, scheme, scored)
    return Item(entry.name, sha256_of(segmentation), read, scored.scores)


def _read(entry: Entry, scheme: LabelScheme, scored: Scored) -> Material:
    raw = entry.read(True)
    axes = axes_of(raw.spacing)
    raw = turned(raw)
    shape = raw.labels.shape
    heat = {
        f"error of {name}": _map(path, axes, shape) for name, path in scored.error_maps.items()
    }
    fitting = {n: dice for n, dice in scored.slice_dice.items() if dice.shape == shape[:2]}
    return Material(raw.image, raw.labels, raw.spacing, scheme, heat=heat, slice_dice=fitting)


def _map(path: Path, axes: tuple[int, int, int], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An error map with its slices first.

    Raises:
        UnusableError: If it cannot be read, or is of another size.
    """
    values = read_voxels(read_header(path)).transpose(0, *(1 + axis for axis in axes))
    if values.shape != shape:
        raise UnusableError(f"{path}: shape {values.shape}, its study has {shape}")
    return np.asarray(values, np.float32)
