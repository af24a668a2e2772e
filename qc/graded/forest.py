"""Segmentations by a random forest of voxels whose trees are followed only to a certain depth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from qc.graded.source import Made, Source
from segmenters.forest import VoxelForest
from semiqc.study import Study
from semiqc.work.bounds import Count


@dataclass(frozen=True)
class ForestSource(Source):
    """One forest, trained to full depth; each depth at which its trees are cut segments anew.

    Reference:
        Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018, section 2:
        a forest of 350 trees and depth 40, used at depths 2, 4, 6, 8, 10, 15, 20, 24, 36 and 40.
        https://doi.org/10.1007/978-3-030-00937-3_66
        Ours: features and draw of voxels, see ``segmenters.forest``.

    Args:
        trees: Of the forest.
        depths: At which it is cut, the largest being the depth to which it is trained.
        voxels_per_frame: That it learns from, at most.
        min_samples_leaf: Voxels of a leaf, at least.
        n_jobs: Threads; -1 for one per core.
        seed: Of the draw and the forest.

    Raises:
        ValueError: If there are no depths, or one is negative.
    """

    trees: Count = 350
    depths: tuple[Count, ...] = (2, 4, 6, 8, 10, 15, 20, 24, 36, 40)
    voxels_per_frame: Count = 1_000
    min_samples_leaf: Count = 1
    n_jobs: Annotated[int, Interval(ge=-1, le=4096)] = -1
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.depths or min(self.depths) < 0:
            raise ValueError(f"depths must be at least one, each 0 or more, got {self.depths}")

    def make(self, train: Sequence[Study], judged: Sequence[Study]) -> Iterator[Made]:
        """See ``Source``.

        Raises:
            ValueError: If no study of ``train`` has a label, or modalities differ.
        """
        forest = VoxelForest(
            self.trees,
            self.depths,
            self.voxels_per_frame,
            self.min_samples_leaf,
            self.n_jobs,
            self.seed,
        ).fit(train)
        for study in judged:
            for frame in study.labelled_frames:
                segmented = forest.segment(study.image[:, frame], study.spacing)
                for depth, labels in zip(self.depths, segmented, strict=True):
                    yield Made(study, frame, labels, f"forest-depth{depth:02d}")
