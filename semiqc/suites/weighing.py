"""What estimators say of graded segmentations, for the weights of their consensus."""

from collections.abc import Mapping

from qc.base import ProgressCallback, Quality, QualityEstimator, unobserved
from qc.consensus.panel import Panel
from qc.graded import GradedSet


def judged_by_each(
    estimators: Mapping[str, QualityEstimator],
    graded: GradedSet,
    observe: ProgressCallback = unobserved,
) -> dict[str, list[Quality | None]]:
    """By name, what everyone who judges frames says of each segmentation.

    Those who judge the course of whole cines have nothing to say of frames, and no weight.
    """
    panel = Panel({n: one for n, one in estimators.items() if not one.learns_from_verdicts})
    qualities: dict[str, list[Quality | None]] = {name: [] for name in panel.names}
    for number, one in enumerate(graded, start=1):
        said = panel.ask(one.prediction)
        for name, of_one in qualities.items():
            of_one.append(said.get(name))
        observe(number, len(graded))
    return qualities
