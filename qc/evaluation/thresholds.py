"""From which quality on a segmentation is good, for each structure."""

from collections.abc import Mapping, Sequence

import numpy as np

from qc.evaluation.judgement import ALL
from semiqc.schemes import LabelScheme

THRESHOLD = 0.7
"""Quality from which a segmentation is good; Robinson et al., MICCAI 2018."""

QualityThreshold = float | Mapping[str, float]
"""One for all structures, or one for each."""


def thresholds_of(threshold: QualityThreshold, scheme: LabelScheme) -> dict[str, float]:
    """The threshold of each structure and of ``all``, by default the mean of the others.

    Raises:
        ValueError: If one is missing, unknown or not in [0, 1].
    """
    names = [structure.name for structure in scheme.structures]
    if isinstance(threshold, Mapping):
        found = dict(threshold)
        _check_names(found, names)
        found.setdefault(ALL, float(np.mean([found[name] for name in names])))
    else:
        found = dict.fromkeys([*names, ALL], float(threshold))
    outside = [value for value in found.values() if not 0 <= value <= 1]
    if outside:
        raise ValueError(f"threshold must lie in [0, 1], got {outside[0]}")
    return found


def _check_names(found: Mapping[str, float], names: Sequence[str]) -> None:
    """Refuse thresholds that lack a structure, or are of an unknown one.

    Raises:
        ValueError: With the names that are needed and those that came.
    """
    missing, unknown = set(names) - set(found), set(found) - {*names, ALL}
    if missing or unknown:
        raise ValueError(
            f"threshold needs {', '.join(names)} and may have {ALL},"
            f" got {', '.join(found) or 'nothing'}"
        )
