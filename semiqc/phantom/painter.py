"""Paints a beating heart into the slices of a stack, with partial volume and a reference."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semiqc.phantom.anatomy import Papillary
from semiqc.phantom.draws import Uniform
from semiqc.phantom.great_vessels import great_vessels
from semiqc.phantom.grid import ShortAxisGrid
from semiqc.phantom.heart import ANGLES, BeatingHeart
from semiqc.phantom.muscles import (
    TRABECULAE_LEVELS,
    Muscles,
    angle_of,
    bulge,
    muscle_labels,
    trabeculae,
)
from semiqc.phantom.tissue import Image, Signals, coverage, texture


@dataclass(frozen=True, eq=False)
class Shares:
    """Share of each voxel within nested surfaces of the heart, ``[Z, Y, X]`` each.

    Args:
        compact: Within the trabeculae of the left ventricle.
        lv: Within its endocardium.
        epi: Within its epicardium.
        rv: Within the right ventricle too.
        wall: Within the right ventricle's wall too.
        fat: Within the epicardial fat too.
        papillary: That is papillary muscle, part of ``compact``.
        atria: That lies in planes of atria and great vessels.
    """

    compact: Image
    lv: Image
    epi: Image
    rv: Image
    wall: Image
    fat: Image
    papillary: Image
    atria: Image


class HeartPainter:
    """Paints one heart, frame by frame.

    Args:
        heart: What to paint.
        grid: Where.
        signals: Of the tissues.
        behind: The slices without the heart, ``[Z, Y, X]``.
        rng: Draws what varies from heart to heart below the level of anatomy.
        muscles: What becomes of papillary muscles and trabeculae.
    """

    def __init__(
        self,
        heart: BeatingHeart,
        grid: ShortAxisGrid,
        signals: Signals,
        behind: Image,
        rng: np.random.Generator,
        muscles: Muscles = "cavity",
    ) -> None:
        self.heart = heart
        self.muscles = muscles
        self.signals = signals
        self.behind = behind
        self._region = _around(heart, grid)
        self.grid = grid.within(self._region)
        shape = (len(grid.z), *self.grid.x.shape)
        swirl, fine = 7 / grid.pixel_mm, 1.5 / grid.pixel_mm
        self._swirls = [texture(rng, shape, (0.8, swirl, swirl)) for _ in range(2)]
        self._grain = texture(rng, shape, (0.3, fine, fine))
        self._roughness = trabeculae(rng)
        self._fat = texture(rng, (TRABECULAE_LEVELS, len(ANGLES)), (2.5, 20.0))
        self._drift = Uniform(0.5, 3.5).draw(rng) * _direction(rng)
        self._rv_blood = signals.blood * Uniform(*heart.anatomy.looks.rv_blood).draw(rng)
        coarse = 2.4 / grid.pixel_mm
        self._strands = texture(rng, shape, (0.5, coarse, coarse))
        self._atria = self._above_base(behind[(slice(None), *self._region)], rng)

    def paint(self, frame: int) -> tuple[Image, NDArray[np.int8]]:
        """One frame: signal, ``[Z, Y, X]`` float32, and labels, likewise, int8.

        A voxel has the label of ``semiqc.study.SHORT_AXIS`` that fills most of it, or is muscle
        where that is a class of its own.
        """
        shares = self._shares(frame)
        signal = self.behind.copy()
        region = (slice(None), *self._region)
        signal[region] *= 1 - shares.atria - shares.fat
        signal[region] += shares.atria * self._atria + self._tissues(shares, frame)
        labels = np.zeros(signal.shape, dtype=np.int8)
        classes = (1 - shares.rv, shares.rv - shares.epi, shares.epi - shares.lv, shares.lv)
        labels[region] = np.argmax(classes, axis=0)
        if self.muscles == "class":
            muscle = shares.papillary + shares.lv - shares.compact
            labels[region] = muscle_labels(labels[region], muscle, shares.lv)
        return signal, labels

    def _above_base(self, behind: Image, rng: np.random.Generator) -> Image:
        """The slices as they are above the base, ``[Z, Y, X]``."""
        index, distance = self._polar(self._centre(0))
        outer = self._shells(np.full(len(distance), self.heart.complete_from), 0)[-1]
        bed = outer.ravel().take(index) - distance
        swirl = np.asarray(1 + 0.08 * self._swirls[0] + 0.03 * self._grain, dtype=np.float32)
        blood = (self.signals.blood * swirl, np.float32(self._rv_blood) * swirl)
        sizes_mm = (self.heart.size_mm, float(outer.max()))
        spread = self.heart.anatomy.looks.vessels
        return great_vessels(behind, bed, self.grid, sizes_mm, self.signals, blood, rng, spread)

    def _shares(self, frame: int) -> Shares:
        """Partial volume of every surface, averaged over the planes of each slice."""
        grid = self.grid
        centre = self._centre(frame)
        angle_index, distance = self._polar(centre)
        u = self.heart.material(grid.z, frame)
        nested = np.zeros((6, *distance.shape), dtype=np.float32)
        papillary, atria = np.zeros_like(distance), np.zeros_like(distance)
        planes = u.shape[1]
        for places in u.T:
            shells = self._shells(places, frame)
            within = np.stack(
                [
                    coverage(shell.ravel().take(angle_index) - distance, grid.pixel_mm)
                    for shell in shells
                ]
            )
            within *= self._is_below_base(places, shells[2], angle_index, distance)
            nested += within / planes
            papillary += self._papillaries(places, shells[1], centre, frame) / planes
            is_open = (places < self.heart.complete_from)[:, None, None]
            atria += is_open * (1 - within[-1]) / planes
        compact, lv, epi, rv, wall, fat = nested
        papillary = np.minimum(papillary, compact)
        if self.muscles == "none":
            compact, papillary = lv, np.zeros_like(papillary)
        return Shares(compact, lv, epi, rv, wall, fat, papillary, atria)

    def _is_below_base(
        self,
        u: NDArray[np.float64],
        epi: Image,
        angle_index: NDArray[np.int64],
        distance: Image,
    ) -> NDArray[np.bool_]:
        """Whether each voxel of one plane per slice may be ventricle, ``[Z, Y, X]``."""
        below = np.ones(distance.shape, dtype=bool)
        # Only few slices ever meet the base, and the rest need not be looked at.
        for plane in np.flatnonzero(u < self.heart.complete_from):
            angle = angle_index[plane] % len(ANGLES)
            outwards = distance[plane] / np.maximum(epi[plane], 1)[angle]
            below[plane] = u[plane] >= self.heart.base_at(angle, outwards)
        return below

    def _centre(self, frame: int) -> NDArray[np.float32]:
        """Of the heart in each slice, ``[Z, 2]`` mm: it is drawn aside as it contracts."""
        drift = self._drift * (1 - self.heart.filling[frame])
        return np.asarray(self.grid.centre + drift, dtype=np.float32)

    def _polar(self, centre: NDArray[np.float32]) -> tuple[NDArray[np.int64], Image]:
        """Of each voxel its entry in a flat table ``[Z, A]``, and its distance from the axis."""
        x = self.grid.x - centre[:, 0, None, None]
        y = self.grid.y - centre[:, 1, None, None]
        # Mid septum lies at -x, anterior at -y.
        turn = np.arctan2(-y, -x) / np.float32(2 * np.pi) + np.float32(0.5)
        index = np.rint(turn * len(ANGLES)).astype(np.int64) % len(ANGLES)
        index += np.arange(len(centre))[:, None, None] * len(ANGLES)
        return index, np.asarray(np.hypot(x, y), dtype=np.float32)

    def _shells(self, u: NDArray[np.float64], frame: int) -> list[Image]:
        """Radii ``[Z, A]`` in mm of the nested surfaces, in the order of ``Shares``."""
        endo, epi, rv = self.heart.radii(u, frame)
        level = np.clip((u + 0.5) / 1.6 * TRABECULAE_LEVELS, 0, TRABECULAE_LEVELS - 1).astype(int)
        looks = self.heart.anatomy.looks
        depth = self.heart.anatomy.trabeculation * (1 + np.clip(u, 0, 1))[:, None]
        compact = endo * (1 - np.clip(depth * self._roughness[level], 0, 0.6))
        wall = rv + looks.rv_wall_mm * np.clip((rv - epi) / 2, 0, 1)
        groove = 3.5 * np.clip(-u / 0.3, 0, 1)[:, None]
        apex = np.clip((self.heart.end - u) / 0.1, 0, 1)[:, None]
        fat = wall + apex * np.clip(
            groove + looks.fat_mm + looks.fat_rough_mm * self._fat[level], 0, looks.fat_most_mm
        )
        shells = [shell.astype(np.float32) for shell in (compact, endo, epi, rv, wall, fat)]
        for shell in shells:
            # Far below 0, so that not even the voxel on the axis lies half inside.
            shell[wall <= 0] = -1e3
        return shells

    def _tissues(self, shares: Shares, frame: int) -> Image:
        """Signal of the heart's tissues, each in its share of the voxels, ``[Z, Y, X]``."""
        signals, grain = self.signals, self._grain
        swirl = self._swirl(frame)
        blood, rv_blood = self._blood(swirl, frame)
        looks = self.heart.anatomy.looks
        myocardium = signals.myocardium * (1 + 0.12 * looks.grain * grain + 0.06 * swirl)
        trabeculae = 0.35 * blood + 0.65 * myocardium
        heart = (shares.compact - shares.papillary) * blood
        heart += (shares.papillary + shares.epi - shares.lv) * myocardium
        heart += (shares.lv - shares.compact) * trabeculae
        heart += (shares.rv - shares.epi) * rv_blood
        heart += (shares.wall - shares.rv) * signals.myocardium
        heart += (shares.fat - shares.wall) * (looks.rim * signals.fat)
        return np.asarray(heart, dtype=np.float32)

    def _swirl(self, frame: int) -> Image:
        """How blood is mixed in a frame, ``[Z, Y, X]``: smooth in time, of mean 0."""
        phase = 2 * np.pi * frame / len(self.heart.filling)
        swirl = np.float32(np.cos(phase)) * self._swirls[0]
        swirl += np.float32(np.sin(phase)) * self._swirls[1]
        return swirl

    def _blood(
        self, swirl: Image, frame: int
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Signal of the blood in the left and the right ventricle, ``[Z, Y, X]`` each."""
        signals, grain, filling = self.signals, self._grain, self.heart.filling
        speed = len(filling) * abs(float(filling[frame] - filling[frame - 1]))
        looks = self.heart.anatomy.looks
        flow, grain = looks.mixing * swirl, looks.mixing * grain
        blood = signals.blood * (1 + (0.08 + 0.015 * speed) * flow + 0.04 * grain)
        rv_blood = self._rv_blood * (1 + 0.09 * flow + 0.05 * grain)
        # Strands of muscle cross the right ventricle.
        strands = np.clip(looks.strands * (self._strands - looks.strand_level), 0, 1)
        rv_blood += strands * (signals.myocardium - rv_blood)
        return blood, rv_blood

    def _papillaries(
        self,
        u: NDArray[np.float64],
        endo: Image,
        centre: NDArray[np.float32],
        frame: int,
    ) -> Image:
        """Share of each voxel of one plane per slice that is papillary muscle, ``[Z, Y, X]``."""
        share = np.zeros((len(u), *self.grid.x.shape), dtype=np.float32)
        for papillary in self.heart.anatomy.papillaries:
            radius, x, y = self._papillary_axis(papillary, u, endo, centre, frame)
            for plane in np.flatnonzero(radius > 0):
                inside = radius[plane] - self._from_papillary(papillary, x[plane], y[plane])
                inside = inside + 1.4 * self._strands[plane]
                share[plane] += coverage(inside, self.grid.pixel_mm)
        return share

    def _papillary_axis(
        self,
        papillary: Papillary,
        u: NDArray[np.float64],
        endo: Image,
        centre: NDArray[np.float32],
        frame: int,
    ) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
        """Radius of a muscle in each slice, and ``x`` and ``y`` of its axis there, in mm."""
        along = (u - papillary.start) / (papillary.end - papillary.start)
        reach = endo[:, angle_of(papillary)]
        radius = papillary.radius_mm * bulge(along) / np.sqrt(self.heart.stretch[frame])
        radius = np.minimum(radius, 0.42 * reach)
        # It hangs free at the valve's end and grows out of the wall towards the apex.
        place = reach - radius * (1.55 - 0.75 * np.clip(along, 0, 1))
        x = centre[:, 0] - place * np.cos(papillary.angle)
        y = centre[:, 1] - place * np.sin(papillary.angle)
        return radius, x, y

    def _from_papillary(self, papillary: Papillary, x: float, y: float) -> Image:
        """Distance of each pixel from a muscle's axis in mm, across it stretched, ``[Y, X]``."""
        cosine, sine = np.cos(papillary.angle), np.sin(papillary.angle)
        right, down = self.grid.x - x, self.grid.y - y
        inward = cosine * right + sine * down
        across = (cosine * down - sine * right) * papillary.breadth
        return np.asarray(np.hypot(inward, across))


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    """A random unit vector in the plane, ``(x, y)``."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _around(heart: BeatingHeart, grid: ShortAxisGrid) -> tuple[slice, slice]:
    """Rows and columns that the heart and its great vessels may touch."""
    u = np.linspace(heart.complete_from, heart.end, 20)
    radius = heart.radii(u, 0)[2].max(axis=0)
    margin = 22 + float(np.abs(grid.centre).max())
    left = max(float((radius * np.cos(ANGLES)).max()), 2.6 * heart.size_mm) + margin
    right = float((-radius * np.cos(ANGLES)).max()) + margin
    up = max(float((radius * np.sin(ANGLES)).max()), 1.8 * heart.size_mm) + margin
    down = max(float((-radius * np.sin(ANGLES)).max()), 1.9 * heart.size_mm) + margin
    inside = (grid.x > -left) & (grid.x < right) & (grid.y > -up) & (grid.y < down)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
