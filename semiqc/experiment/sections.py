"""The sections that the settings of a run are made of, each checked by itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from qc import CONSENSUS, ESTIMATORS
from semiqc.experiment.scenarios import RULE_TITLES, GrainName, RepairName, Rule
from semiqc.work.arguments import checked_arguments, unknown


class Section(BaseModel):
    """A part of the settings; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PhantomSettings(Section):
    """Phantoms that are made where no data is named."""

    kind: Literal["short-axis", "aorta"] = "short-axis"
    """Beating heart in short axis, or cross-section of the ascending aorta."""
    studies: Annotated[int, Field(ge=1)] = 36
    """How many."""
    seed: int = 0
    """Of the phantoms; study i is the same however many are asked for."""
    size: Annotated[int, Field(ge=32)] = 96
    """Rows and columns."""
    slices: Annotated[int, Field(ge=1)] = 6
    """Slices; the aorta has one."""
    frames: Annotated[int, Field(ge=1)] = 12
    """Frames of the cardiac cycle."""
    artefacts: Annotated[float, Field(ge=0, le=1)] = 0.3
    """How often and how badly images are spoilt by motion, ghosts and misregistration."""
    profiles: tuple[str, ...] | None = None
    """Scanner profiles to draw from; all of ``semiqc.phantom.PROFILES`` where not given."""


class ImportSettings(Section):
    """How ``data`` is imported where it is a folder or manifest and not a store."""

    layout: str = "auto"
    """Layout of the folder; see ``semiqc import --help``."""
    scheme: str | None = None
    """Label scheme: a known name, or a YAML file with classes and structures."""
    spacing: Annotated[float, Field(gt=0)] | None = None
    """In-plane spacing in mm; the median of the data where not given."""


class SplitSettings(Section):
    """How many subjects are used for what. The paper has 250 labelled, 1000 qc and 102 test."""

    labelled: Annotated[int, Field(ge=1)] = 4
    """Subjects whose labels train the segmenter of the few-label scenarios."""
    qc: Annotated[int, Field(ge=0)] = 8
    """Subjects whose labels teach the quality estimators. With 0 the estimators are taught by
    cross-fitting over the labelled subjects."""
    validation: Annotated[int, Field(ge=0)] = 0
    """Subjects whose loss chooses the best checkpoint (``training.checkpoint``) and ends
    self-training when it rises."""
    test: Annotated[int, Field(ge=1)] = 12
    """Sealed subjects, looked at once, by the evaluation."""
    unlabelled: Annotated[int, Field(ge=0)] | None = None
    """Subjects treated as unlabelled; all others where not given. Labels that they may have
    train the full scenario and tell the true quality of what was admitted, nothing else."""
    seed: int = 0
    """Of the draw. It stays as it is when ``seeds`` change, so that they share the test set."""
    file: Path | None = None
    """CSV with the columns study and role, in place of a draw."""


class FramesSettings(Section):
    """Which labelled frames of a study train and teach; evaluation uses all there are."""

    use: Literal["all", "extremes", "random"] = "all"
    """All labelled frames; those of largest and smallest volume or area (ED and ES); or random
    ones."""
    count: Annotated[int, Field(ge=1)] = 3
    """How many with ``random``; the paper has 3 for the aorta."""


class SegmenterSettings(Section):
    """The network."""

    kind: str = "unet"
    """A name in ``segmenters.SEGMENTERS``."""
    channels: tuple[Annotated[int, Field(ge=1)], ...] = (16, 32, 64, 128, 256)
    """Filters of each resolution level."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of features dropped in training."""
    members: Annotated[int, Field(ge=1)] = 3
    """Networks, alike but for the seed, that segment the unlabelled studies together: by their
    mean, and where they differ is uncertainty for the estimators. Each scenario's result is one
    network. Where samples or views are asked for, 1 if not given."""
    samples: Annotated[int, Field(ge=0)] = 0
    """Samples of one network's dropout, which take the members' place."""
    views: Annotated[int, Field(ge=0)] = 0
    """Likewise: views of the image, turned, shifted and recoloured (test-time augmentation)."""
    clean: bool = False
    """Keep only the largest connected component of each class."""

    @model_validator(mode="before")
    @classmethod
    def _one_member_has_samples(cls, given: Any) -> Any:  # noqa: ANN401
        if isinstance(given, Mapping) and (given.get("samples") or given.get("views")):
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
    """Who judges, and what they learn from."""

    estimators: tuple[str, ...] | None = None
    """Names in ``qc.ESTIMATORS``; all where not given, but that those who go by several opinions
    are left out where there is one segmenter only."""
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
    arguments: dict[str, dict[str, Any]] = {}
    """By estimator's name, arguments of its constructor that shall not be the defaults, such as
    ``{cnn: {steps: 1000}}``. Its docstring explains them."""

    @property
    def whole(self) -> list[Rung]:
        """Rungs that hold nothing back, those that go to their end first."""
        whole = [rung for rung in self.ladder if rung.is_whole]
        return sorted(whole, key=lambda rung: not rung.reaches_end)

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


class GateSettings(Section):
    """Which of the judged studies become pseudo-labels, and which of their voxels."""

    by: str = CONSENSUS
    """The estimator whose score decides, or ``consensus`` of all."""
    rule: Rule = "best"
    """The ``k`` best; all from a score upwards (``threshold``); the best share (``fraction``);
    all, drawn the more often the better (``weighted``); good and unlike each other (``diverse``);
    so that the mean Dice is promised (``risk``). As controls ``random``, ``all``, and ``oracle``,
    which looks at the reference."""
    k: Annotated[int, Field(ge=1)] = 30
    """With ``best``, ``diverse``, ``random`` and ``oracle``; 30 in the paper."""
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.5
    """With ``threshold``."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """With ``fraction``."""
    only_good: bool = False
    """Never admit what the verdict of ``by`` calls erroneous, which only ``curve`` gives. The
    controls take no notice, and ``risk`` promises nothing of a choice within its choice."""
    target: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """With ``risk``: the mean Dice of what is admitted is at least this much,"""
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """but for this probability."""
    low: Annotated[float, Field(ge=0, le=1)] = 0.5
    """With ``weighted``: score up to which a study is drawn least,"""
    high: Annotated[float, Field(ge=0, le=1)] = 0.9
    """from which it is drawn as often as without weights,"""
    least: Annotated[float, Field(ge=0, le=1)] = 0.1
    """and how often the least is, of that."""
    trade_off: Annotated[float, Field(ge=0, le=1)] = 0.5
    """With ``diverse``: 0 looks at the score alone, 1 at the difference alone."""
    grain: GrainName = "study"
    """What is left unlabelled in an admitted study: nothing (``study``), or the frames, slices,
    structures or voxels that are doubted."""
    doubt_below: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Estimated Dice of a frame, slice or structure below which it is doubted."""
    max_disagreement: Annotated[float, Field(ge=0, le=1)] = 0.05
    """With the grain ``voxel``: share of the opinions that may differ. Any of few; of 50 samples
    two, for one among so many nearly always does."""
    max_error: Annotated[float, Field(ge=0, le=1)] | None = None
    """With the grain ``voxel``: probability of an error, by the error maps of ``by``, that is not
    yet doubted. Where it is not given, maps are asked only of predictions without opinions, and
    doubt what is more likely wrong than right."""
    repair: tuple[RepairName, ...] = ()
    """What is tried on every prediction before it is judged: frames judged bad derived from
    their neighbours (``temporal``), or slices judged bad from the learned shapes
    (``surrogate``). What is judged better is kept."""
    propagate: bool = False
    """Carry the experts' labels to the other frames of their studies by registration, and teach
    those too."""
    rounds: Annotated[int, Field(ge=1)] | None = None
    """Of self-training with this gate; those of the run where not given."""

    @property
    def name(self) -> str:
        """Of the scenario that this gate makes."""
        chooser = self.by if self.rule == "best" else self.rule
        parts = [chooser, *([self.grain] if self.grain != "study" else []), *self.repair]
        parts += ["propagated"] if self.propagate else []
        parts += [f"{self.rounds}rounds"] if self.rounds else []
        return "-".join(["gate", *parts])

    @property
    def title(self) -> str:
        """As tables and figures show it."""
        chooser = RULE_TITLES.get(self.rule, "").format(by=self.by, k=self.k)
        grain = f", by {self.grain}" if self.grain != "study" else ""
        repaired = f", repaired ({', '.join(self.repair)})" if self.repair else ""
        propagated = ", experts' labels propagated" if self.propagate else ""
        rounds = f", {self.rounds} rounds" if self.rounds else ""
        return f"Gate: {chooser}{grain}{repaired}{propagated}{rounds}"


class EvaluationSettings(Section):
    """How the test studies are judged."""

    nsd_tolerance_mm: Annotated[float, Field(gt=0)] = 2.0
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
