"""What the page is told of a study beside its pictures."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semiqc.measuring.measures import curve_unit, curves, ejection_fraction
from semiqc.pages.drawing import structure_colours
from semiqc.review.items import Item, Material
from semiqc.review.outlines import box_of, outlines
from semiqc.review.sheet import Sheet
from semiqc.schemes import Measure, Structure

MARGIN = 12
"""Voxels around all that is segmented, where the view begins."""


def describe(material: Material) -> dict[str, Any]:
    """Size, outlines and curves of a study, as JSON can write it; nothing that was estimated."""
    frames, slices, height, width = material.labels.shape
    sheet = Sheet.of(material.labels.shape)
    sizes = curves(material.labels, material.spacing, material.scheme.structures)
    colours = structure_colours(material.scheme)
    return {
        "frames": frames,
        "slices": slices,
        "height": height,
        "width": width,
        "spacing": list(material.spacing),
        "modalities": material.image.shape[0],
        "sheet": {
            "columns": sheet.columns,
            "pitch": list(sheet.pitch),
            "tile": [sheet.height, sheet.width],
        },
        "view": _view(material),
        "start": _first_known(next(iter(sizes.values()), np.empty(0))),
        "structures": [
            {**_curve(one, sizes[one.name]), "colour": colours[one.name]}
            for one in material.scheme.structures
        ],
        "outlines": outlines(material.labels, material.scheme.structures),
    }


def reveal(item: Item, material: Material) -> dict[str, Any]:
    """What a blind reader must not see: the expert's points, scores, Dice of slices, maps."""
    points: dict[str, list[float | None]] = {}
    if material.reference is not None:
        expert = curves(material.reference, material.spacing, material.scheme.structures)
        points = {name: _known(values) for name, values in expert.items()}
    return {
        "study": item.study,
        "scores": {name: round(score, 4) for name, score in item.scores.items()},
        "expert": points,
        "slice_dice": {
            name: [_known(row) for row in np.asarray(dice[:], float)]
            for name, dice in material.slice_dice.items()
        },
        "heat": list(material.heat),
    }


def _view(material: Material) -> list[int]:
    """Columns and rows that are seen at first: ``left, top, right, bottom``."""
    left, top, right, bottom = box_of(material.labels)
    height, width = material.labels.shape[2:]
    return [
        max(0, left - MARGIN),
        max(0, top - MARGIN),
        min(width, right + MARGIN),
        min(height, bottom + MARGIN),
    ]


def _curve(structure: Structure, sizes: NDArray[np.float64]) -> dict[str, Any]:
    """A structure's curve with its largest and smallest frame, and what it ejects."""
    described: dict[str, Any] = {
        "name": structure.name,
        "unit": curve_unit(structure),
        "curve": _known(sizes),
        "largest": None,
        "smallest": None,
        "ejects": None,
    }
    has_phases = structure.measure in (Measure.CAVITY, Measure.AREA)
    if has_phases and int(np.isfinite(sizes).sum()) >= 2:
        largest, smallest = int(np.nanargmax(sizes)), int(np.nanargmin(sizes))
        described |= {"largest": largest, "smallest": smallest}
    if structure.measure is Measure.CAVITY and described["largest"] is not None:
        ejected = ejection_fraction(float(np.nanmax(sizes)), float(np.nanmin(sizes)))
        described["ejects"] = None if math.isnan(ejected) else round(ejected, 1)
    return described


def _first_known(sizes: NDArray[np.float64]) -> int:
    """The first frame that is segmented; 0 where none is."""
    return int(next(iter(np.flatnonzero(np.isfinite(sizes))), 0))


def _known(values: NDArray[np.float64]) -> list[float | None]:
    """Numbers as JSON has them, without those that are not known."""
    return [round(float(v), 3) if math.isfinite(v) else None for v in values]
