"""The sections that the settings of a run are made of, each checked by itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from loops.online.own_frames import FRAME_DECAY
from qc import ESTIMATORS
from segmenters import SEGMENTERS
from semiqc.images.sizes import LARGEST_MM, SMALLEST_MM
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.phantom import PROFILES
from semiqc.spoiling import SHARE, SPOILINGS
from semiqc.work.arguments import checked_arguments, unknown
from semiqc.work.bounds import SeedNumber
from semiqc.work.sections import OneOf, Section

ARGUMENTS = {"channels", "dropout", "normalisation", "standardise", "focus", "mirror"}
"""Settings of a segmenter that its constructor takes."""


Filters = Annotated[int, Field(ge=1, le=4096)]
"""Of one resolution level of a network."""


class PhantomSettings(Section):
    """Phantoms that are made where no data is named."""

    kind: Literal["short-axis", "aorta"] = "short-axis"
    """Beating heart in short axis, or cross-section of the ascending aorta."""
    studies: Annotated[int, Field(ge=1)] = 36
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
    labels: dict[int, int] = Field(default_factory=dict)
    """Value of the scheme of each label value of the files, where it is not as the layout says."""
    spacing: Annotated[float, Field(ge=SMALLEST_MM, le=LARGEST_MM)] | None = None
    """In-plane spacing in mm; the median of the data where not given."""
    subjects: Path | None = None
    """CSV with the columns study and subject, where names or headers tell subjects wrongly."""


class SplitSettings(Section):
    """How many subjects are used for what. The paper has 250 labelled, 1000 qc and 102 test."""

    labelled: Annotated[int, Field(ge=1)] = 4
    """Subjects whose labels train the segmenter of the few-label scenarios."""
    qc: Annotated[int, Field(ge=0)] = 8
    """Subjects to whose labels the estimators are fitted; with 0 by folds of the labelled ones."""
    validation: Annotated[int, Field(ge=0)] = 0
    """Subjects whose loss chooses the best checkpoint (``training.checkpoint``) and ends
    self-training when it rises."""
    test: Annotated[int, Field(ge=1)] = 12
    """Sealed subjects, looked at once, by the evaluation."""
    unlabelled: Annotated[int, Field(ge=0)] | None = None
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
    count: Annotated[int, Field(ge=1)] = 3
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
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of features dropped in training."""
    normalisation: Literal["batch", "instance"] | None = None
    """Of the features; what the network's authors have where not given."""
    standardise: bool = True
    """Whether each slice is brought to mean 0 and standard deviation 1 before the network."""
    members: Annotated[int, Field(ge=1)] = 3
    """Networks, alike but for the seed, that segment the unlabelled studies together: by their
    mean, and where they differ is uncertainty for the estimators. Each scenario's result is one
    network. Where ``samples`` or ``tta`` are asked for, 1 if not given."""
    samples: Annotated[int, Field(ge=0)] = 0
    """Samples of one network's dropout, which take the members' place."""
    tta: Annotated[int, Field(ge=0)] = 0
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

    @model_validator(mode="before")
    @classmethod
    def _one_member_has_samples(cls, given: Any) -> Any:  # noqa: ANN401
        if isinstance(given, Mapping) and (given.get("samples") or given.get("tta")):
            return {"members": 1, **given}
        return given


class Rung(Section):
    """One training of the ladder of segmenters that graded predictions come from."""

    name: str
    """Unique within the ladder."""
    labelled: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the labelled studies, at least one."""
    width: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the filters, at least two each."""
    steps: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the steps."""
    snapshots: tuple[Annotated[float, Field(gt=0, le=1)], ...] = (1.0,)
    """When a snapshot is taken, as shares of the rung's steps; 1 is its end."""

    @property
    def is_full_size(self) -> bool:
        """Whether it has all filters and steps."""
        return self.width == self.steps == 1

    @property
    def is_whole(self) -> bool:
        """Whether it holds nothing back: it is the first segmenter itself."""
        return self.labelled == 1 and self.is_full_size

    @property
    def reaches_end(self) -> bool:
        """Whether a snapshot is taken at its end."""
        return 1 in self.snapshots


class ReaderSettings(Section):
    """The simulated reader, who decides from the labelled frames."""

    min_dice: Annotated[float, Field(ge=0, lt=1)] = 0.7
    """Erroneous where the Dice of any structure is below."""
    max_ef_error: Annotated[float, Field(gt=0)] = 10.0
    """Erroneous where an ejection fraction is off by more, in percentage points."""
    min_share: Annotated[float, Field(ge=0, le=0.5)] = 0.3
    """Share of the predictions that must be found good, and as many erroneous. Where the bounds
    give fewer they are widened or narrowed, for a classifier cannot learn from one kind; 0 keeps
    them."""


class QcSettings(Section):
    """The quality estimators, and what they are fitted to."""

    estimators: Annotated[tuple[str, ...], OneOf(ESTIMATORS)] | None = None
    """Names in ``qc.ESTIMATORS``; all where not given, but those that need uncertainty maps are
    left out where there is one segmenter only."""
    reader: ReaderSettings = ReaderSettings()
    """Gives the verdicts where no file does."""
    verdicts: Path | None = None
    """CSV of a reader's verdicts on the first segmenter's predictions of the qc subjects."""
    ladder: tuple[Rung, ...] = (
        Rung(name="first", snapshots=(0.15, 0.25, 0.4, 0.6, 0.8, 1.0)),
        Rung(name="fewer", labelled=0.5, steps=0.5, snapshots=(0.3, 0.6, 1.0)),
        Rung(name="small", labelled=0.25, width=0.5, steps=0.5, snapshots=(0.3, 0.6, 1.0)),
    )
    """Trainings whose snapshots segment the qc subjects, well and badly. A rung with all labels,
    widths and steps is the first segmenter itself."""
    folds: Annotated[int, Field(ge=2)] = 4
    """Of the cross-fitting, where no subject is spared for qc."""
    arguments: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By estimator's name, arguments of its constructor that shall not be the defaults, such as
    ``{cnn: {steps: 1000}}``. Its docstring explains them."""

    @property
    def whole(self) -> list[Rung]:
        """Rungs that hold nothing back, those that go to their end first."""
        whole = [rung for rung in self.ladder if rung.is_whole]
        return sorted(whole, key=lambda rung: not rung.reaches_end)

    def check_ladder(self) -> None:
        """Make sure that there are rungs, each with a name of its own.

        Raises:
            ValueError: If not.
        """
        names = [rung.name for rung in self.ladder]
        if len(set(names)) != len(names):
            raise ValueError(f"qc.ladder: rungs share a name: {', '.join(names)}")
        if not names:
            raise ValueError("qc.ladder: needs at least one rung")

    @field_validator("arguments")
    @classmethod
    def _arguments_are_known(
        cls, arguments: dict[str, dict[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        check_known("qc.arguments", list(arguments), ESTIMATORS)
        for name, given in arguments.items():
            try:
                checked_arguments(ESTIMATORS[name], given)
            except ValueError as error:
                raise ValueError(f"{name}.{error}") from None
        return arguments


Grid = Literal["source", "study"]
"""Where a prediction is compared with its reference."""


class OnlineSettings(Section):
    """Trainings of online loops, which start from the first segmenter's weights."""

    steps: Annotated[int, Field(ge=1)] = 1200
    """Steps of the optimizer."""
    batch_size: Annotated[int, Field(ge=1)] = 12
    """Slices in a step, labelled and unlabelled ones together."""
    learning_rate: Annotated[float, Field(gt=0)] | None = 0.0005
    """Learning rate at the start, low since the training goes on from good weights; null takes
    that of ``training``."""
    refreshes: Annotated[int, Field(ge=1)] = 3
    """How often a gate's label bank is made: before the training, and then after stretches of
    equal length. A gate may have its own ``rounds``. Without a gate there is no such bank."""
    own_frames: Annotated[float, Field(ge=0)] | None = FRAME_DECAY
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
