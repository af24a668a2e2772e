"""Manual contours in the form of the Sunnybrook data, as labels.

Reference:
    Radau et al., "Evaluation Framework for Algorithms Segmenting Short Axis Cardiac MRI", The
    MIDAS Journal, 2009. https://doi.org/10.54294/g80ruo

::

    NAME/IM-0001-0048.dcm                            a DICOM file of number 48
    NAME_contours/                                   beside it, files at any depth
        IM-0001-0048-icontour-manual.txt             endocardium, at ED and ES
        IM-0001-0048-ocontour-manual.txt             epicardium, at ED only

Each line is a point ``x y`` in pixels, of which the first is (1, 1).

Only what the contours tell becomes a label: LV inside the endocardium, and myocardium between it
and the epicardium where both are drawn. All else stays ``UNLABELLED``: the right ventricle was
not contoured, so the outside is not known to be background; in a slice with the endocardium alone
nobody said where the myocardium ends; and a slice without contours was not looked at.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semiqc.doors.regular import in_short
from semiqc.doors.text import read_text
from semiqc.exchange.readers.dicom.stack import CineStack
from semiqc.files.walking import files_within
from semiqc.images.raw import UnusableError
from semiqc.schemes import UNLABELLED, LabelScheme

CAVITY, MUSCLE = "LV", "MYO"
FEWEST_POINTS = 3
FIRST_PIXEL = 1
"""Of the coordinates. Nothing says so, but counted from 1 the contours fit the images, and from 0
they lie a pixel to the lower right of the edges."""

WIDEST_GAP = 3
"""Between the last point and the first, in longest steps between others."""

_CONTOUR = re.compile(r"IM-\d+-(?P<number>\d+)-(?P<kind>[io])contour", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)$")


@dataclass
class Contours:
    """Files of the contours of one DICOM file."""

    inner: Path | None = None
    outer: Path | None = None


def contours_beside(folder: Path) -> Path | None:
    """The folder of contours that belongs to a folder of DICOM files, if there is one."""
    folder = folder.resolve()
    beside = folder.with_name(f"{folder.name}_contours")
    return beside if beside.is_dir() else None


def contour_labels(beside: Path, stack: CineStack, scheme: LabelScheme) -> NDArray[np.int8]:
    """Labels ``[T, Z, Y, X]`` that the contours of a folder tell.

    Args:
        beside: The folder.
        stack: What was contoured.
        scheme: Must have the structures ``LV`` and ``MYO``.

    Raises:
        UnusableError: If a contour belongs to no file, cannot be read, or leaves the image.
    """
    cavity, muscle = _values(beside, scheme)
    places = {
        _number(piece.path): (t, z)
        for z, phases in enumerate(stack.slices)
        for t, piece in enumerate(phases)
    }
    labels = np.full(stack.shape, UNLABELLED, np.int8)
    for number, contours in _contours(beside).items():
        file = contours.inner or contours.outer
        if number not in places:
            raise UnusableError(f"{file and file.name}: there is no DICOM file {number}")
        if contours.inner is None:
            continue
        inside = _filled(contours.inner, stack.size)
        plane = labels[places[number]]
        if contours.outer:
            plane[_filled(contours.outer, stack.size)] = muscle
        plane[inside] = cavity
    return labels


def _values(beside: Path, scheme: LabelScheme) -> tuple[int, int]:
    """Label values of cavity and muscle.

    Raises:
        UnusableError: If the scheme does not have both.
    """
    try:
        cavity, muscle = (scheme.structure(name).values[0] for name in (CAVITY, MUSCLE))
    except KeyError as error:
        raise UnusableError(f"{beside.name}: contours of the LV, but {error.args[0]}") from None
    return cavity, muscle


def _number(path: Path) -> int:
    """The number at the end of a DICOM file's name; -1 where there is none."""
    found = _NUMBER.search(path.stem if path.suffix.lower() == ".dcm" else path.name)
    return int(found[1]) if found else -1


def _contours(beside: Path) -> Mapping[int, Contours]:
    """Contours at any depth of a folder, by the number of their DICOM file."""
    found: dict[int, Contours] = {}
    for path in files_within(beside):
        named = _CONTOUR.search(path.name)
        if named and path.suffix.lower() == ".txt":
            contours = found.setdefault(int(named["number"]), Contours())
            if named["kind"].lower() == "i":
                contours.inner = path
            else:
                contours.outer = path
    return found


def _filled(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose centre lies inside a contour, ``[Y, X]``."""
    points = _points(path)
    rows, columns = size
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < FEWEST_POINTS:
        raise UnusableError(f"{path.name}: expected {FEWEST_POINTS} points x y at least")
    if not ((points >= 0) & (points <= (columns + 1, rows + 1))).all():
        raise UnusableError(f"{path.name}: points lie outside the image of {columns} x {rows}")
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    gap = np.linalg.norm(points[0] - points[-1])
    if gap > WIDEST_GAP * steps.max():
        raise UnusableError(f"{path.name}: not closed, {gap:.3g} pixels from its end to its start")
    return _inside(points - FIRST_PIXEL, size)


def _points(path: Path) -> NDArray[np.float64]:
    """The numbers of each line of a file, whatever their count.

    Raises:
        UnusableError: If the file cannot be read, or lines hold anything else.
    """
    try:
        text = read_text(path, called=path.name)
        return np.array([[float(n) for n in line.split()] for line in text.splitlines() if line])
    except UnusableError:
        raise
    except ValueError as error:
        raise UnusableError(f"{path.name}: not a list of points ({in_short(error)})") from error


def _inside(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels inside a closed line through ``points [N, 2]``, ``(x, y)`` from 0, ``[Y, X]``."""
    y, x = np.mgrid[: size[0], : size[1]]
    inside = np.zeros(size, bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        # Even-odd rule: a ray towards larger x crosses the edge.
        crosses = (y0 > y) != (y1 > y)
        if y0 != y1:
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside
