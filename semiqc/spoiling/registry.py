"""All kinds of spoiling by name."""

from semiqc.spoiling.base import Spoiling
from semiqc.spoiling.bottle import Bottle
from semiqc.spoiling.ghosts import Ghosts
from semiqc.spoiling.motion import Motion
from semiqc.spoiling.noise import Noise
from semiqc.spoiling.phantoms import AnotherPhantom, OtherAnatomy
from semiqc.spoiling.scanner import OtherScanner
from semiqc.spoiling.slices import DoubledSlices, LostSlices, ShiftedSlices, ShuffledSlices
from semiqc.spoiling.upside_down import UpsideDown
from semiqc.spoiling.view import OtherView

SPOILINGS: dict[str, type[Spoiling]] = {
    "motion": Motion,
    "ghosts": Ghosts,
    "lost": LostSlices,
    "doubled": DoubledSlices,
    "shuffled": ShuffledSlices,
    "shifted": ShiftedSlices,
    "view": OtherView,
    "anatomy": OtherAnatomy,
    "scanner": OtherScanner,
    "upside_down": UpsideDown,
    "noise": Noise,
    "phantom": AnotherPhantom,
    "bottle": Bottle,
}
"""Kinds that settings and commands may name."""
