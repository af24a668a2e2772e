"""The sections that the settings of a run are made of, each checked by itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from loops.online.own_frames import FRAME_DECAY
from qc import QualityEstimator
from segmenters import SEGMENTERS, TrainingSettings
from semiqc.images.sizes import LARGEST_MM, SMALLEST_MM
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.phantom import PROFILES
from semiqc.spoiling import SHARE, SPOILINGS
from semiqc.work.arguments import unknown
from semiqc.work.bounds import (
    Amount,
    Count,
    LabelValue,
    Number,
    OpenShare,
    Rate,
    Rounds,
    Samples,
    SeedNumber,
    Size,
    Steps,
)
from semiqc.work.sections import OneOf, Section

ARGUMENTS = {"channels", "dropout", "normalisation", "standardise", "focus", "mirror"}
"""Settings of a segmenter that its constructor takes."""


Filters = Annotated[int, Field(ge=1, le=4096)]
"""Of one resolution level of a network."""


class PhantomSettings(Section):
    """Phantoms that are made where no data is named."""

    kind: Literal["short-axis", "aorta"] = "short-axis"
    """Beating heart in short axis, or cross-section of the ascending aorta."""
    studies: Count = 36
    """How many."""
    seed: SeedNumber = 0
    """Of the phantoms; study i is the same however many are asked for."""
    size: Annotated[int, Field(ge=32, le=4096)] = 96
    """Rows and columns."""
    slices: Annotated[int, Field(ge=1, le=1024)] = 6
    """Slices; the aorta has one."""
    frames: Annotated[int, Field(ge=1, le=4096)] = 12
    """Frames of the cardiac cycle."""
    artefacts: Annotated[float, Field(ge=0, le=1)] = 0.3
    """How often and how badly images are spoilt by motion, ghosts and misregistration."""
    profiles: Annotated[tuple[str, ...], OneOf(PROFILES)] | None = None
    """Scanner profiles to draw from; all of ``semiqc.phantom.PROFILES`` where not given."""


class ImportSettings(Section):
    """How ``data`` is imported where it is a folder or manifest and not a store."""

    layout: str = "auto"
    """Layout of the folder; see ``semiqc import --help``."""
    scheme: str | None = None
    """Label scheme: a known name, or a YAML file with classes and structures."""
    labels: dict[LabelValue, LabelValue] = Field(default_factory=dict)
    """Value of the scheme of each label value of the files, where it is not as the layout says."""
    spacing: Annotated[float, Field(ge=SMALLEST_MM, le=LARGEST_MM)] | None = None
    """In-plane spacing in mm; the median of the data where not given."""
    subjects: Path | None = None
    """CSV with the columns study and subject, where names or headers tell subjects wrongly."""


class SplitSettings(Section):
    """How many subjects are used for what. The paper has 250 labelled, 1000 qc and 102 test."""

    labelled: Count = 4
    """Subjects whose labels train the segmenter of the few-label scenarios."""
    qc: Number = 8
    """Subjects to whose labels the estimators are fitted; with 0 by folds of the labelled ones."""
    validation: Number = 0
    """Subjects whose loss chooses the best checkpoint (``training.checkpoint``) and ends
    self-training when it rises."""
    test: Count = 12
    """Sealed subjects, looked at once, by the evaluation."""
    unlabelled: Number | None = None
    """Subjects treated as unlabelled; all others where not given. Labels that they may have
    train the full scenario and tell the true quality of what was admitted, nothing else."""
    seed: SeedNumber = 0
    """Of the draw. It stays as it is when ``seeds`` change, so that they share the test set."""
    file: Path | None = None
    """CSV of study and role, or nnU-Net's splits_final.json (first fold), in place of a draw."""


class DirtySettings(Section):
    """A dirty pool: unlabelled studies spoilt as in an archive (docs/dirty.md).

    Labels that the data set has for them move with their voxels, and are background where nothing
    of the organ is left.
    """

    share: Annotated[float, Field(ge=0, le=1)] = SHARE
    """Of the unlabelled studies, how many are spoilt; 0 for none."""
    kinds: Annotated[tuple[str, ...], OneOf(SPOILINGS), Field(min_length=1)] = tuple(SPOILINGS)
    """How; each as often, as far as the studies allow."""
    seed: SeedNumber = 0
    """Of the choice and of what is drawn. It stays as it is when ``seeds`` change."""


class FramesSettings(Section):
    """Which labelled frames of a study train segmenter and estimators; evaluation uses all."""

    use: Literal["all", "extremes", "random"] = "all"
    """All labelled frames; those of largest and smallest volume or area (ED and ES); or random
    ones."""
    count: Count = 3
    """How many with ``random``; the paper has 3 for the aorta."""


class SegmenterSettings(Section):
    """The network."""

    kind: Annotated[str, OneOf(SEGMENTERS)] = "plain_unet"
    """A name in ``segmenters.SEGMENTERS``."""
    channels: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=2)] = (
        16,
        32,
        64,
        128,
        256,
    )
    """Filters of each resolution level."""
    dropout: OpenShare = 0.0
    """Share of features dropped in training."""
    normalisation: Literal["batch", "instance"] | None = None
    """Of the features; what the network's authors have where not given."""
    standardise: bool = True
    """Whether each slice is brought to mean 0 and standard deviation 1 before the network."""
    members: Annotated[int, Field(ge=1, le=100)] = 3
    """Networks, alike but for the seed, that segment the unlabelled studies together: by their
    mean, and where they differ is uncertainty for the estimators. Each scenario's result is one
    network. Where ``samples`` or ``tta`` are asked for, 1 if not given."""
    samples: Samples = 0
    """Samples of one network's dropout, which take the members' place."""
    tta: Samples = 0
    """Likewise: test-time augmentations of the image, turned, shifted and recoloured."""
    focus: bool = True
    """Find the structures on whole slices first, and segment them in what lies around; where
    slices are larger than ``training.patch``."""
    mirror: bool = True
    """Predict by the mean over the image and its mirror images, along the axes that the label
    scheme allows."""
    clean: bool = True
    """Keep only the largest connected component of each class."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Of the constructor of the segmenter's class, beside its training."""
        return self.model_dump(include=ARGUMENTS)

    @property
    def has_uncertainty(self) -> bool:
        """Whether predictions carry the uncertainty of several segmenters, or of one's samples."""
        return self.members > 1 or self.samples > 0 or self.tta > 0

    def check(self, training: TrainingSettings) -> None:
        """Make sure that the network can do what is asked of it.

        Args:
            training: How it is trained.

        Raises:
            ValueError: If not.
        """
        self._check_uncertainty()
        if training.deep_supervision and not SEGMENTERS[self.kind].coarse_filters(self.channels):
            raise ValueError(
                "training.deep_supervision: needs segmenter.kind plain_unet and at least four"
                f" segmenter.channels, got {self.kind} and {len(self.channels)}"
            )

    def _check_uncertainty(self) -> None:
        """Make sure that uncertainty comes from one source at most."""
        if self.samples and (self.samples < 2 or not self.dropout):
            raise ValueError("segmenter.samples: needs at least 2, and segmenter.dropout above 0")
        several = (self.members > 1, self.samples > 0, self.tta > 0)
        if sum(several) > 1 or self.tta == 1:
            raise ValueError(
                "segmenter: uncertainty comes from members, from samples or from tta (at least 2),"
                " not from more than one of these"
            )

    def check_has_uncertainty(self, kinds: Mapping[str, type[QualityEstimator]]) -> None:
        """Make sure that there are uncertainty maps where an estimator needs them.

        Args:
            kinds: Classes of the estimators by name.

        Raises:
            ValueError: Naming the estimator.
        """
        blind = [name for name, kind in kinds.items() if kind.needs_uncertainty]
        if blind and not self.has_uncertainty:
            raise ValueError(
                f"qc.estimators: {blind[0]} needs uncertainty maps; set segmenter.members,"
                " segmenter.samples or segmenter.tta"
            )

    @model_validator(mode="before")
    @classmethod
    def _one_member_has_samples(cls, given: Any) -> Any:  # noqa: ANN401
        if isinstance(given, Mapping) and (given.get("samples") or given.get("tta")):
            return {"members": 1, **given}
        return given


Grid = Literal["source", "study"]
"""Where a prediction is compared with its reference."""


class OnlineSettings(Section):
    """Trainings of online loops, which start from the first segmenter's weights."""

    steps: Steps = 1200
    """Steps of the optimizer."""
    batch_size: Size = 12
    """Slices in a step, labelled and unlabelled ones together."""
    learning_rate: Rate | None = 0.0005
    """Learning rate at the start, low since the training goes on from good weights; null takes
    that of ``training``."""
    refreshes: Rounds = 3
    """How often a gate's label bank is made: before the training, and then after stretches of
    equal length. A gate may have its own ``rounds``. Without a gate there is no such bank."""
    own_frames: Amount | None = FRAME_DECAY
    """Whether unlabelled frames of the labelled studies are learned from too: the rate at which
    their weight falls with their distance from a labelled frame, ``exp(-rate * frames)``; null
    leaves them out."""


class EvaluationSettings(Section):
    """How the test studies are judged."""

    grid: Grid = "source"
    """``source``: on the grid that the labels were drawn on, where the store keeps them so, with
    predictions brought back to it; ``study``: on the grid that the segmenters work on."""
    nsd_tolerance_mm: Annotated[float, Field(gt=0, le=LARGEST_MM)] = NSD_TOLERANCE_MM
    """Distance that the normalised surface Dice forgives."""


def check_known(
    setting: str, names: Sequence[str], known: Mapping[str, Any] | Sequence[str]
) -> None:
    """Make sure that names in a setting are known.

    Raises:
        ValueError: With the likeliest meant, if one is not.
    """
    for name in names:
        if name not in known:
            raise ValueError(f"{setting}: {unknown(name, list(known))}")
