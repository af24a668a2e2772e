"""Suites that phantoms alone taught, shipped with the package: a folder for each label scheme."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmenters.pretrained import PhantomCard
from semiqc.doors.json_file import read_object
from semiqc.schemes import LabelScheme

PHANTOM = "phantom"
"""In place of a folder: the suite that is shipped."""
USUAL = "short-axis"
"""Label scheme where none is named."""
FOLDER = Path(__file__).parent / "pretrained"
CARD, SUITE = "card.json", "suite.json"


@dataclass(frozen=True, kw_only=True)
class SuiteCard(PhantomCard):
    """How a suite was made, and what it was measured on; ``sha256`` is its digest.

    Args:
        suite: What it was made of: estimators, sources, their arguments, and how many phantoms
            the weights of the consensus were fitted to.
    """

    suite: dict[str, Any]


def is_shipped(scheme: str) -> bool:
    """Whether there is a suite for a label scheme."""
    return (FOLDER / scheme / CARD).exists()


def shipped_mm(scheme: LabelScheme, modalities: int) -> float | None:
    """In plane, pixels in mm of the images that ``phantom`` judges.

    Args:
        scheme: Of the labels.
        modalities: Of the images.

    Returns:
        None where it is not for such labels and images.
    """
    stored = read_object(suite_folder(PHANTOM) / SUITE)
    known, training = LabelScheme.from_json(stored["scheme"]), stored["training"]
    if training["modalities"] != modalities or scheme.mismatch(known):
        return None
    # Estimators know structures by their place.
    ours, theirs = ([one.name for one in of.structures] for of in (scheme, known))
    return float(training["spacing_mm"]) if ours == theirs else None


def suite_folder(named: Path | str) -> Path:
    """Where a suite lies; ``phantom`` or ``phantom:SCHEME`` name one that is shipped.

    A folder of that name is itself.

    Raises:
        ValueError: If none is shipped for the scheme, naming those that have one.
    """
    name, _, scheme = str(named).partition(":")
    if name != PHANTOM or Path(named).exists():
        return Path(named)
    folder = FOLDER / (scheme or USUAL)
    if not is_shipped(folder.name):
        known = ", ".join(sorted(path.parent.name for path in FOLDER.glob(f"*/{CARD}")))
        raise ValueError(
            f"no suite is shipped for the label scheme '{folder.name}' (there is one for"
            f" {known or 'none'}); make one with `semiqc qc pretrain --scheme {folder.name}`"
        )
    return folder
