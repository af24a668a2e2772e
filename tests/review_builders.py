"""Reviews of small studies."""

from pathlib import Path

import numpy as np
from builders import SPACING, study_of

from semiqc.doors.regular import UnusableError
from semiqc.review.desk import Desk
from semiqc.review.items import Item, Material
from semiqc.review.records import Records
from semiqc.schemes import SHORT_AXIS

TOKEN = "secret"
HOST = "127.0.0.1:8000"


def material(*, frames=3):
    study = study_of(labelled=tuple(range(frames)))
    return Material(study.image, study.labels[:], SPACING, SHORT_AXIS)


def item(name, **fields):
    return Item(name, f"of-{name}", material, **fields)


def still(name):
    """One frame: nothing moves."""

    def read():
        film = material()
        return Material(film.image[:, :1], film.labels[:1], SPACING, SHORT_AXIS)

    return Item(name, f"of-{name}", read)


def broken(name):
    def read():
        raise UnusableError(f"{name}.nii.gz: cut short")

    return Item(name, f"of-{name}", read)


def desk(folder: Path, *names, items=(), order="given", **fields):
    records = Records(folder / "verdicts.sqlite")
    return Desk([*map(item, names), *items], records, order=order, **fields)


def disc(size=24):
    rows, columns = np.mgrid[:size, :size]
    return (rows - 11) ** 2 + (columns - 8) ** 2 < 36
