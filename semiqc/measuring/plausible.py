"""Measures that no patient has: of a segmentation that is wrong, or of a wrong voxel size.

Limits lie beyond the extremes that are reported of adults, so that a sick heart is not called
impossible: Petersen et al., "Reference ranges for cardiac structure and function using
cardiovascular magnetic resonance in Caucasians from the UK Biobank population cohort", JCMR 2017.
https://doi.org/10.1186/s12968-017-0327-9
"""

from collections.abc import Iterable

from semiqc.measuring.measures import ClinicalMeasure

LIMITS = {
    "EDV": (10.0, 700.0),
    "ESV": (1.0, 650.0),
    "EF": (3.0, 92.0),
    "mass": (10.0, 600.0),
    "volume": (0.0, 3000.0),
    "largest": (20.0, 6000.0),
}
"""Smallest and largest of each measure that is believed, in its unit."""


def implausible(measured: Iterable[ClinicalMeasure]) -> list[str]:
    """Each figure beyond its limits, in words; nothing of figures that are NaN.

    That a structure is absent is said by who judges the segmentation: 0 is not told here.
    """
    found = []
    for one in measured:
        low, high = LIMITS.get(one.measure, (-float("inf"), float("inf")))
        if one.value > high or 0 < one.value < low:
            value = f"{one.value:.0f}" if one.value >= 100 else f"{one.value:.3g}"
            found.append(
                f"{one.structure} {one.measure} {value} {one.unit} is implausible,"
                f" expected {low:g} to {high:g}"
            )
    return found
