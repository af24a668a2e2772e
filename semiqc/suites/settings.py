"""What a suite is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Interval

from qc.estimators.registry import ESTIMATORS
from qc.graded import SOURCES, CineLadder, GradedSet, Source
from qc.graded.given import given_by
from qc.graded.ladder import CnnLadder
from qc.graded.registry import make_source
from qc.verdicts import SimulatedReader
from semiqc.files.checksums import sha256_of
from semiqc.files.store.reader import Store
from semiqc.images.sizes import LARGEST_MM
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.study import Study
from semiqc.suites.presets import PRESETS
from semiqc.work.arguments import checked_arguments, unknown
from semiqc.work.bounds import Folds, Number, SeedNumber, check_bounds
from semiqc.work.changes import apply_change

DEFAULT_SOURCES = ("ladder", "seggen", "failures")
"""What a suite learns from where nothing else is asked for."""
DEFAULT_ESTIMATORS = tuple(
    name
    for name, kind in ESTIMATORS.items()
    if not (kind.learns_from_verdicts or kind.needs_uncertainty)
)
"""All that learn from frames of anybody's segmentation."""


STRANGER = "stranger"
"""Name of the source that segments what is held out alone."""

OF_CINES: dict[str, type] = {"cines": CineLadder, "reader": SimulatedReader}
"""What gives whole cines and verdicts to the estimators that learn from these."""


@dataclass(frozen=True)
class Reviewed:
    """Whole cines that any program segmented, and a reader's verdicts on them.

    Args:
        verdicts: CSV with the columns ``study`` and ``verdict``.
        images: Folder of images; see ``semiqc.exchange.readers.pairs``.
        segmentations: Likewise.
    """

    verdicts: Path
    images: Path
    segmentations: Path


@dataclass(frozen=True)
class SuiteSettings:
    """What a suite is made of.

    Args:
        estimators: Names in ``qc.ESTIMATORS``.
        sources: Names in ``qc.graded.SOURCES``; may be empty where ``graded`` is not.
        graded: Files of graded segmentations of the store's studies, which ``semiqc qc grade`` or
            an earlier suite wrote; learned from beside what the sources make.
        preset: Name in ``PRESETS``, whose arguments stand where ``changes`` say nothing else.
        changes: ``name.argument=value`` of an estimator or a source, such as ``cnn.steps=900``.
        calibrate: Subjects that the weights of the estimators are fitted to, and no estimator
            is. Without any there is no consensus.
        test: Subjects that are held out, to evaluate the suite on.
        folds: Of the cross-fitting.
        seed: Of all that is drawn.
        tolerance_mm: Surface distance that the surface Dice forgives.
        reviewed: What estimators of verdicts learn from; None for cines of the store, segmented
            by a ladder of networks (``cines``) and judged by a simulated reader (``reader``).

    Raises:
        ValueError: If a name or an argument is unknown.
    """

    estimators: tuple[str, ...] = DEFAULT_ESTIMATORS
    sources: tuple[str, ...] = DEFAULT_SOURCES
    graded: tuple[Path, ...] = ()
    preset: str | None = None
    changes: tuple[str, ...] = ()
    calibrate: Number = 0
    test: Number = 0
    folds: Folds = 4
    seed: SeedNumber = 0
    tolerance_mm: Annotated[float, Interval(ge=0, le=LARGEST_MM)] = NSD_TOLERANCE_MM
    reviewed: Reviewed | None = None

    def __post_init__(self) -> None:
        check_bounds(self)
        if not self.sources and not self.graded:
            raise ValueError("a suite needs sources or graded segmentations to learn from")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(f"preset {unknown(self.preset, list(PRESETS))}")
        for name in self.estimators:
            if name not in ESTIMATORS:
                raise ValueError(f"estimator {unknown(name, list(ESTIMATORS))}")
        for name in self.sources:
            if name not in SOURCES:
                raise ValueError(f"source {unknown(name, list(SOURCES))}")
        if self.reviewed and not self.of_verdicts:
            raise ValueError("--verdicts: no estimator learns from verdicts; add curve")
        chosen = [*self.estimators, *self.sources, *(OF_CINES if self.needs_cines else ())]
        for name in self._given():
            if name not in chosen:
                raise ValueError(f"--set: {unknown(name, chosen)}")
        for name in chosen:
            self.arguments(name)
        self._check_uncertainty()

    @property
    def of_verdicts(self) -> tuple[str, ...]:
        """Names of the estimators that learn from verdicts on whole cines."""
        return tuple(name for name in self.estimators if ESTIMATORS[name].learns_from_verdicts)

    @property
    def needs_cines(self) -> bool:
        """Whether cines are segmented and judged for them."""
        return bool(self.of_verdicts) and self.reviewed is None

    def arguments(self, name: str) -> dict[str, Any]:
        """What was given for an estimator or a source, by argument.

        Raises:
            ValueError: If its constructor has no such argument, or another kind of value for it.
        """
        kind = ESTIMATORS.get(name) or SOURCES.get(name) or OF_CINES[name]
        try:
            usual = PRESETS[self.preset].get(name, {}) if self.preset else {}
            return checked_arguments(kind, {**usual, **self._given().get(name, {})})
        except ValueError as error:
            raise ValueError(f"{name}.{error}") from None

    def _check_uncertainty(self) -> None:
        """Refuse estimators of uncertainty maps where no chosen source leaves maps.

        Raises:
            ValueError: With settings that would do.
        """
        blind = [name for name in self.estimators if ESTIMATORS[name].needs_uncertainty]
        able = [name for name in self.sources if SOURCES[name].can_leave_uncertainty]
        if blind and not any(self.arguments(name).get("samples") for name in able):
            raise ValueError(
                f"estimator {blind[0]}: needs uncertainty maps, which none of the sources"
                " leaves; choose the source ladder with --set ladder.dropout=0.1 --set"
                " ladder.samples=8"
            )

    def make_cines(self, store: Store) -> tuple[CineLadder, SimulatedReader]:
        """Who segments whole cines, and who judges them."""
        ladder = CineLadder(store.scheme, **{**self.arguments("cines"), "seed": self.seed})
        return ladder, SimulatedReader(store.scheme, **self.arguments("reader"))

    def make_sources(self, store: Store) -> dict[str, Source]:
        """The sources, by name; those of graded sets among them.

        Raises:
            ValueError: If two have the same name, or a graded set is not of the store.
        """
        found = {name: self._source(name, store) for name in self.sources}
        for path in self.graded:
            given = given_by(GradedSet(path, store), sha256_of(path))
            if twice := sorted(found.keys() & given.keys()):
                raise ValueError(f"{path}: source '{twice[0]}' stands elsewhere, too")
            found |= given
        return found

    def make_test_sources(self, store: Store) -> dict[str, Source]:
        """The sources of what is held out: those that estimators learn from, and strangers.

        Raises:
            ValueError: If two have the same name, a graded set is not of the store, or there are
                strangers and nothing is held out.
        """
        found = self.make_sources(store)
        ladder = found.get("ladder")
        strangers = ladder.of_strangers() if isinstance(ladder, CnnLadder) else None
        if strangers is None:
            return found
        if STRANGER in found:
            raise ValueError(f"source '{STRANGER}' stands elsewhere, too")
        if not self.test:
            raise ValueError("ladder.strangers: they segment subjects held out; add --test")
        return found | {STRANGER: strangers}

    def studies_to_learn_from(self, store: Store) -> list[Study]:
        """Studies with a reference; without ``sources`` only those that were segmented."""
        labelled = [study for study in store if study.labelled_frames]
        if self.sources:
            return labelled
        segmented = {n for path in self.graded for n in GradedSet(path, store).studies.tolist()}
        return [study for study in labelled if study.name in segmented]

    def _source(self, name: str, store: Store) -> Source:
        """A source with the settings' arguments and seed; with the scheme where it takes one."""
        return make_source(name, store.scheme, seed=self.seed, **self.arguments(name))

    def _given(self) -> dict[str, Mapping[str, Any]]:
        """The changes as arguments by name of estimator or source.

        Raises:
            ValueError: If a change names no argument, such as ``cnn=900``.
        """
        given: dict[str, Any] = {}
        for change in self.changes:
            apply_change(given, change)
        for name, arguments in given.items():
            if not isinstance(arguments, dict):
                raise ValueError(f"--set {name}: expected name.argument=value")
        return given
