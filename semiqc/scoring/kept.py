"""What is said of one study, in a file with a checksum, until all studies are done."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from qc.qualities_file import quality_from_json, quality_to_json
from semiqc.doors.json_file import parse_json
from semiqc.doors.regular import refusing
from semiqc.doors.tensors import read_tensors
from semiqc.files.atomic import write_bytes
from semiqc.scoring.scores import StudyScore
from semiqc.scoring.worst import WorstSlice

DIGEST = "sha256"
"""Key in the metadata of a file."""
SHOWN = ("image", "labels", "error", "heat", "film", "film_labels")
"""Arrays of the slice that the page shows."""


@dataclass(frozen=True, eq=False)
class Kept:
    """What is said of one study.

    Args:
        score: By the estimators.
        worst: The slice that the page shows; None where none was kept.
    """

    score: StudyScore
    worst: WorstSlice | None

    def write(self, path: Path, called: str, beside: Mapping[str, Any]) -> None:
        """Write it, whole or not at all.

        Args:
            path: Of the file.
            called: What such a file is called in its metadata.
            beside: What else is said of the study, as JSON can write it.
        """
        arrays = _arrays(self.worst)
        text = json.dumps({**_described(self), **beside}, default=_plain)
        metadata = {called: text, DIGEST: _digest(text, arrays)}
        write_bytes(path, save(arrays, metadata))

    @classmethod
    def read(cls, path: Path, called: str) -> "tuple[Kept, dict[str, Any]]":
        """What was written, and all that was described.

        Raises:
            UnusableError: If the file cannot be read, or is not what was written.
        """
        arrays, metadata = read_tensors(path, "np")
        with refusing(path, "what is said of a study, with its checksum"):
            if _digest(metadata[called], arrays) != metadata[DIGEST]:
                raise ValueError("its SHA-256 is not the one written with it")
            said = parse_json(metadata[called], str(path))
            return cls(*_understood(said, arrays)), said


def _described(kept: Kept) -> dict[str, Any]:
    """Everything but the arrays."""
    score, worst = kept.score, kept.worst
    return {
        "score": {
            "study": score.study,
            "score": score.score,
            "flagged": score.flagged,
            "qualities": {n: quality_to_json(q) for n, q in score.qualities.items()},
            "warnings": list(score.warnings),
            "error_maps": score.error_maps and dict(score.error_maps),
        },
        "worst": worst and {n: value for n, value in vars(worst).items() if n not in SHOWN},
    }


def _understood(
    said: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[StudyScore, WorstSlice | None]:
    """What ``_described`` gave, with the arrays beside it."""
    score, worst = said["score"], said["worst"]
    qualities = {name: quality_from_json(one) for name, one in score["qualities"].items()}
    shown: dict[str, Any] = worst and {**worst, **{name: arrays.get(name) for name in SHOWN}}
    read = {"qualities": qualities, "warnings": tuple(score["warnings"])}
    return StudyScore(**{**score, **read}), WorstSlice(**shown) if shown else None


def _arrays(worst: WorstSlice | None) -> dict[str, NDArray[Any]]:
    """The arrays of a slice, by name."""
    found = {name: getattr(worst, name, None) for name in SHOWN}
    # A study without a slice to look at gets an empty array: no file is written without any.
    found["labels"] = np.zeros(0, np.int8) if worst is None else worst.labels
    return {name: np.ascontiguousarray(one) for name, one in found.items() if one is not None}


def _digest(text: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 of all that a file holds."""
    found = hashlib.sha256(text.encode())
    for name, array in sorted(arrays.items()):
        found.update(f"{name} {array.dtype} {array.shape}".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A number of NumPy as one of Python."""
    return value.item()
