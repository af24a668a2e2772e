"""One study spoilt."""

from dataclasses import replace

import numpy as np

from semiqc.schemes import LabelScheme
from semiqc.spoiling.registry import SPOILINGS
from semiqc.study import Study


def spoil(study: Study, kind: str, scheme: LabelScheme, seed: int = 0) -> Study:
    """A spoilt copy of a study, in memory, under the same name.

    What is drawn depends on the seed, the study's name and the kind alone. Where labels moved,
    those on the grid of the source, which did not, are left out.

    Args:
        study: That is read whole.
        kind: One of ``SPOILINGS``.
        scheme: Of its labels.
        seed: Of what is drawn.

    Raises:
        ValueError: If the study cannot be spoilt so.
    """
    spoiling = SPOILINGS[kind]()
    if not spoiling.suits(study):
        raise ValueError(
            f"{study.name}: '{kind}' needs {spoiling.fewest_slices} slices,"
            f" the study has {study.labels.shape[1]}"
        )
    rng = np.random.default_rng([seed, *kind.encode(), 0, *study.name.encode()])
    loaded = study.load()
    spoilt = spoiling(loaded, scheme, rng)
    is_moved = spoilt.labels is not loaded.labels
    return replace(spoilt, source_labels=None) if is_moved else spoilt
