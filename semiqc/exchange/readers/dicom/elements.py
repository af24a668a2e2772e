"""Elements of DICOM files in our words, whatever was written into them."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pydicom

from semiqc.images.sizes import LARGEST_MM, SMALLEST_MM

FILLERS = frozenset(
    {"anon", "anonymous", "anonymized", "anonymised", "unknown", "none", "na", "null", "noid",
     "removed", "deidentified", "patient", "patientid", "subject", "id", "test", "default"}
)  # fmt: skip
"""What anonymisers write as everybody's PatientID."""


def patient_of(written: str) -> str:
    """A PatientID; empty for what anonymisers write in its place."""
    patient = " ".join(written.split())
    is_filler = re.sub(r"[^a-z0-9]", "", patient.lower()) in FILLERS
    return "" if is_filler or set(patient.lower()) <= set("0x -_*^.") else patient


def slice_distance(dataset: pydicom.Dataset) -> float:
    """What the header says of the distance between slices, in mm; 0 where it says nothing usable.

    Some scanners write it with the sign of the direction in which the slices lie.
    """
    for element in ("SpacingBetweenSlices", "SliceThickness"):
        try:
            mm = abs(float(dataset.get(element) or 0))
        except (TypeError, ValueError):
            continue
        if SMALLEST_MM <= mm <= LARGEST_MM:
            return mm
    return 0.0


def finite(value: Any) -> float | None:  # noqa: ANN401
    """A number of an element; None where it says nothing, or no number that one could order by."""
    number = None if value in (None, "") else float(value)
    return number if number is not None and np.isfinite(number) else None


def numbers(values: Sequence[Any], count: int) -> tuple[float, ...]:
    """So many finite numbers of an element with several values."""
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"expected {count} numbers, got {numbers}")
    return numbers
