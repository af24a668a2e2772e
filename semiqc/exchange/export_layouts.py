"""Layouts that other programs read, as they are written."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.schemes import LabelScheme

ENDING = ".nii.gz"
IGNORE = "ignore"
"""Name of the label of what nobody labelled."""

NNUNET_NAME = re.compile(r"Dataset\d{3}_.+")
"""Of folders that nnU-Net finds."""


@dataclass(frozen=True)
class ExportLayout:
    """How a data set is laid out; labels are ``labelsTr/CASE`` in each.

    Args:
        files: Name in ``imagesTr``, without its ending, and voxels of each file of a case, from
            its name and its modalities, ``[Z, Y, X]`` each.
        description: ``dataset.json`` from the folder's name, the scheme's class names with
            ``ignore``, the modalities and the names of all cases.
        is_nnunet: Whether the folder must be named as nnU-Net finds it.
    """

    files: Callable[[str, Sequence[NDArray[Any]]], Iterator[tuple[str, NDArray[Any]]]]
    description: Callable[[str, Sequence[str], Sequence[str], Sequence[str]], dict[str, Any]]
    is_nnunet: bool = False


def class_names(scheme: LabelScheme) -> list[str]:
    """Of each label value that is written; the highest, as nnU-Net wants it, is ``ignore``.

    Raises:
        ValueError: If two classes share a name, or one is called ``ignore``.
    """
    names = ["background", *scheme.classes[1:], IGNORE]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise ValueError(
            f"label scheme {scheme.name}: a data set needs one name per class,"
            f" got several {', '.join(doubled)}"
        )
    return names


def _file_per_channel(
    case: str, images: Sequence[NDArray[Any]]
) -> Iterator[tuple[str, NDArray[Any]]]:
    for number, image in enumerate(images):
        yield f"{case}_{number:04d}", image


def _one_file(case: str, images: Sequence[NDArray[Any]]) -> Iterator[tuple[str, NDArray[Any]]]:
    yield case, images[0] if len(images) == 1 else np.stack(images)


def _of_nnunet(
    _: str, names: Sequence[str], modalities: Sequence[str], cases: Sequence[str]
) -> dict[str, Any]:
    return {
        "channel_names": {str(number): name for number, name in enumerate(modalities)},
        "labels": {name: value for value, name in enumerate(names)},
        "file_ending": ENDING,
        "numTraining": len(cases),
    }


def _of_decathlon(
    folder: str, names: Sequence[str], modalities: Sequence[str], cases: Sequence[str]
) -> dict[str, Any]:
    return {
        "name": folder,
        "tensorImageSize": "3D" if len(modalities) == 1 else "4D",
        "modality": {str(number): name for number, name in enumerate(modalities)},
        "labels": {str(value): name for value, name in enumerate(names)},
        "numTraining": len(cases),
        "numTest": 0,
        "training": [
            {"image": f"./imagesTr/{case}{ENDING}", "label": f"./labelsTr/{case}{ENDING}"}
            for case in cases
        ],
        "test": [],
    }


LAYOUTS = {
    "nnunet": ExportLayout(_file_per_channel, _of_nnunet, is_nnunet=True),
    "decathlon": ExportLayout(_one_file, _of_decathlon),
}


def layout_named(layout: str, folder: str) -> ExportLayout:
    """A layout by its name; ``auto`` is nnU-Net's for a folder that it would find.

    Raises:
        ValueError: If there is none of that name.
    """
    if layout == "auto":
        layout = "nnunet" if NNUNET_NAME.fullmatch(folder) else "decathlon"
    if layout not in LAYOUTS:
        raise ValueError(
            f"unknown layout '{layout}'; known: auto, {', '.join(LAYOUTS)}, dicom-seg"
        )
    return LAYOUTS[layout]
