"""Segmentations by segmenters that see only some of the modalities."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from qc.graded.models import default_training, segmented
from qc.graded.source import Made, Source
from segmenters import TrainingSettings, UNet
from semiqc.schemes import LabelScheme
from semiqc.study import Study, Voxels
from semiqc.work.bounds import Index, Size

OF_PAIRS = 4
PAIRS = ((0, 3), (1, 2))
"""T1 and FLAIR, T1c and T2, where modalities are T1, T1c, T2 and FLAIR."""


@dataclass(frozen=True)
class ModalitySubsets(Source):
    """A U-Net for each of some sets of modalities, which sees no other; for multi-modal studies.

    Each modality shows some tissues only, so the segmentations fail in ways of their own.

    Reference:
        Qiu et al., "QCResUNet: joint subject-level and voxel-level segmentation quality
        prediction", Medical Image Analysis 2025, section on data generation: networks trained on
        T1, T1c, T2, FLAIR, T1 and FLAIR, T1c and T2, and all four.
        Ours: MONAI's residual U-Net on slices.

    Args:
        scheme: Of the studies.
        subsets: Numbers of the modalities that are seen together; None for the paper's seven of
            four modalities (T1, T1c, T2 and FLAIR), and of others for each alone, and all.
        channels: Filters of each level of the U-Net.
        training: How it is trained; its ``seed`` does not count.
        seed: Of weights, batches and augmentation.
    """

    takes_scheme: ClassVar[bool] = True

    scheme: LabelScheme
    subsets: tuple[tuple[Index, ...], ...] | None = None
    channels: tuple[Size, ...] = (16, 32, 64, 128, 256)
    training: TrainingSettings = field(default_factory=default_training)
    seed: int = 0

    @property
    def training_steps(self) -> float:
        return float(self.training.steps)

    def with_training_steps(self, steps: int) -> Self:
        return replace(self, training=replace(self.training, steps=steps))

    def make(self, train: Sequence[Study], judged: Sequence[Study]) -> Iterator[Made]:
        """See ``Source``; nothing where the studies have only one modality.

        Raises:
            ValueError: If studies differ in their modalities, or lack one that is asked for.
        """
        modalities = {study.image.shape[0] for study in (*train, *judged)}
        if len(modalities) > 1:
            raise ValueError(f"studies must have the same modalities, got {sorted(modalities)}")
        if modalities <= {1}:
            return
        for subset in self._subsets(modalities.pop()):
            yield from self._of_subset(subset, train, judged)

    def _subsets(self, modalities: int) -> tuple[tuple[int, ...], ...]:
        everything = tuple(range(modalities))
        if self.subsets is None:
            pairs = PAIRS if modalities == OF_PAIRS else ()
            return (*((modality,) for modality in everything), *pairs, everything)
        for subset in self.subsets:
            if not subset or not set(subset) <= set(everything):
                raise ValueError(f"no such modalities: {subset}; known: 0 to {modalities - 1}")
        return self.subsets

    def _of_subset(
        self, subset: tuple[int, ...], train: Sequence[Study], judged: Sequence[Study]
    ) -> Iterator[Made]:
        segmenter = UNet(
            self.scheme,
            len(subset),
            channels=self.channels,
            training=replace(self.training, seed=self.seed),
        ).fit([replace(study, image=SomeModalities(study.image, subset)) for study in train])
        name = "modalities-" + "+".join(map(str, subset))
        yield from segmented(segmenter, judged, name, lambda _s, _f, image: image[list(subset)])


class SomeModalities:
    """An image of which only some modalities are seen; reads through, copies nothing.

    Args:
        image: ``[M, T, Z, Y, X]``.
        subset: Numbers of the modalities that are left.
    """

    def __init__(self, image: Voxels, subset: Sequence[int]) -> None:
        self.image = image
        self.subset = tuple(subset)
        self.shape = (len(self.subset), *image.shape[1:])
        self.ndim = image.ndim
        self.dtype = image.dtype

    def __getitem__(self, key: Any) -> NDArray[Any]:  # noqa: ANN401
        first, *rest = key if isinstance(key, tuple) else (key,)
        if first is Ellipsis:
            first, rest = slice(None), [Ellipsis, *rest]
        wanted = np.asarray(self.subset)[first]
        if np.ndim(wanted) == 0:
            found: NDArray[Any] = self.image[(int(wanted), *rest)]
            return found
        return np.stack([self.image[(int(modality), *rest)] for modality in wanted])
