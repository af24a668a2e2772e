"""Label schemes: what the label values of a data set mean, by name or from a file."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.doors.json_file import whole_number
from semiqc.doors.regular import in_short
from semiqc.doors.yaml_file import read_yaml

UNLABELLED = -1
"""Label of a voxel nobody has annotated; every loss and metric ignores it."""

BACKGROUND = 0
"""Label of what is annotated and belongs to no structure."""

KEYS = {"name", "classes", "structures", "mirror_axes", "one_piece"}
STRUCTURE_KEYS = {"name", "values", "measure"}
MOST_CLASSES = 127
"""Labels are kept as int8."""


class Measure(StrEnum):
    """What a structure is measured as."""

    CAVITY = "cavity"
    """A volume curve in ml, with end-diastolic and end-systolic volume and ejection fraction."""
    MASS = "mass"
    """A volume curve in ml, and a mass in g at end-diastole."""
    VOLUME = "volume"
    """A volume in ml."""
    AREA = "area"
    """An area curve in mm2, with largest, smallest and relative change."""


@dataclass(frozen=True)
class Structure:
    """An anatomical part: a name and the label values that make it up.

    Args:
        name: Unique within a scheme.
        values: Label values whose union is the structure.
        measure: What it is measured as; None where it is only compared.
    """

    name: str
    values: tuple[int, ...]
    measure: Measure | None = None

    def mask(self, labels: NDArray[np.int8]) -> NDArray[np.bool_]:
        """Where ``labels``, of any shape, belong to the structure."""
        if len(self.values) == 1:
            single: NDArray[np.bool_] = labels == self.values[0]
            return single
        return np.isin(labels, self.values)


@dataclass(frozen=True)
class LabelScheme:
    """The label values of a data set and the structures they make up.

    Args:
        name: Of the scheme.
        classes: Name of each label value, from 0, the background.
        structures: What is measured, compared and reported.
        mirror_axes: In-plane image axes, out of ``"y"`` and ``"x"``, along which the anatomy may
            be mirrored by augmentation. Empty where a label tells left from right.
        one_piece: Whether all structures touch each other, as those of a heart do, so that what
            lies apart from the largest thing found is none of them.

    Raises:
        ValueError: If a structure has no values, or one that the scheme has no class for.
    """

    name: str
    classes: tuple[str, ...]
    structures: tuple[Structure, ...]
    mirror_axes: tuple[str, ...] = ()
    one_piece: bool = False

    def __post_init__(self) -> None:
        names = [structure.name for structure in self.structures]
        if len(set(names)) != len(names):
            raise ValueError(f"label scheme {self.name}: structures share a name: {names}")
        for structure in self.structures:
            unknown = [v for v in structure.values if not 0 < v < len(self.classes)]
            if unknown or not structure.values:
                raise ValueError(
                    f"label scheme {self.name}: structure {structure.name} has values"
                    f" {structure.values}, known are 1 to {len(self.classes) - 1}"
                )

    def structure(self, name: str) -> Structure:
        """The structure of that name.

        Raises:
            KeyError: If there is none.
        """
        for structure in self.structures:
            if structure.name == name:
                return structure
        known = ", ".join(structure.name for structure in self.structures)
        raise KeyError(f"unknown structure '{name}'; known: {known}")

    def mismatch(self, other: "LabelScheme") -> str:
        """In what the labels of another scheme mean something else; empty where in nothing.

        Names of schemes, the order of structures and what they are measured as do not count.
        """
        ours, theirs = (
            {structure.name: sorted(structure.values) for structure in scheme.structures}
            for scheme in (self, other)
        )
        for name in sorted({*ours, *theirs}):
            if ours.get(name) != theirs.get(name):
                here, there = (
                    f"label {' and '.join(map(str, found[name]))}" if name in found else "absent"
                    for found in (ours, theirs)
                )
                return f"{name} is {here} in {self.name}, {there} in {other.name}"
        return ""

    def named_values(self) -> set[tuple[str, int]]:
        """Names in lower case, each with a value, of parts that have a value of their own."""
        parts = [(name, value) for value, name in enumerate(self.classes) if value]
        parts += [(one.name, one.values[0]) for one in self.structures if len(one.values) == 1]
        return {(" ".join(name.lower().split()), value) for name, value in parts}

    def to_json(self) -> dict[str, Any]:
        """As plain lists and mappings, to be stored."""
        return {
            "name": self.name,
            "classes": list(self.classes),
            "structures": [
                {"name": s.name, "values": list(s.values), "measure": s.measure}
                for s in self.structures
            ],
            "mirror_axes": list(self.mirror_axes),
            "one_piece": self.one_piece,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "LabelScheme":
        """The scheme that ``to_json`` gave.

        A known scheme is as it is known today: earlier versions said less of the anatomy.
        """
        known = SCHEMES.get(str(stored["name"]))
        found = cls(
            name=str(stored["name"]),
            classes=tuple(stored["classes"]),
            structures=tuple(
                Structure(
                    s["name"],
                    tuple(whole_number(v) for v in s["values"]),
                    Measure(s["measure"]) if s.get("measure") else None,
                )
                for s in stored["structures"]
            ),
            mirror_axes=tuple(stored.get("mirror_axes", ())),
            one_piece=bool(stored.get("one_piece", False)),
        )
        is_known = known is not None and (known.classes, known.structures) == (
            found.classes,
            found.structures,
        )
        return known if known is not None and is_known else found


SHORT_AXIS = LabelScheme(
    name="short-axis",
    classes=("background", "RV", "MYO", "LV"),
    structures=(
        Structure("LV", (3,), Measure.CAVITY),
        Structure("MYO", (2,), Measure.MASS),
        Structure("RV", (1,), Measure.CAVITY),
    ),
    mirror_axes=("y", "x"),
    one_piece=True,
)
"""Cine short axis, with the label values of the ACDC challenge."""

AORTA = LabelScheme(
    name="aorta",
    classes=("background", "aorta"),
    structures=(Structure("aorta", (1,), Measure.AREA),),
    mirror_axes=("y", "x"),
)
"""Cross-section of the ascending aorta."""

TUMOUR = LabelScheme(
    name="tumour",
    classes=("background", "oedema", "core", "enhancing"),
    structures=(
        Structure("WT", (1, 2, 3), Measure.VOLUME),
        Structure("TC", (2, 3), Measure.VOLUME),
        Structure("ET", (3,), Measure.VOLUME),
    ),
    mirror_axes=("x",),
)
"""Glioma: whole tumour, tumour core and enhancing tumour, each within the one before."""

SCHEMES: dict[str, LabelScheme] = {scheme.name: scheme for scheme in (SHORT_AXIS, AORTA, TUMOUR)}
"""Schemes that a command may name."""

SNOMED: dict[str, dict[str, tuple[str, str]]] = {
    SHORT_AXIS.name: {
        "RV": ("53085002", "Right ventricle"),
        "MYO": ("49848007", "Left Ventricle Myocardium"),
        "LV": ("87878005", "Left ventricle"),
    },
    AORTA.name: {"aorta": ("15825003", "Aorta")},
}
"""SNOMED CT's code and name of classes of known schemes."""


def read_scheme(text: str) -> LabelScheme:
    """A known scheme, or the one that a YAML or JSON file describes.

    The file gives ``classes``, the name of each label value from 0, the background; and may give
    ``structures``, each with ``name``, ``values`` and, where it is measured, ``measure``;
    ``mirror_axes``; ``one_piece``; and ``name``. Without structures every class but the
    background is one.

    Args:
        text: Name of a scheme in ``SCHEMES``, or path of a file.

    Raises:
        ValueError: If it is neither, or the file does not describe a scheme.
    """
    if text in SCHEMES:
        return SCHEMES[text]
    path = Path(text)
    if not os.path.lexists(path):
        known = ", ".join(SCHEMES)
        raise ValueError(
            f"unknown label scheme '{in_short(text)}'; known: {known}, or a file"
        ) from None
    content = read_yaml(path)
    try:
        return _scheme(path, content)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _scheme(path: Path, content: object) -> LabelScheme:
    described = _mapping(content, KEYS, "a label scheme")
    classes = described.get("classes")
    if not isinstance(classes, list) or not 2 <= len(classes) <= MOST_CLASSES:
        raise ValueError(f"expected 'classes', a list of 2 to {MOST_CLASSES} names")
    names = tuple(str(name) for name in classes)
    structures = described.get("structures")
    if structures is None:
        found = tuple(Structure(name, (value,)) for value, name in enumerate(names) if value)
    elif isinstance(structures, list):
        found = tuple(_structure(one) for one in structures)
    else:
        raise ValueError(f"expected 'structures' to be a list, got {in_short(structures)}")
    axes = described.get("mirror_axes") or ()
    if not isinstance(axes, list | tuple) or any(axis not in ("y", "x") for axis in axes):
        raise ValueError(f"mirror_axes may hold y and x, got {in_short(axes)}")
    one_piece = described.get("one_piece", False)
    if not isinstance(one_piece, bool):
        raise ValueError(f"one_piece must be true or false, got {in_short(one_piece)}")
    name = str(described.get("name") or path.stem)
    return LabelScheme(name, names, found, tuple(axes), one_piece)


def _structure(content: object) -> Structure:
    described = _mapping(content, STRUCTURE_KEYS, "a structure")
    values = described.get("values")
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise ValueError(
            f"a structure's 'values' must be a list of integers, got {in_short(values)}"
        )
    measure = described.get("measure")
    if measure is not None and measure not in list(Measure):
        raise ValueError(f"unknown measure '{in_short(measure)}'; known: {', '.join(Measure)}")
    if not described.get("name"):
        raise ValueError(f"structure with values {values} has no name")
    return Structure(str(described["name"]), tuple(values), measure and Measure(measure))


def _mapping(content: object, keys: set[str], what: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise ValueError(f"expected {what} with {', '.join(sorted(keys))}, got {content!r:.60}")
    unknown = {str(key) for key in content} - keys
    if unknown:
        raise ValueError(
            f"{what} has unknown keys {', '.join(sorted(unknown))};"
            f" known: {', '.join(sorted(keys))}"
        )
    return content
