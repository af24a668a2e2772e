"""How well the slices of a stack lie on one line, and the phases of a slice in one place.

Scanners that measure a position anew for each phase jitter by a tenth of a mm; who plans slices
may shift one aside. One affine tells the place of all, so that both are told and not mended.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from semiqc.exchange.readers.dicom.stack import CineStack, Slice

TOLD_MM = 0.05
"""From which on a difference in position is told."""


def unsteady(stack: CineStack) -> Iterator[str]:
    """What one affine does not tell of a stack, a line each."""
    jitter, aside = max(map(_jitter, stack.slices)), _aside(stack)
    if jitter > TOLD_MM:
        yield f"positions of one slice differ by up to {jitter:.2g} mm; the first phase's is taken"
    if aside > max(TOLD_MM, jitter):
        yield (
            f"slices are shifted in plane by up to {aside:.2g} mm against each other; they are"
            " taken as a straight stack"
        )


def _jitter(phases: Sequence[Slice]) -> float:
    """Largest distance in mm of a phase from the first of its slice."""
    places = np.array([piece.position for piece in phases])
    return float(np.linalg.norm(places - places[0], axis=1).max())


def _aside(stack: CineStack) -> float:
    """How far in plane a slice lies from the line through the first and the last, in mm."""
    places = np.array([phases[0].position for phases in stack.slices])
    share = np.linspace(0, 1, len(places))[:, None]
    off = places - (places[0] + share * (places[-1] - places[0]))
    along_row, along_column = np.reshape(stack.slices[0][0].orientation, (2, 3))
    return float(np.hypot(off @ along_row, off @ along_column).max())
