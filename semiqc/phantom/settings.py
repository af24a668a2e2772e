"""Settings of the phantoms that teach: one data set, drawn as widely as its kind can be."""

from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field

from semiqc.images.sizes import LARGEST_MM, SMALLEST_MM
from semiqc.phantom.dataset import CONTENTS, PhantomRecipe
from semiqc.phantom.scanner import PROFILES
from semiqc.phantom.variety import RANDOM, USUAL
from semiqc.work.bounds import Count, SeedNumber, Size
from semiqc.work.sections import OneOf, Section


class PhantomSettings(Section):
    """How many phantoms teach, and what they are like."""

    scheme: Annotated[str, OneOf(CONTENTS)] = "short-axis"
    """Label scheme: one that a phantom exists for."""
    phantoms: Count = 1200
    """How many are drawn; those of the short axis are of no kind in particular."""
    frames: Size = 2
    """Of each phantom."""
    slices: Annotated[int, Field(ge=1, le=1024)] = 10
    """Of each phantom; the aorta has one."""
    size: Annotated[int, Field(ge=32, le=4096)] = 192
    """Rows and columns."""
    spacing: Annotated[float, Field(ge=SMALLEST_MM, le=LARGEST_MM)] = 1.5
    """In-plane, in mm."""
    artefacts: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Share of the phantoms with marked artefacts."""
    seed: SeedNumber = 0
    """Of the phantoms; a training has a seed of its own."""

    @property
    def recipe(self) -> PhantomRecipe:
        """What the phantoms have in common."""
        return PhantomRecipe(
            kind=self.scheme,
            size=self.size,
            slices=self.slices,
            frames=self.frames,
            profiles=tuple(PROFILES),
            artefacts=self.artefacts,
            variety=RANDOM if self.scheme == "short-axis" else USUAL,
            given_pixel_mm=self.spacing,
            seed=self.seed,
        )

    def described(self) -> dict[str, Any]:
        """What a card says of them."""
        recipe = asdict(self.recipe)
        # Phantoms that teach have their muscles in the cavity, and cards do not speak of it.
        del recipe["papillary"]
        return {"studies": self.phantoms, **recipe}
