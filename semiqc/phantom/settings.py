"""What a data set of phantoms is made of, with every default."""

from dataclasses import dataclass
from typing import Annotated, Literal, get_args

from annotated_types import Ge

from semiqc.work.bounds import Count, Share

Kind = Literal["short-axis", "aorta", "tumour"]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of phantoms that a command may name."""

FRAMES: dict[Kind, int] = {"short-axis": 12, "aorta": 100, "tumour": 1}
"""Of each kind, where nothing else is asked for."""


@dataclass(frozen=True)
class PhantomSettings:
    """Phantoms that are made.

    Args:
        kind: Beating heart in short axis (short-axis), cross-section of the ascending aorta
            (aorta), or brain with a tumour in four modalities (tumour).
        studies: Number of studies.
        seed: Of the phantoms; study i is the same however many are asked for.
        size: Rows and columns.
        slices: Of a heart or a brain; the aorta has one.
        frames: Of the cardiac cycle; by default 12 of the heart and 100 of the aorta. A brain has
            one.
        artefacts: Share of the studies with marked artefacts by motion, ghosts and
            misregistration, in [0, 1]; the rest has slight ones.
        profiles: Scanner profiles to draw from; all of ``semiqc.phantom.PROFILES`` where not
            given.
    """

    kind: Kind = "short-axis"
    studies: Count = 36
    seed: int = 0
    size: Annotated[int, Ge(32)] = 96
    slices: Count = 6
    frames: Count | None = None
    artefacts: Share = 0.3
    profiles: tuple[str, ...] | None = None


PHANTOMS = PhantomSettings()
"""The defaults."""
