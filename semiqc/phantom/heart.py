"""A beating heart as radii around the long axis of its left ventricle.

The left ventricle is a truncated ellipsoid in a wall of varying thickness. A point of it keeps
its *material* place ``u`` along the long axis (negative at the base, 0 at the equator, 1 at the
endocardial apex) and its angle; the apex stands still and the base descends. The wall between
two such points keeps its volume exactly: ``outer^2 - inner^2`` grows as the axis shortens.
"""

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.anatomy import HeartAnatomy, Infarct
from semiqc.phantom.curve import filling

Array = NDArray[np.float64]

ANGLES = np.linspace(-np.pi, np.pi, 360, endpoint=False)
"""Where radii are known, in radians from mid septum towards anterior, ``[A]``."""

APEX_WALL_MM = 5.0
STEEPEST = 1.1
"""Angle up to which a straight free wall of the right ventricle is followed, in radians."""
LEVELS = 400
MM3_PER_ML = 1000.0


class BeatingHeart:
    """The surfaces of one heart at every frame.

    Distances ``z`` run along the long axis in mm from the base at end-diastole to the apex.

    Args:
        anatomy: Of the heart.
        frames: Number of frames, ``T``.
    """

    def __init__(self, anatomy: HeartAnatomy, frames: int) -> None:
        self.anatomy = anatomy
        full = filling(frames, anatomy.timing)
        self.filling = full
        self.lv_ml = anatomy.lv_esv_ml + full * (anatomy.lv_edv_ml - anatomy.lv_esv_ml)
        self.rv_ml = anatomy.rv_esv_ml + full * (anatomy.rv_edv_ml - anatomy.rv_esv_ml)
        self.stretch = 1 - anatomy.shortening * (1 - full)
        self.size_mm, self.length_mm = _ellipsoid(anatomy)
        self.end = 1 + APEX_WALL_MM / self.length_mm
        self.apex_mm = self.length_mm * (self.end + anatomy.truncation)
        self._top = -anatomy.truncation - anatomy.base_tilt
        self._u = _midpoints(self._top, self.end)
        self._present = self._u[:, None] >= self.base_at(np.arange(len(ANGLES)), np.ones(1))
        self._step_mm = self.length_mm * (self._u[1] - self._u[0])
        self._rest_endo, self._rest_epi = self._at_rest(self._u)
        self._motion = self._mobility(self._u)
        self.contraction = self._solve_contraction()
        self.rv_width_mm = self._solve_rv_width()

    def base_mm(self, frame: int) -> float:
        """Where the base stands, ``z`` in mm: 0 at end-diastole, towards the apex later."""
        return float(self.apex_mm * (1 - self.stretch[frame]))

    @property
    def complete_from(self) -> float:
        """Least ``u`` at which the ring of the wall is closed, since the base is tilted."""
        return self.anatomy.base_tilt - self.anatomy.truncation

    def base_at(self, angle_index: NDArray[np.int64], outwards: NDArray[np.floating]) -> Array:
        """Where the tilted base lies: the least ``u`` that is ventricle, of the inputs' shape.

        Args:
            angle_index: Into ``ANGLES``.
            outwards: Distance from the axis as a share of the epicardium's; the right ventricle
                beyond it has its base at the height of the epicardium.
        """
        tilt = self.anatomy.base_tilt * np.cos(ANGLES - self.anatomy.base_tilt_angle)
        return np.asarray(tilt[angle_index] * np.minimum(outwards, 1) - self.anatomy.truncation)

    def material(self, z: Array, frame: int) -> Array:
        """Place ``u`` of what is at ``z``, of any shape."""
        return np.asarray(self.end - (self.apex_mm - z) / (self.length_mm * self.stretch[frame]))

    def radii(self, u: Array, frame: int) -> tuple[Array, Array, Array]:
        """Radii of endocardium, epicardium and RV free wall, as if the base were not tilted.

        Args:
            u: Material places along the long axis, ``[N]``.
            frame: Index of the frame.

        Returns:
            Three arrays in mm, ``[N, A]``, none smaller than the one before. Where there is no
            right ventricle its radius is the epicardium's; outside the heart all are 0.
        """
        rest_endo, rest_epi = self._at_rest(u)
        endo, epi = self._moved(rest_endo, rest_epi, self._mobility(u), frame)
        return endo, epi, epi + self.rv_width_mm[frame] * self._crescent(u)

    def _moved(self, endo: Array, epi: Array, mobility: Array, frame: int) -> tuple[Array, Array]:
        moved = endo * (1 - self.contraction[frame] * mobility)
        return moved, np.sqrt(moved**2 + (epi**2 - endo**2) / self.stretch[frame])

    def _at_rest(self, u: Array) -> tuple[Array, Array]:
        """Endocardium and epicardium at end-diastole, ``[N, A]`` in mm."""
        anatomy = self.anatomy
        u = u[:, None]
        inside = (u >= self._top) & (u <= self.end)
        endo = self.size_mm * outline(anatomy)
        bulge = anatomy.septal_extra_mm * window(ANGLES - 0.4, 1.4)
        wall = (anatomy.wall_mm + bulge) * (1 - thinning(anatomy.infarct, u))
        floor = np.where(u > 0, 1 - anatomy.apical, 1)
        inner = np.sqrt(np.clip(1 - (u / floor) ** 2, 0, None))
        outer = np.sqrt(np.clip(1 - (u / self.end) ** 2, 0, None))
        return inside * inner * endo, inside * outer * (endo + wall)

    def _mobility(self, u: Array) -> Array:
        """Share of the global contraction that each part takes, ``[N, A]``."""
        infarct = self.anatomy.infarct
        if infarct is None:
            return np.ones((len(u), len(ANGLES)))
        return 1 - infarct.akinesia * extent(infarct, u[:, None])

    def _crescent(self, u: Array) -> Array:
        """Width of the right ventricle per mm of its greatest, ``[N, A]``."""
        anatomy, looks = self.anatomy, self.anatomy.looks
        down = (u[:, None] + anatomy.truncation) / (anatomy.rv_reach + anatomy.truncation)
        inside = (u[:, None] >= self._top) & (down <= 1)
        down = np.clip(down, 0, 1)
        # Narrower at the tricuspid valve than a little below it.
        inflow = looks.rv_inflow + (1 - looks.rv_inflow) * np.clip(down / 0.2, 0, 1)
        narrowing = 1 - looks.rv_narrowing * down
        from_peak, peak = ANGLES - looks.rv_peak, looks.rv_peak
        ends = np.where(from_peak > 0, anatomy.rv_anterior - peak, anatomy.rv_inferior + peak)
        across = np.clip(np.abs(from_peak) / (ends * narrowing), 0, 1)
        wave = 1 + looks.rv_lobe * np.cos(3 * ANGLES + looks.rv_lobe_phase)
        wave += looks.rv_straight * (1 / np.cos(np.clip(from_peak, -STEEPEST, STEEPEST)) - 1)
        along = inflow * (1 - down**looks.rv_taper) ** 0.9
        return inside * along * wave * (1 - across**looks.rv_corner) ** looks.rv_round

    def _solve_contraction(self) -> Array:
        """How far the wall must move in each frame for the left ventricle to have its volume."""
        squares = self._rest_endo**2
        still, once, twice = (self._volume_ml(squares * self._motion**power) for power in range(3))
        missing = still - self.lv_ml / self.stretch
        return np.asarray((once - np.sqrt(once**2 - twice * missing)) / twice)

    def _solve_rv_width(self) -> Array:
        """Greatest width in each frame for the right ventricle to have its volume, in mm."""
        crescent = self._crescent(self._u)
        quadratic = self._volume_ml(crescent**2)
        widths = []
        for frame, volume in enumerate(self.rv_ml / self.stretch):
            _, epi = self._moved(self._rest_endo, self._rest_epi, self._motion, frame)
            linear = self._volume_ml(2 * epi * crescent)
            root = np.sqrt(linear**2 + 4 * quadratic * volume)
            widths.append((root - linear) / (2 * quadratic))
        return np.array(widths)

    def _volume_ml(self, squared_radii: Array) -> float:
        """Volume within radii known at all levels, had the axis its length at rest."""
        area = (squared_radii * self._present).sum() * np.pi / len(ANGLES)
        return float(area * self._step_mm / MM3_PER_ML)


def outline(anatomy: HeartAnatomy) -> Array:
    """Relative radius of the endocardium: an oval whose septum may be pushed in, ``[A]``."""
    oval = 1 + anatomy.oval * np.cos(2 * (ANGLES - anatomy.oval_angle))
    oval += anatomy.corner * np.cos(3 * (ANGLES - anatomy.corner_angle))
    return np.asarray(oval * (1 - anatomy.septal_flattening * window(ANGLES, 1.2)))


def window(angle: Array, half_width: float) -> Array:
    """1 in the middle of a sector, falling smoothly to 0 at its borders."""
    wrapped = np.abs((angle + np.pi) % (2 * np.pi) - np.pi)
    return np.asarray(np.cos(0.5 * np.pi * np.clip(wrapped / half_width, 0, 1)) ** 2)


def extent(infarct: Infarct, u: Array) -> Array:
    """How much each place ``u [N, 1]`` and angle belongs to the infarct, ``[N, A]`` in [0, 1]."""
    wrapped = np.abs((ANGLES - infarct.angle + np.pi) % (2 * np.pi) - np.pi)
    around = np.clip((infarct.half_width - wrapped) / 0.35, 0, 1)
    along = np.clip((u - infarct.start) / 0.2, 0, 1)
    smooth = around * along
    return np.asarray(smooth**2 * (3 - 2 * smooth))


def thinning(infarct: Infarct | None, u: Array) -> Array:
    """Share of the wall that is gone, ``[N, A]`` or 0 without an infarct."""
    return np.zeros(1) if infarct is None else infarct.thinning * extent(infarct, u)


def _midpoints(start: float, stop: float) -> Array:
    """Centres of ``LEVELS`` layers of equal thickness between two distances."""
    edges = np.linspace(start, stop, LEVELS + 1)
    return np.asarray(0.5 * (edges[1:] + edges[:-1]))


def _ellipsoid(anatomy: HeartAnatomy) -> tuple[float, float]:
    """Mean radius at the equator and distance from there to the apex that give the volume."""
    cut = anatomy.truncation
    # Volume of the truncated unit ellipsoid, over pi: integral of 1 - u^2 from -cut to 1, where
    # the part below the equator may be shorter.
    unit = 2 / 3 * (1 - anatomy.apical) + cut - cut**3 / 3
    unit *= float((outline(anatomy) ** 2).mean())
    length_per_radius = 2 * anatomy.elongation / (1 + cut)
    radius = (anatomy.lv_edv_ml * MM3_PER_ML / (np.pi * unit * length_per_radius)) ** (1 / 3)
    return radius, radius * length_per_radius
