"""Whether a suite was made for the studies of a store."""

import numpy as np

from qc.suites.suite import Suite
from semiqc.files.store.reader import Store

SAME_SPACING = 0.02
"""Share by which pixels may differ from the suite's."""


def refuse_other_data(suite: Suite, store: Store, remedy: str) -> None:
    """Segmentations of a store's studies are judged as they are, on the store's grid.

    Args:
        suite: That is to judge.
        store: Of the images.
        remedy: What to do, beside another import, where pixels differ.

    Raises:
        ValueError: If the suite was not made for such.
    """
    _refuse_other_labels(suite, store)
    if len(store.modalities) != suite.training.modalities:
        raise ValueError(
            f"{store.path}: {len(store.modalities)} modalities, the suite was made for"
            f" {suite.training.modalities}"
        )
    learned = suite.training.spacing_mm
    for study in store:
        pixel = float(np.mean(study.spacing[1:]))
        if abs(pixel - learned) > SAME_SPACING * learned:
            raise ValueError(
                f"{store.path}: {study.name} has pixels of {pixel:.3g} mm, the suite sees"
                f" {learned:.3g} mm; import its images with --spacing {learned:g} {remedy}"
            )


def _refuse_other_labels(suite: Suite, store: Store) -> None:
    """Refuse a store of another scheme.

    Raises:
        ValueError: If classes, structures or the structures' order differ from the suite's: fitted
            estimators know structures by their place.
    """
    reason = store.scheme.mismatch(suite.scheme)
    if reason:
        raise ValueError(f"{store.path}: not the labels that the suite was made for: {reason}")
    given, known = (
        [one.name for one in scheme.structures] for scheme in (store.scheme, suite.scheme)
    )
    if given != known:
        raise ValueError(
            f"{store.path}: has its structures in the order {', '.join(given)}, the suite"
            f" {', '.join(known)}"
        )
