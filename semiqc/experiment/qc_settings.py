"""Settings of the quality estimators of a run, and of what they are fitted to."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from qc import ESTIMATORS, QualityEstimator
from qc.graded import SOURCES
from semiqc.experiment.reader_settings import ReaderSettings
from semiqc.experiment.sections import check_known
from semiqc.work.arguments import checked_arguments
from semiqc.work.bounds import Folds
from semiqc.work.sections import OneOf, Section


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


LADDER = "ladder"
"""The run's own source: snapshots of its trainings."""


class QcSettings(Section):
    """The quality estimators, and what they are fitted to."""

    suite: Path | None = None
    """Folder of a suite that ``semiqc qc fit`` made, or ``phantom``: the one that is shipped. It
    judges as it is: no estimator is fitted, no ladder trained, and this section says nothing
    else. ``split.qc`` may then be 0; with qc subjects the rule ``risk`` has labels to promise
    by."""
    estimators: Annotated[tuple[str, ...], OneOf(ESTIMATORS)] | None = None
    """Names in ``qc.ESTIMATORS``; all where not given, but those that need uncertainty maps are
    left out where there is one segmenter only."""
    reader: ReaderSettings = ReaderSettings()
    """Gives the verdicts where no file does."""
    verdicts: Path | None = None
    """CSV of a reader's verdicts on the first segmenter's predictions of the qc subjects, as
    ``semiqc review --export`` writes it. Unlabelled studies that it calls erroneous never become
    pseudo-labels."""
    ladder: tuple[Rung, ...] = (
        Rung(name="first", snapshots=(0.15, 0.25, 0.4, 0.6, 0.8, 1.0)),
        Rung(name="fewer", labelled=0.5, steps=0.5, snapshots=(0.3, 0.6, 1.0)),
        Rung(name="small", labelled=0.25, width=0.5, steps=0.5, snapshots=(0.3, 0.6, 1.0)),
    )
    """Trainings whose snapshots segment the qc subjects, well and badly. A rung with all labels,
    widths and steps is the first segmenter itself."""
    sources: Annotated[tuple[str, ...], OneOf(SOURCES), Field(min_length=1)] = (LADDER,)
    """Who makes the segmentations that estimators learn from: ``ladder`` as ``qc.ladder`` has it,
    and any of ``qc.graded.SOURCES``, such as ``seggen``, ``forest``, ``noise`` and ``failures``.
    Only what the ladder makes gets verdicts."""
    folds: Folds = 4
    """Of the cross-fitting, where no subject is spared for qc."""
    arguments: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By name of an estimator or a source, arguments of its constructor that shall not be the
    defaults, such as ``{cnn: {steps: 1000}, seggen: {times: 2}}``. Its docstring explains them.
    The ladder has its own setting."""

    @property
    def whole(self) -> list[Rung]:
        """Rungs that hold nothing back, those that go to their end first."""
        whole = [rung for rung in self.ladder if rung.is_whole]
        return sorted(whole, key=lambda rung: not rung.reaches_end)

    def why_uncalibrated(self, *, is_spared: bool) -> str:
        """What is missing for segmentations by the whole first segmenter of known quality.

        Args:
            is_spared: Whether there are labelled studies that train no segmenter.

        Returns:
            In words; empty where nothing is missing.
        """
        if self.suite is not None:
            return "" if is_spared else "a suite has not seen such; set split.qc above 0"
        if LADDER not in self.sources:
            return f"qc.sources needs {LADDER}"
        if any(rung.reaches_end for rung in self.whole):
            return ""
        return "qc.ladder needs a rung that holds nothing back, with a snapshot at 1"

    def check_alone(self) -> None:
        """Make sure that nothing is said of estimators of the run's own where a suite judges.

        Raises:
            ValueError: Naming what would have no effect.
        """
        usual = type(self)()
        told = [name for name in type(self).model_fields if name != "suite"]
        for name in told if self.suite else ():
            if getattr(self, name) != getattr(usual, name):
                raise ValueError(
                    f"qc.{name}: has no effect with qc.suite, which is fitted already; leave it"
                    " out, or set qc.suite to null"
                )

    def check_sources(self, kinds: Mapping[str, type[QualityEstimator]]) -> None:
        """Make sure that each source is named once, and that estimators can learn from them.

        Args:
            kinds: Classes of the estimators, by name.

        Raises:
            ValueError: If not.
        """
        if len(set(self.sources)) != len(self.sources):
            raise ValueError(f"qc.sources: some are named twice: {', '.join(self.sources)}")
        if LADDER in self.sources:
            return
        for name, kind in kinds.items():
            if kind.learns_from_verdicts or kind.needs_uncertainty:
                raise ValueError(
                    f"qc.sources: {name} learns from the ladder alone; add {LADDER} or leave"
                    f" {name} out of qc.estimators"
                )
        if self.verdicts is not None or self.reader.kind == "human":
            raise ValueError(f"qc.sources: verdicts are of what the ladder made; add {LADDER}")

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
        kinds = {**ESTIMATORS, **{n: kind for n, kind in SOURCES.items() if n != LADDER}}
        check_known("qc.arguments", list(arguments), kinds)
        for name, given in arguments.items():
            try:
                checked_arguments(kinds[name], given)
            except ValueError as error:
                raise ValueError(f"{name}.{error}") from None
        return arguments
