"""What is true of a graded prediction: as it was stored, or worked out from the reference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qc.base import Graded, Quality
from qc.evaluation.agreement import NAN
from qc.frames import GradedFrame, graded_frames
from qc.graded.truth import error_map_dice, foreground_dice
from semiqc.measuring.means import means_of_known
from semiqc.schemes import UNLABELLED, LabelScheme

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrueQuality:
    """True qualities of one prediction, means over its frames that have a reference.

    Args:
        frames: These frames.
        dice: Of each structure, ``[S]``; NaN where it is unknown.
        nsd: Likewise, the normalised surface Dice.
        multi_class: Dice of all classes at once.
        multi_class_nsd: Normalised surface Dice of all classes at once; NaN where nobody asks.
    """

    frames: Sequence[GradedFrame]
    dice: Array
    nsd: Array
    multi_class: float
    multi_class_nsd: float

    @classmethod
    def of(cls, one: Graded, scheme: LabelScheme, *, with_nsd: bool) -> "TrueQuality":
        """What ``one`` brings along, and what it does not, worked out.

        Args:
            one: The graded prediction; it may have no reference at all.
            scheme: Whose structures are looked at.
            with_nsd: Whether to work out the surface Dice, which takes long; NaN where not.
        """
        frames = _frames(one)
        of_all = [frame.all_classes(scheme, with_nsd=with_nsd) for frame in frames]
        multi_class, multi_class_nsd = means_of_known(np.reshape(of_all, (-1, 2)))
        of_surfaces = frames if with_nsd or one.nsd is not None else []
        return cls(
            frames,
            _mean_over_frames([frame.dice(scheme) for frame in frames], scheme),
            _mean_over_frames([frame.nsd(scheme) for frame in of_surfaces], scheme),
            float(multi_class),
            float(multi_class_nsd),
        )

    def error_map_dice(self, quality: Quality, scheme: LabelScheme) -> Array:
        """Dice of an error map of each structure and the true errors, ``[S]``.

        NaN where no frame has a reference, or the quality has no error map.
        """
        known = [frame for frame in self.frames if frame.graded.reference is not None]
        shown = known if quality.error_maps else []
        return _mean_over_frames([_map_dice(quality, frame, scheme) for frame in shown], scheme)


def overall_dice(frames: Sequence[GradedFrame]) -> Array:
    """True Dice of what ``qc.base.OVERALL`` names, mean over the frames with a reference, ``[2]``.

    NaN where it is in neither segmentation, or no frame has a reference.
    """
    known = [frame for frame in frames if frame.graded.reference is not None]
    dice = [
        foreground_dice(frame.frame().labels, frame.reference(), inside=inside)
        for frame in known
        for inside in (False, True)
    ]
    return means_of_known(np.reshape(dice, (-1, 2)).astype(np.float64))


def _frames(one: Graded) -> list[GradedFrame]:
    """Those with a reference, of which there may be none."""
    try:
        return graded_frames([one])
    except ValueError:
        return []


def _mean_over_frames(of_frames: Sequence[Array], scheme: LabelScheme) -> Array:
    values = np.reshape(of_frames, (-1, len(scheme.structures))).astype(np.float64)
    return means_of_known(values)


def _map_dice(quality: Quality, frame: GradedFrame, scheme: LabelScheme) -> Array:
    """Of each structure in one frame, ``[S]``; NaN of those without an error map."""
    labels, reference = frame.frame().labels, frame.reference()
    found = np.full(len(scheme.structures), NAN)
    for column, structure in enumerate(scheme.structures):
        if structure.name in quality.error_maps:
            found[column] = error_map_dice(
                quality.error_maps[structure.name][frame.number],
                structure.mask(labels),
                structure.mask(reference),
                reference != UNLABELLED,
            )
    return found
