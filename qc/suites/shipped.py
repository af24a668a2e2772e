"""Suites that phantoms alone taught, shipped with the package: a folder for each label scheme."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segmenters.pretrained import PhantomCard

PHANTOM = "phantom"
"""In place of a folder: the suite that is shipped."""
USUAL = "short-axis"
"""Label scheme where none is named."""
FOLDER = Path(__file__).parent / "pretrained"
CARD = "card.json"


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
