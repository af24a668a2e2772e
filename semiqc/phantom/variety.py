"""Hearts, scanners and places drawn far more widely than any clinic would show.

A network that is to segment real images without having seen one is taught on these: what it may
not rely on, such as the signal of fat or the shape of a group of patients, is drawn at random
(domain randomisation: Tobin et al. 2017, https://doi.org/10.1109/IROS.2017.8202133; for
segmentation Billot et al. 2023, https://doi.org/10.1016/j.media.2023.102789).

Ours: shapes come from the beating-heart model and not from label maps of patients.
"""

from dataclasses import replace

import numpy as np

from semiqc.phantom.anatomy import HeartAnatomy, Papillary, draw_infarct
from semiqc.phantom.curve import CardiacTiming
from semiqc.phantom.draws import LogUniform, Normal, Uniform
from semiqc.phantom.grid import Placement
from semiqc.phantom.looks import Looks
from semiqc.phantom.scanner import ScannerProfile
from semiqc.phantom.thorax import Thorax
from semiqc.phantom.tissue import Signals

USUAL, RANDOM = "usual", "random"

VARIETIES = (USUAL, RANDOM)
"""How widely phantoms of the short axis are drawn: as five groups on four scanners, or not."""


def check_variety(variety: str) -> None:
    """Refuse a variety that is not known.

    Raises:
        ValueError: If so.
    """
    if variety not in VARIETIES:
        raise ValueError(f"unknown variety '{variety}'; known: {', '.join(VARIETIES)}")


LARGE_ML_M2 = 110.0
"""Above this end-diastolic volume index a ventricle does not empty well."""

THICK_SHARE = 0.25
"""Share of hearts with a wall so thick that little or nothing of the cavity is left in systole."""

ANYWHERE = Placement(
    first=Uniform(-1.0, 1.4),
    lean=Normal(0, 0.1, -0.3, 0.3),
    right_mm=Normal(14, 14, -25, 50),
    down_mm=Normal(0, 14, -35, 35),
)
"""Where the heart lies in an image: off its centre, with slices above the base."""


def random_anatomy(rng: np.random.Generator) -> HeartAnatomy:
    """A heart of no group; distributions stand in ``docs/phantom.md``."""
    body_surface = Uniform(1.3, 2.4).draw(rng)
    is_thick = rng.random() < THICK_SHARE
    lv_index = (LogUniform(35, 95) if is_thick else LogUniform(45, 190)).draw(rng)
    rv_index = LogUniform(45, 160).draw(rng)
    is_large = lv_index > LARGE_ML_M2
    lv_ef = _lv_ef(is_thick, is_large).draw(rng)
    rv_ef = _mostly(rng, 0.8, Uniform(0.35, 0.8), Uniform(0.1, 0.35))
    is_infarcted = lv_ef < 0.45 and rng.random() < 0.4
    return HeartAnatomy(
        group=RANDOM,
        body_surface_m2=body_surface,
        lv_edv_ml=lv_index * body_surface,
        lv_esv_ml=lv_index * body_surface * (1 - lv_ef),
        rv_edv_ml=rv_index * body_surface,
        rv_esv_ml=rv_index * body_surface * (1 - rv_ef),
        wall_mm=(Uniform(9, 18) if is_thick else Uniform(5, 12)).draw(rng),
        septal_extra_mm=_mostly(rng, 0.65, Uniform(0, 2), Uniform(2, 13)),
        elongation=Uniform(1.35, 2.05).draw(rng),
        truncation=Uniform(0.2, 0.5).draw(rng),
        base_tilt=Uniform(0.005, 0.04).draw(rng),
        base_tilt_angle=Uniform(-np.pi, np.pi).draw(rng),
        shortening=Uniform(0.05, 0.32).draw(rng) * lv_ef,
        septal_flattening=_mostly(rng, 0.7, Uniform(0, 0.04), Uniform(0.04, 0.28)),
        oval=Uniform(0.0, 0.1).draw(rng),
        oval_angle=Uniform(0.0, np.pi).draw(rng),
        corner=Uniform(0.0, 0.045).draw(rng),
        corner_angle=Uniform(-np.pi, np.pi).draw(rng),
        rv_anterior=Uniform(1.05, 1.9).draw(rng),
        rv_inferior=Uniform(0.85, 1.65).draw(rng),
        rv_reach=Uniform(0.6, 1.0).draw(rng),
        trabeculation=Uniform(0.03, 0.5).draw(rng),
        timing=_random_timing(rng),
        papillaries=_random_papillaries(rng),
        infarct=draw_infarct(rng) if is_infarcted else None,
        looks=_random_looks(rng),
        apical=_mostly(rng, 0.5, Uniform(0, 0.1), Uniform(0.1, 0.6)) if is_thick else 0.0,
    )


def _lv_ef(is_thick: bool, is_large: bool) -> Uniform:
    """Ejection fraction: a thick wall empties its ventricle almost wholly."""
    if is_thick:
        return Uniform(0.5, 0.92)
    return Uniform(0.1, 0.5) if is_large else Uniform(0.3, 0.8)


def _mostly(rng: np.random.Generator, share: float, usual: Uniform, rare: Uniform) -> float:
    """From the usual distribution in that share of draws, else from the rare one."""
    return (usual if rng.random() < share else rare).draw(rng)


def _random_timing(rng: np.random.Generator) -> CardiacTiming:
    """Timing with end-systole late enough for a cine of two frames to show it."""
    end_systole = Uniform(0.34, 0.52).draw(rng)
    return CardiacTiming(
        end_systole=end_systole,
        filling_end=end_systole + Uniform(0.2, 0.25).draw(rng),
        kick_start=Uniform(0.78, 0.87).draw(rng),
        kick_share=Uniform(0.1, 0.4).draw(rng),
    )


def _random_papillaries(rng: np.random.Generator) -> tuple[Papillary, ...]:
    """Two muscles in most hearts; none, one or three in the rest."""
    angles = [2.15, -2.15, float(rng.uniform(-np.pi, np.pi))]
    count = rng.choice([0, 1, 2, 3], p=[0.08, 0.12, 0.6, 0.2])
    return tuple(_random_papillary(rng, angle) for angle in angles[:count])


def _random_papillary(rng: np.random.Generator, angle: float) -> Papillary:
    """One muscle around an angle."""
    turned = angle + Normal(0, 0.3, -0.8, 0.8).draw(rng)
    return Papillary(
        angle=float((turned + np.pi) % (2 * np.pi) - np.pi),
        radius_mm=Uniform(2.5, 8.5).draw(rng),
        breadth=Uniform(0.5, 1.3).draw(rng),
        start=Uniform(-0.25, 0.2).draw(rng),
        end=Uniform(0.55, 0.9).draw(rng),
    )


def _random_looks(rng: np.random.Generator) -> Looks:
    """Shape of the right ventricle, epicardial fat or fluid, and texture."""
    least = Uniform(0.45, 1.05).draw(rng)
    return Looks(
        rv_peak=Uniform(-0.5, 0.5).draw(rng),
        rv_corner=Uniform(2.0, 6.0).draw(rng),
        rv_round=Uniform(0.5, 1.1).draw(rng),
        rv_straight=Uniform(0.0, 2.3).draw(rng),
        rv_lobe=Uniform(0.0, 0.3).draw(rng),
        rv_lobe_phase=Uniform(0.0, 2 * np.pi).draw(rng),
        rv_inflow=Uniform(0.6, 1.25).draw(rng),
        rv_taper=Uniform(0.7, 1.9).draw(rng),
        rv_narrowing=Uniform(0.15, 0.6).draw(rng),
        rv_wall_mm=Uniform(1.0, 4.5).draw(rng),
        rv_blood=(least, least + 0.05),
        fat_mm=_mostly(rng, 0.6, Uniform(-3.5, 3.0), Uniform(3.0, 15.0)),
        fat_most_mm=25.0,
        fat_rough_mm=Uniform(0.5, 8.0).draw(rng),
        rim=_mostly(rng, 0.85, Uniform(0.5, 1.1), Uniform(-1.2, 0.2)),
        mixing=Uniform(0.3, 2.2).draw(rng),
        grain=Uniform(0.3, 2.0).draw(rng),
        strands=Uniform(0.0, 2.0).draw(rng),
        strand_level=Uniform(0.3, 1.6).draw(rng),
        vessels=0.18,
    )


def random_thorax(thorax: Thorax, rng: np.random.Generator) -> Thorax:
    """A thorax of another size, its wall nearer or farther, with any thickness of fat."""
    return replace(
        thorax,
        chest_radius_mm=Uniform(95, 170).draw(rng),
        chest_left_mm=thorax.chest_left_mm + Uniform(-3, 25).draw(rng),
        muscle_mm=Uniform(4, 22).draw(rng),
        fat_mm=LogUniform(4, 75).draw(rng),
    )


def random_scanner(rng: np.random.Generator) -> ScannerProfile:
    """Contrast, resolution, noise, coil and angle of no scanner in particular."""
    signals = Signals(
        blood=Uniform(0.75, 1.0).draw(rng),
        myocardium=Uniform(0.13, 0.5).draw(rng),
        fat=_mostly(rng, 0.87, Uniform(-1.5, -0.4), Uniform(0.05, 0.4)),
        muscle=Uniform(0.12, 0.45).draw(rng),
        liver=Uniform(0.12, 0.6).draw(rng),
        spleen=Uniform(0.15, 0.7).draw(rng),
        stomach=Uniform(0.05, 0.7).draw(rng),
        lung=LogUniform(0.015, 0.25).draw(rng),
        bone=Uniform(0.03, 0.3).draw(rng),
        fluid=Uniform(0.9, 1.5).draw(rng),
    )
    return ScannerProfile(
        name=RANDOM,
        signals=signals,
        resolution_mm=(Uniform(1.4, 2.6).draw(rng), Uniform(1.5, 3.3).draw(rng)),
        snr=LogUniform(14, 80).draw(rng),
        bias=Uniform(0.0, 1.0).draw(rng),
        apodisation=Uniform(0.2, 0.9).draw(rng),
        orientation_deg=_mostly(rng, 0.6, Uniform(-35, 35), Uniform(-180, 180)),
        slice_mm=Uniform(5, 10).draw(rng),
    )
