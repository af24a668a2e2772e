"""What is written beside weights: how they were made, and what they were measured on."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from semiqc.doors.json_file import read_object
from semiqc.files.atomic import write_text
from semiqc.files.checksums import sha256_of

LICENCE = "Apache-2.0"
PATIENTS = "none: every image and label was drawn from a seed"


@dataclass(frozen=True, kw_only=True)
class PhantomCard:
    """How something was made that phantoms alone taught, and what it was measured on.

    Args:
        scheme: Name of the label scheme.
        sha256: Of the file with the weights, or of all files of a suite.
        command: That made it.
        phantoms: Settings of the phantoms.
        versions: Of the libraries, by name.
        measured: One entry for each data set that it was measured on: what it was, how, and the
            figures.
        licence: Of the weights.
        patients: Whose data is in them.
    """

    scheme: str
    sha256: str
    command: str
    phantoms: dict[str, Any]
    versions: dict[str, str]
    measured: tuple[dict[str, Any], ...] = ()
    licence: str = LICENCE
    patients: str = PATIENTS

    @classmethod
    def read(cls, path: Path) -> Self:
        """The card in a file.

        Raises:
            ValueError: If it is no card.
        """
        try:
            stored = read_object(path)
            known = {field.name for field in fields(cls)}
            given = {name: value for name, value in stored.items() if name in known}
            return cls(**{**given, "measured": tuple(stored.get("measured", ()))})
        except (OSError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"{path}: not the card of weights ({error})") from error

    def write(self, path: Path) -> None:
        """Write the card, whole or not at all."""
        write_text(path, json.dumps(asdict(self), indent=2) + "\n")


@dataclass(frozen=True, kw_only=True)
class Card(PhantomCard):
    """How the weights of a segmenter were made, and what they were measured on.

    Args:
        segmenter: Settings of the segmenter, its ``kind`` in ``segmenters.SEGMENTERS`` among them.
        network: What the network is, as ``NetworkSegmenter.described`` says it.
        spacing_mm: In plane, of the images that it learned from.
        training: Settings of the training, steps and seed among them.
    """

    segmenter: dict[str, Any]
    network: dict[str, Any]
    spacing_mm: float
    training: dict[str, Any]

    def check(self, weights: Path) -> None:
        """Refuse weights that are not those of the card.

        Raises:
            ValueError: If the file is missing, or damaged.
        """
        if not weights.exists():
            raise ValueError(f"{weights}: missing, though its card is there; install semiqc anew")
        if sha256_of(weights) != self.sha256:
            raise ValueError(
                f"{weights}: damaged, its SHA-256 is not that of its card; install semiqc anew"
            )


def card_file(weights: Path) -> Path:
    """Where the card of a file with weights lies: beside it."""
    return weights.with_suffix(".json")
