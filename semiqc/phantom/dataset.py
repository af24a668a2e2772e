"""Whole data sets of phantoms, written to a store one study at a time.

The same seed gives the same studies, and study ``i`` does not depend on how many there are.
Groups follow one another in turn; profile and quality of the scan are drawn, whatever the group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypedDict

import numpy as np
from annotated_types import Interval

from semiqc.files.store.writer import StoreWriter
from semiqc.images.sizes import MOST_VOXELS
from semiqc.phantom.anatomy import GROUPS
from semiqc.phantom.aorta import aorta_study
from semiqc.phantom.draws import Uniform, study_seed
from semiqc.phantom.muscles import WITH_MUSCLES, Muscles, check_muscles
from semiqc.phantom.scanner import PROFILES, find_profile
from semiqc.phantom.short_axis import short_axis_study
from semiqc.phantom.tumour import MODALITIES, tumour_study
from semiqc.phantom.variety import RANDOM, USUAL, check_variety
from semiqc.schemes import (
    AORTA,
    SHORT_AXIS,
    TUMOUR,
    LabelScheme,
)
from semiqc.study import Study
from semiqc.work.bounds import SeedNumber, check_bounds
from semiqc.work.progress import Progress, untold

FIELD_OF_VIEW_MM = {"short-axis": 190.0, "aorta": 160.0, "tumour": 208.0}
"""Edge of the image of each kind of phantom."""

KINDS = tuple(FIELD_OF_VIEW_MM)
"""Kinds that a command may name."""

CONTENTS: dict[str, tuple[LabelScheme, tuple[str, ...]]] = {
    "short-axis": (SHORT_AXIS, ("cine",)),
    "aorta": (AORTA, ("cine",)),
    "tumour": (TUMOUR, MODALITIES),
}
"""Label scheme and modalities of each kind."""

SHORT_AXIS_FRAMES = 20
AORTA_FRAMES = 100
AORTA_SLICE_MM = 8.0
HEART_MM = 84.0
"""Length of a stack that shows most of a heart, whatever the number of slices."""

SLICE_DISTANCES_MM = (4.0, 14.0)

BRAIN_MM = 144.0
"""Length of a stack that shows a whole brain."""
THICKEST_BRAIN_SLICE_MM = 6.0

FINE_SEVERITY = 0.2
POOR_SEVERITY = (0.5, 1.0)


MOST_STUDIES = 10**6
"""Of a data set."""


def write_phantoms(
    path: Path,
    *,
    kind: str = "short-axis",
    studies: int = 40,
    seed: int = 0,
    size: int = 128,
    slices: int = 8,
    frames: int | None = None,
    profiles: Sequence[str] | None = None,
    artefacts: float = 0.25,
    variety: str = USUAL,
    pixel_mm: float | None = None,
    papillary: str = "cavity",
    overwrite: bool = False,
    on_progress: Progress = untold,
) -> None:
    """Write a store of phantoms, whole or not at all; one study stands in memory at a time.

    It raises what ``PhantomRecipe`` and its ``write`` do.

    Args:
        path: File to write.
        kind: ``"short-axis"``, ``"aorta"`` or ``"tumour"``.
        studies: How many.
        seed: Of the data set.
        size: Rows and columns.
        slices: Of a heart or a brain, over about its length; see ``docs/phantom.md``.
        frames: By default 20 in the short axis, 100 in the aorta; a brain is still.
        profiles: Of scanners to draw from; all where None.
        artefacts: Share of the studies with marked artefacts, in [0, 1]; the rest has slight ones.
        variety: ``"usual"``, or ``"random"`` to teach networks on; short-axis only.
        pixel_mm: In-plane spacing; by default ``FIELD_OF_VIEW_MM`` over the size.
        papillary: ``"cavity"``, ``"class"`` or ``"none"``, see ``semiqc.phantom.muscles``.
        overwrite: Replace a file that exists.
        on_progress: Told how many are written, and of how many, after each.
    """
    drawn = _known(profiles), artefacts, variety, pixel_mm, seed, check_muscles(papillary)
    write = PhantomRecipe(kind, size, slices, frames, *drawn).write
    write(path, range(studies), overwrite=overwrite, on_progress=on_progress)


def _check(kind: str, artefacts: float, variety: str) -> None:
    """Refuse what no data set can be made of.

    Raises:
        ValueError: Naming the argument.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of phantom '{kind}'; known: {', '.join(KINDS)}")
    check_variety(variety)
    if variety == RANDOM and kind != "short-axis":
        raise ValueError(f"variety '{RANDOM}' is for short-axis phantoms, not for kind '{kind}'")
    if not 0 <= artefacts <= 1:
        raise ValueError(f"share of studies with artefacts must lie in [0, 1], got {artefacts}")


def _known(profiles: Sequence[str] | None) -> tuple[str, ...]:
    """The profiles to draw from, each of which there is."""
    names = tuple(PROFILES if profiles is None else profiles)
    if not names:
        raise ValueError("phantoms need at least one scanner profile, got none")
    for name in names:
        find_profile(name)
    return names


class _Scan(TypedDict):
    """What every kind of phantom takes."""

    profile: str
    artefacts: float
    name: str
    size: int


class _Shape(TypedDict):
    """What every heart takes."""

    slices: int
    frames: int
    papillary: Muscles


@dataclass(frozen=True)
class PhantomRecipe:
    """What the studies of one data set have in common; see ``write_phantoms``.

    Raises:
        ValueError: If a name is unknown or a number out of range.
    """

    kind: str
    size: Annotated[int, Interval(ge=32, le=4096)]
    slices: Annotated[int, Interval(ge=1, le=1024)]
    frames: Annotated[int, Interval(ge=1, le=4096)] | None
    profiles: tuple[str, ...]
    artefacts: float
    variety: str
    given_pixel_mm: Annotated[float, Interval(ge=0.1, le=30)] | None
    seed: SeedNumber
    papillary: Muscles = "cavity"

    def __post_init__(self) -> None:
        check_bounds(self)
        voxels = (self.frames or 1) * self.slices * self.size**2
        if voxels > MOST_VOXELS:
            raise ValueError(
                f"a phantom of {voxels} voxels, expected {MOST_VOXELS} at most; make frames,"
                " slices or size smaller"
            )
        _check(self.kind, self.artefacts, self.variety)
        check_muscles(self.papillary, self.kind)

    def write(
        self,
        path: Path,
        numbers: range,
        *,
        overwrite: bool = False,
        on_progress: Progress = untold,
    ) -> None:
        """Write the studies of these numbers to a store.

        Raises:
            FileExistsError: If the file exists and may not be replaced.
            ValueError: If there are none.
        """
        # A length of more digits than a machine word has is none for Python.
        count = numbers.stop - numbers.start
        if count < 1:
            raise ValueError(f"studies must be at least 1, got {count}")
        if count > MOST_STUDIES:
            raise ValueError(f"studies must lie in [1, {MOST_STUDIES}], got {count}")
        scheme, modalities = CONTENTS[self.kind]
        scheme = WITH_MUSCLES if self.papillary == "class" else scheme
        with StoreWriter(path, scheme, modalities, overwrite=overwrite) as store:
            for done, number in enumerate(numbers, start=1):
                store.add(self.study(number))
                on_progress(done, len(numbers))

    def study(self, number: int) -> Study:
        """The study of that number, from 0."""
        seed = study_seed(self.seed, number)
        rng = np.random.default_rng([seed, number])
        scan: _Scan = {
            "profile": self.profiles[rng.integers(len(self.profiles))],
            "artefacts": self._severity(rng),
            "name": f"phantom-{number + 1:04d}",
            "size": self.size,
        }
        if self.kind == "aorta":
            return self._aorta(seed, scan)
        if self.kind == "tumour":
            return self._tumour(seed, scan)
        if self.variety == RANDOM:
            return self._random(seed, Uniform(0.75, 1.25).draw(rng), scan)
        return self._short_axis(seed, list(GROUPS)[number % len(GROUPS)], scan)

    def _severity(self, rng: np.random.Generator) -> float:
        """How strong the artefacts of one study are, in [0, 1]."""
        is_poor = rng.random() < self.artefacts
        return float(rng.uniform(*POOR_SEVERITY) if is_poor else rng.uniform(0, FINE_SEVERITY))

    def _spacing(self, slice_mm: float) -> tuple[float, float, float]:
        return slice_mm, self.pixel_mm, self.pixel_mm

    def _aorta(self, seed: int, scan: _Scan) -> Study:
        spacing = self._spacing(AORTA_SLICE_MM)
        return aorta_study(seed, frames=self.frames or AORTA_FRAMES, spacing=spacing, **scan)

    def _tumour(self, seed: int, scan: _Scan) -> Study:
        spacing = self._spacing(brain_slice_mm(self.slices, self.pixel_mm))
        return tumour_study(seed, slices=self.slices, spacing=spacing, **scan)

    def _short_axis(self, seed: int, group: str, scan: _Scan) -> Study:
        spacing = self._spacing(slice_distance_mm(self.slices))
        frames = self.frames or SHORT_AXIS_FRAMES
        shape: _Shape = {"slices": self.slices, "frames": frames, "papillary": self.papillary}
        return short_axis_study(seed, group=group, spacing=spacing, **shape, **scan)

    @property
    def pixel_mm(self) -> float:
        """In-plane spacing; where not given, the image shows the whole field of view."""
        return self.given_pixel_mm or round(FIELD_OF_VIEW_MM[self.kind] / self.size, 3)

    def _random(self, seed: int, stretch: float, scan: _Scan) -> Study:
        """A study of no kind in particular, whose slices lie further apart by that factor."""
        spacing = self._spacing(round(stretch * slice_distance_mm(self.slices), 1))
        frames = self.frames or SHORT_AXIS_FRAMES
        shape: _Shape = {"slices": self.slices, "frames": frames, "papillary": self.papillary}
        return short_axis_study(seed, spacing=spacing, variety=RANDOM, **shape, **scan)


def slice_distance_mm(slices: int) -> float:
    """Distance at which that many slices show most of a heart, as far as that is plausible."""
    return float(np.clip(round(HEART_MM / slices, 1), *SLICE_DISTANCES_MM))


def brain_slice_mm(slices: int, pixel_mm: float) -> float:
    """Distance at which that many slices show a brain, isotropic where they are enough."""
    apart = round(BRAIN_MM / slices, 1)
    return pixel_mm if apart <= pixel_mm else min(apart, THICKEST_BRAIN_SLICE_MM)
