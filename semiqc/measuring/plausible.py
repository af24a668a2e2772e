"""Measures that no patient has: of a segmentation that is wrong, or of a wrong voxel size.

Limits lie beyond the extremes that are reported of adults, so that a sick heart is not called
impossible: Petersen et al., "Reference ranges for cardiac structure and function using
cardiovascular magnetic resonance in Caucasians from the UK Biobank population cohort", JCMR 2017.
https://doi.org/10.1186/s12968-017-0327-9
"""

from collections.abc import Iterable

from semiqc.measuring.measures import ClinicalMeasure

LIMITS = {
    "EDV": 700.0,
    "ESV": 650.0,
    "EF": 92.0,
    "mass": 600.0,
    "volume": 3000.0,
    "largest": 6000.0,
}
"""Largest of each measure that is believed, in its unit."""


def implausible(measured: Iterable[ClinicalMeasure]) -> list[str]:
    """Each figure beyond its limit, in words; nothing of figures that are NaN.

    There is no lower limit: of a child, or of a few slices, a small figure is true.
    """
    found = []
    for one in measured:
        most = LIMITS.get(one.measure, float("inf"))
        if one.value > most:
            value = f"{one.value:.0f}" if one.value >= 100 else f"{one.value:.3g}"
            found.append(
                f"{one.structure} {one.measure} {value} {one.unit} is implausible,"
                f" expected {most:g} at most"
            )
    return found
