"""What is reviewed: studies with segmentations, each read when it is looked at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from semiqc.schemes import LabelScheme
from semiqc.study import Voxels


@dataclass(frozen=True, eq=False)
class Material:
    """All that a page may show of a study.

    Args:
        image: Intensities, ``[M, T, Z, Y, X]``.
        labels: The segmentation that is judged, ``[T, Z, Y, X]``; ``UNLABELLED`` where there is
            none.
        spacing: Distance in mm between voxel centres, ordered ``(z, y, x)``.
        scheme: Of the labels.
        reference: An expert's labels, likewise, where some are known.
        heat: By title, what is to be laid over the image, ``[T, Z, Y, X]`` in [0, 1], such as
            uncertainty or an error map.
        slice_dice: Of each structure, the estimated Dice of slices ``[T, Z]``.
    """

    image: Voxels
    labels: Voxels
    spacing: tuple[float, float, float]
    scheme: LabelScheme
    reference: Voxels | None = None
    heat: Mapping[str, Voxels] = field(default_factory=dict)
    slice_dice: Mapping[str, Voxels] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """A study in the queue.

    Args:
        study: Its name.
        of: What tells its segmentation from another one of the same study.
        read: Gives what is shown.
        scores: What estimators say of the segmentation, by their name, in [0, 1].
        teaches: Whether an estimator learns from the verdict.
    """

    study: str
    of: str
    read: Callable[[], Material]
    scores: Mapping[str, float] = field(default_factory=dict)
    teaches: bool = False
