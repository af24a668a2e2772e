"""What hearts differ in: the parameters of one heart and how each group's are distributed.

Reference:
    Groups: Bernard et al., "Deep Learning Techniques for Automatic MRI Cardiac Multi-structures
    Segmentation and Diagnosis: Is the Problem Solved?", IEEE TMI 2018.
    https://doi.org/10.1109/TMI.2018.2837502
    Volumes of healthy hearts: Petersen et al., "Reference ranges for cardiac structure and
    function using cardiovascular magnetic resonance (CMR) in Caucasians from the UK Biobank
    population cohort", JCMR 2017. https://doi.org/10.1186/s12968-017-0327-9
"""

from dataclasses import dataclass, replace

import numpy as np

from semiqc.phantom.curve import CardiacTiming, draw_timing
from semiqc.phantom.draws import Distribution, Normal, Uniform
from semiqc.phantom.looks import USUAL_LOOKS, Looks


@dataclass(frozen=True)
class GroupDistributions:
    """How the parameters of one disease group are distributed.

    Args:
        lv_edv_index: Left-ventricular end-diastolic volume in ml per m2 of body surface.
        lv_ef: Left-ventricular ejection fraction in percent.
        rv_edv_index: Right-ventricular end-diastolic volume in ml per m2.
        rv_ef: Right-ventricular ejection fraction in percent.
        wall_mm: Thickness of the left-ventricular wall at end-diastole.
        septal_extra_mm: What the septum is thicker by.
        elongation: Length of the left ventricle over its diameter.
        shortening_share: Long-axis shortening over ejection fraction.
        septal_flattening: Share of the radius that the septum is pushed in by.
        infarct: Whether a segment is thin and does not contract.
    """

    lv_edv_index: Distribution
    lv_ef: Distribution
    rv_edv_index: Distribution
    rv_ef: Distribution
    wall_mm: Distribution
    septal_extra_mm: Distribution
    elongation: Distribution
    shortening_share: Distribution
    septal_flattening: Distribution
    infarct: bool = False


HEALTHY = GroupDistributions(
    lv_edv_index=Normal(78, 10, 58, 98),
    lv_ef=Normal(61, 4.5, 52, 72),
    rv_edv_index=Normal(83, 11, 60, 105),
    rv_ef=Normal(57, 5, 46, 68),
    wall_mm=Normal(7.4, 0.9, 5.5, 9.8),
    septal_extra_mm=Uniform(0.0, 1.5),
    elongation=Normal(1.75, 0.10, 1.5, 2.0),
    shortening_share=Normal(0.26, 0.02, 0.20, 0.32),
    septal_flattening=Uniform(0.0, 0.02),
)

GROUPS: dict[str, GroupDistributions] = {
    "NOR": HEALTHY,
    "DCM": replace(
        HEALTHY,
        lv_edv_index=Normal(145, 28, 105, 220),
        lv_ef=Normal(23, 7, 10, 38),
        rv_ef=Normal(42, 10, 22, 62),
        wall_mm=Normal(8.3, 1.0, 6.5, 11.0),
        elongation=Normal(1.50, 0.08, 1.3, 1.7),
    ),
    "HCM": replace(
        HEALTHY,
        lv_edv_index=Normal(70, 10, 50, 95),
        lv_ef=Normal(68, 5, 57, 80),
        wall_mm=Normal(10.5, 1.0, 9.0, 13.0),
        septal_extra_mm=Uniform(6.5, 12.0),
        shortening_share=Normal(0.20, 0.02, 0.15, 0.25),
    ),
    "MINF": replace(
        HEALTHY,
        lv_edv_index=Normal(100, 20, 70, 150),
        lv_ef=Normal(31, 5, 20, 39.5),
        elongation=Normal(1.62, 0.08, 1.4, 1.85),
        infarct=True,
    ),
    "RV": replace(
        HEALTHY,
        lv_edv_index=Normal(68, 12, 45, 95),
        lv_ef=Normal(57, 5, 50, 70),
        rv_edv_index=Normal(132, 18, 111, 185),
        rv_ef=Normal(37, 7, 20, 50),
        septal_flattening=Uniform(0.05, 0.18),
    ),
}
"""The five groups of ACDC: healthy, dilated and hypertrophic cardiomyopathy, infarct, RV."""


@dataclass(frozen=True)
class Infarct:
    """A segment of the wall that is thin and does not contract.

    Args:
        angle: Of its centre, in radians from mid septum towards anterior.
        half_width: In radians.
        start: Where it begins along the long axis: 0 at the equator, 1 at the apex.
        thinning: Share of the wall that is gone.
        akinesia: Share of the motion that is gone; above 1 the segment bulges in systole.
    """

    angle: float
    half_width: float
    start: float
    thinning: float
    akinesia: float


@dataclass(frozen=True)
class Papillary:
    """A papillary muscle.

    Args:
        angle: In radians from mid septum towards anterior.
        radius_mm: At its thickest, towards the axis of the ventricle.
        breadth: That radius over the one along the wall.
        start: Where it begins along the long axis: 0 at the equator, 1 at the apex.
        end: Where it ends.
    """

    angle: float
    radius_mm: float
    breadth: float
    start: float
    end: float


@dataclass(frozen=True)
class HeartAnatomy:
    """Everything that makes one heart, with the unit of each field in ``docs/phantom.md``.

    Angles are in radians, counted in the short-axis plane from mid septum towards anterior;
    places along the long axis run from 0 at the equator of the ellipsoid to 1 at its apex.
    """

    group: str
    body_surface_m2: float
    lv_edv_ml: float
    lv_esv_ml: float
    rv_edv_ml: float
    rv_esv_ml: float
    wall_mm: float
    septal_extra_mm: float
    elongation: float
    truncation: float
    base_tilt: float
    base_tilt_angle: float
    shortening: float
    septal_flattening: float
    oval: float
    oval_angle: float
    corner: float
    corner_angle: float
    rv_anterior: float
    rv_inferior: float
    rv_reach: float
    trabeculation: float
    timing: CardiacTiming
    papillaries: tuple[Papillary, ...]
    infarct: Infarct | None
    looks: Looks = USUAL_LOOKS
    apical: float = 0.0


TERRITORIES = (0.8, -1.55, 2.75)
"""Centres of what the three coronary arteries supply: anterior septum, inferior, lateral."""


def draw_anatomy(rng: np.random.Generator, group: str) -> HeartAnatomy:
    """One heart of a group.

    Raises:
        ValueError: If the group is unknown.
    """
    if group not in GROUPS:
        raise ValueError(f"unknown group '{group}'; known: {', '.join(GROUPS)}")
    of = GROUPS[group]
    body_surface = Normal(1.85, 0.20, 1.4, 2.4).draw(rng)
    lv_edv, lv_ef = of.lv_edv_index.draw(rng) * body_surface, of.lv_ef.draw(rng) / 100
    rv_edv, rv_ef = of.rv_edv_index.draw(rng) * body_surface, of.rv_ef.draw(rng) / 100
    return HeartAnatomy(
        group=group,
        body_surface_m2=body_surface,
        lv_edv_ml=lv_edv,
        lv_esv_ml=lv_edv * (1 - lv_ef),
        rv_edv_ml=rv_edv,
        rv_esv_ml=rv_edv * (1 - rv_ef),
        wall_mm=of.wall_mm.draw(rng),
        septal_extra_mm=of.septal_extra_mm.draw(rng),
        elongation=of.elongation.draw(rng),
        truncation=Uniform(0.25, 0.45).draw(rng),
        base_tilt=Uniform(0.03, 0.10).draw(rng),
        base_tilt_angle=Uniform(-np.pi, np.pi).draw(rng),
        shortening=of.shortening_share.draw(rng) * lv_ef,
        septal_flattening=of.septal_flattening.draw(rng),
        oval=Uniform(0.0, 0.07).draw(rng),
        oval_angle=Uniform(0.0, np.pi).draw(rng),
        corner=Uniform(0.0, 0.03).draw(rng),
        corner_angle=Uniform(-np.pi, np.pi).draw(rng),
        rv_anterior=Normal(1.60, 0.10, 1.35, 1.85).draw(rng),
        rv_inferior=Normal(1.30, 0.10, 1.05, 1.55).draw(rng),
        rv_reach=Normal(0.86, 0.05, 0.75, 0.96).draw(rng),
        trabeculation=Uniform(0.14, 0.32).draw(rng),
        timing=draw_timing(rng),
        papillaries=(_draw_papillary(rng, 2.15), _draw_papillary(rng, -2.15)),
        infarct=draw_infarct(rng) if of.infarct else None,
    )


def _draw_papillary(rng: np.random.Generator, angle: float) -> Papillary:
    """A muscle around an angle, as its distributions in ``docs/phantom.md`` have it."""
    return Papillary(
        angle=angle + Normal(0, 0.15, -0.4, 0.4).draw(rng),
        radius_mm=Normal(5.6, 0.9, 3.8, 8.0).draw(rng),
        breadth=Uniform(0.65, 1.10).draw(rng),
        start=Uniform(-0.10, 0.10).draw(rng),
        end=Uniform(0.65, 0.82).draw(rng),
    )


def draw_infarct(rng: np.random.Generator) -> Infarct:
    """An infarct in the territory of one of the three coronary arteries."""
    return Infarct(
        angle=TERRITORIES[rng.integers(len(TERRITORIES))] + Normal(0, 0.15, -0.4, 0.4).draw(rng),
        half_width=Uniform(0.75, 1.15).draw(rng),
        start=Uniform(-0.35, 0.25).draw(rng),
        thinning=Uniform(0.25, 0.45).draw(rng),
        akinesia=Uniform(0.90, 1.08).draw(rng),
    )
