"""How a heart looks below the level of anatomy; the values here are those of every usual heart."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Looks:
    """Shape of the right ventricle, and what surrounds and fills the chambers.

    Args:
        rv_peak: Where the right ventricle is widest, in radians from mid septum towards anterior.
        rv_corner: Exponent of its width over the angle: higher for a box, lower for a triangle.
        rv_round: Exponent of what is left of it: below 1 for blunt ends, above for pointed ones.
        rv_straight: How much wider it is towards its ends, as a straight free wall makes it.
        rv_lobe: Amplitude of a wave over the angle that dents or bulges the free wall.
        rv_lobe_phase: Of that wave, in radians.
        rv_inflow: Its width at the valve over that a little below.
        rv_taper: Exponent of its narrowing towards the apex: lower for a cone, higher for a box.
        rv_narrowing: Share of the reach around the heart that is lost towards the apex.
        rv_wall_mm: Thickness of its wall.
        rv_blood: Least and greatest signal of its blood over that of the left ventricle.
        fat_mm: Thickness of epicardial fat, negative where little shows.
        fat_most_mm: Its greatest thickness.
        fat_rough_mm: Standard deviation of that thickness.
        rim: Signal of what lies on the heart, over that of fat: negative for fluid.
        mixing: How uneven blood is, over the usual.
        grain: How uneven muscle is, over the usual.
        strands: How much muscle crosses the right ventricle, over the usual.
        strand_level: Above how many standard deviations of their field they show.
        vessels: Relative standard deviation of size and place of what lies above the base.
    """

    rv_peak: float = 0.0
    rv_corner: float = 2.4
    rv_round: float = 0.8
    rv_straight: float = 0.0
    rv_lobe: float = 0.0
    rv_lobe_phase: float = 0.0
    rv_inflow: float = 0.75
    rv_taper: float = 1.8
    rv_narrowing: float = 0.40
    rv_wall_mm: float = 2.2
    rv_blood: tuple[float, float] = (0.62, 0.82)
    fat_mm: float = -0.6
    fat_most_mm: float = 10.0
    fat_rough_mm: float = 3.0
    rim: float = 0.8
    mixing: float = 1.0
    grain: float = 1.0
    strands: float = 1.0
    strand_level: float = 1.2
    vessels: float = 0.06


USUAL_LOOKS = Looks()
"""Of every heart of a group."""
