"""What a suite is, in words: who judges, and what they learned from."""

import hashlib
from pathlib import Path

from qc.base import CONSENSUS
from qc.suites.places import suite_file
from qc.suites.shipped import SUITE, suite_folder
from qc.suites.suite import Suite
from semiqc.files.checksums import sha256_of


def card_of_suite(suite: Suite, folder: Path) -> dict[str, str]:
    """By title, what is to be known of a suite.

    Args:
        suite: As read from ``folder``.
        folder: Of its files, whose checksum tells it from others.
    """
    learned = suite.training
    sources = ", ".join(f"{name} {count}" for name, count in sorted(learned.sources.items()))
    weighed = f", weighed by {len(learned.weighing)} others" if learned.weighing else ""
    low, high = learned.slice_mm
    return {
        "Estimators": ", ".join(suite.names),
        "Labels": f"{suite.scheme.name} ({', '.join(suite.scheme.classes)})",
        "Learned from": (
            f"{learned.segmentations} segmentations of {learned.studies} studies{weighed}"
        ),
        "Made by": sources,
        "Images": (
            f"{learned.modalities} modalities, pixels of {learned.spacing_mm:.3g} mm,"
            f" slices {low:.3g} to {high:.3g} mm apart"
        ),
        "SHA-256": suite_digest(suite, folder),
    }


def suite_digest(suite: Suite, folder: Path | str) -> str:
    """Hash of all that a suite judges by: its description, estimators and blend."""
    folder = suite_folder(folder)
    names = [*suite.estimators, *([CONSENSUS] if suite.blend else [])]
    files = [folder / SUITE, *(suite_file(folder, name) for name in names)]
    parts = [f"{file.name} {sha256_of(file)}" for file in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
