"""From a store to a fitted suite, and from a suite to how well its estimators judge."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from qc.base import ProgressCallback, Quality, QualityEstimator, unobserved
from qc.consensus.blend import Blend
from qc.estimators.registry import ESTIMATORS, make_estimator
from qc.evaluation import Evaluation, evaluate
from qc.evaluation.table import THRESHOLD, QualityThreshold
from qc.graded import SOURCES, GradedSet, Source, balanced_subset, grade, grade_held_out
from qc.graded.store import store_of
from qc.saving import load_estimator, save_estimator
from qc.suites.domain import TrainingDomain
from qc.suites.suite import Suite, refuse_suite
from semiqc.files.atomic import whole_file
from semiqc.files.store import Store
from semiqc.files.tables import SplitRow, write_rows
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.work.arguments import checked_arguments, unknown
from semiqc.work.changes import apply_change
from semiqc.work.monitor import Monitor, Tick
from semiqc.work.split import draw_split
from semiqc.work.stages import RunFolder

SPLIT = "split.csv"
TAUGHT_BY, CALIBRATED_BY, HELD_OUT = "graded.h5", "calibration.h5", "test.h5"
FITTED = "estimator.safetensors"
SAME_SPACING = 0.02
"""Share by which pixels may differ from the suite's."""
PERCENT = 100
DEFAULT_SOURCES = ("ladder", "seggen", "failures")
"""What a suite is taught by where nothing else is asked for."""
DEFAULT_ESTIMATORS = tuple(
    name for name, kind in ESTIMATORS.items() if name != "curve" and not kind.needs_uncertainty
)
"""All that learn from single frames of anybody's segmentation. The curve classifier learns from a
reader's verdicts on whole cines: in ``semiqc run``."""
KNOWN_ESTIMATORS = tuple(name for name in ESTIMATORS if name != "curve")
"""With those that go by what segmenters say beside, where a source leaves that."""


@dataclass(frozen=True)
class SuiteSettings:
    """What a suite is made of.

    Args:
        estimators: Names in ``qc.ESTIMATORS``.
        sources: Names in ``qc.graded.SOURCES``.
        changes: ``name.argument=value`` of an estimator or a source, such as ``cnn.steps=900``.
        calibrate: Subjects that teach how to weigh the estimators, which do not learn from them.
            Without any there is no consensus.
        test: Subjects that are held out, to evaluate the suite on.
        folds: Of the cross-fitting.
        seed: Of all that is drawn.
        tolerance_mm: Surface distance that the surface Dice forgives.

    Raises:
        ValueError: If a name or an argument is unknown.
    """

    estimators: tuple[str, ...] = DEFAULT_ESTIMATORS
    sources: tuple[str, ...] = DEFAULT_SOURCES
    changes: tuple[str, ...] = ()
    calibrate: int = 0
    test: int = 0
    folds: int = 4
    seed: int = 0
    tolerance_mm: float = NSD_TOLERANCE_MM

    def __post_init__(self) -> None:
        for name in self.estimators:
            if name not in KNOWN_ESTIMATORS:
                raise ValueError(f"estimator {unknown(name, KNOWN_ESTIMATORS)}")
        for name in self.sources:
            if name not in SOURCES:
                raise ValueError(f"source {unknown(name, list(SOURCES))}")
        chosen = [*self.estimators, *self.sources]
        for name in self._given():
            if name not in chosen:
                raise ValueError(f"--set: {unknown(name, chosen)}")
        for name in chosen:
            self.arguments(name)
        self._check_uncertainty()

    def arguments(self, name: str) -> dict[str, Any]:
        """What was given for an estimator or a source."""
        kind = ESTIMATORS.get(name) or SOURCES[name]
        try:
            return checked_arguments(kind, self._given().get(name, {}))
        except ValueError as error:
            raise ValueError(f"{name}.{error}") from None

    def _check_uncertainty(self) -> None:
        blind = [name for name in self.estimators if ESTIMATORS[name].needs_uncertainty]
        able = [name for name in SOURCES if hasattr(SOURCES[name], "samples")]
        if blind and not any(self.arguments(n).get("samples") for n in self.sources if n in able):
            raise ValueError(
                f"estimator {blind[0]}: goes by several opinions of a segmentation, which none of"
                " the sources leaves; choose the source ladder with --set ladder.dropout=0.1 --set"
                " ladder.samples=8"
            )

    def make_sources(self, store: Store) -> dict[str, Source]:
        """The sources, by name."""
        return {name: self._source(name, store) for name in self.sources}

    def _source(self, name: str, store: Store) -> Source:
        kind = SOURCES[name]
        arguments = {**self.arguments(name), "seed": self.seed}
        if "scheme" in getattr(kind, "__dataclass_fields__", {}):
            return kind(store.scheme, **arguments)
        return kind(**arguments)

    def _given(self) -> dict[str, Mapping[str, Any]]:
        given: dict[str, Any] = {}
        for change in self.changes:
            apply_change(given, change)
        for name, arguments in given.items():
            if not isinstance(arguments, dict):
                raise ValueError(f"--set {name}: expected name.argument=value")
        return given


class SuiteMaker:
    """Grades, fits and saves; a killed or changed making goes on where it can.

    Besides the suite, ``output`` gets ``split.csv``, ``graded.h5`` and, where subjects are held
    out, ``test.h5``: frames of theirs, segmented by models that never saw them.

    Args:
        path: Store with labels.
        output: Folder to write.
        settings: What the suite is made of.
        monitor: Told how it goes on.
    """

    def __init__(
        self, path: Path, output: Path, settings: SuiteSettings, monitor: Monitor
    ) -> None:
        self.store = Store(path)
        self.output = output
        self.settings = settings
        self.monitor = monitor
        self.folder = RunFolder(output, monitor.stage)

    def make(self) -> Suite:
        """The suite, saved.

        Raises:
            FileExistsError: If ``output`` holds a suite.
            ValueError: If the store has too few labelled subjects.
        """
        refuse_suite(self.output)
        settings = self.settings
        for name in settings.estimators:
            self._check(name)
        labelled = [study for study in self.store if study.labelled_frames]
        spared = {"test": settings.test, "qc": settings.calibrate}
        spared["labelled"] = len({study.subject for study in labelled}) - sum(spared.values())
        rows = draw_split(labelled, spared, settings.seed)
        write_rows(self.output / SPLIT, SplitRow, rows)
        train, calibrate, test = (
            [row.study for row in rows if row.role == role] for role in ("labelled", "qc", "test")
        )
        graded, key = self._graded(TAUGHT_BY, train)
        if test:
            self._graded(HELD_OUT, train, test)
        fitted = {name: self._fitted(name, graded, key) for name in settings.estimators}
        blend = None
        if calibrate:
            known, _ = self._graded(CALIBRATED_BY, train, calibrate)
            blend = self._weighed(fitted, known)
        training = TrainingDomain.of(graded, [self.store.study(name) for name in train])
        weighed_by = {self.store.study(name).subject for name in calibrate}
        training = replace(
            training,
            weighing=tuple(sorted(calibrate)),
            subjects=tuple(sorted({*training.subjects, *weighed_by})),
        )
        suite = Suite(self.store.scheme, fitted, training, blend)
        suite.save(self.output)
        return suite

    def _graded(
        self, file: str, train: Sequence[str], test: Sequence[str] | None = None
    ) -> tuple[GradedSet, str]:
        """Segmentations of ``test`` or, by cross-fitting, of ``train``; and the stage's key."""
        settings = self.settings
        sources = settings.make_sources(self.store)
        depends = {
            "data": self.store.fingerprint(),
            "train": train,
            "test": test,
            "folds": settings.folds,
            "sources": {name: repr(source) for name, source in sources.items()},
            "seed": settings.seed,
            "tolerance": settings.tolerance_mm,
        }

        def make(unfinished: Path) -> None:
            with self.monitor.progress("segment and grade", PERCENT) as tick:
                path = unfinished / file
                steps = partial(_show, tick)
                if test is None:
                    grade(
                        self.store, path, sources, studies=train, folds=settings.folds,
                        seed=settings.seed, tolerance_mm=settings.tolerance_mm, overwrite=True,
                        observe=steps,
                    )  # fmt: skip
                else:
                    grade_held_out(
                        self.store,
                        path,
                        sources,
                        train,
                        test,
                        tolerance_mm=settings.tolerance_mm,
                        overwrite=True,
                        observe=steps,
                    )

        stage = self.folder.stage(file.removesuffix(".h5"), depends, make)
        with whole_file(self.output / file) as temporary:
            shutil.copyfile(stage.folder / file, temporary)
        return GradedSet(self.output / file, self.store), stage.key

    def _weighed(self, fitted: Mapping[str, QualityEstimator], known: GradedSet) -> Blend:
        """How to weigh the estimators, by what they say of studies that taught none of them."""
        qualities: dict[str, list[Quality | None]] = {name: [] for name in fitted}
        with self.monitor.progress("weigh the estimators", len(known)) as tick:
            for number, one in enumerate(known, start=1):
                for name, estimator in fitted.items():
                    able = estimator.can_judge(one.prediction)
                    qualities[name] += estimator.predict([one.prediction]) if able else [None]
                tick(number, {})
        subjects = [self.store.study(one.prediction.study).subject for one in known]
        return Blend(self.store.scheme).fit(qualities, known, subjects=subjects)

    def _check(self, name: str) -> None:
        try:
            self._blank(name).check()
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def _blank(self, name: str) -> QualityEstimator:
        return make_estimator(
            name,
            self.store.scheme,
            len(self.store.modalities),
            seed=self.settings.seed,
            **self.settings.arguments(name),
        )

    def _fitted(self, name: str, graded: GradedSet, key: str) -> QualityEstimator:
        arguments = self.settings.arguments(name)

        def make(unfinished: Path) -> None:
            blank = self._blank(name)
            with self.monitor.progress(f"fit {name}", PERCENT) as tick:
                fitted = blank.fit(graded, observe=partial(_show, tick))
            save_estimator(fitted, unfinished / FITTED)

        stage = self.folder.stage(f"fit-{name}", {"arguments": arguments, "graded": key}, make)
        return load_estimator(stage.folder / FITTED, ESTIMATORS)


def _show(tick: Tick, done: int, total: int, title: str = "") -> None:
    tick(PERCENT * done // total, {})


@dataclass(frozen=True, eq=False)
class Evaluated:
    """How well a suite judges, and what it was not asked about.

    Args:
        evaluation: Of all its estimators.
        left_out: Studies of the graded set that taught the suite.
    """

    evaluation: Evaluation
    left_out: tuple[str, ...]


def evaluate_suite(
    folder: Path,
    graded: Path,
    *,
    store: Path | None = None,
    balanced: bool = False,
    threshold: QualityThreshold = THRESHOLD,
    seed: int = 0,
    observe: ProgressCallback = unobserved,
) -> Evaluated:
    """Judge the estimators of a suite on graded segmentations of studies it never saw.

    Args:
        folder: Of the suite.
        graded: File of graded segmentations.
        store: That they were made of; by default where it then was.
        balanced: Draw as many from each tenth of the mean Dice, as the papers do.
        threshold: Quality from which a segmentation is good; see ``qc.evaluation.evaluate``.
        seed: Of that draw.
        observe: Told how many segmentations are judged, and of how many.

    Raises:
        ValueError: If no study is left but those that taught the suite, or the suite was made
            for other structures, modalities or spacing.
    """
    suite = Suite.load(folder)
    held = GradedSet(graded, Store(store or store_of(graded)))
    _refuse_other_data(suite, held.store)
    _refuse_other_tolerance(suite, held)
    names = set(held.studies.tolist())
    seen = sorted(name for name in names if suite.training.has_seen(held.store.study(name)))
    unseen = held.of_studies(names - set(seen))
    if not len(unseen):
        raise ValueError(
            f"{graded}: all {len(seen)} studies taught the suite; evaluate it on others, such as"
            f" {HELD_OUT} that `semiqc qc fit --test` leaves"
        )
    population = unseen.mean_dice
    if balanced:
        unseen = unseen.subset(balanced_subset(population, np.random.default_rng(seed)))
    found = evaluate(
        suite.estimators,
        unseen,
        suite.scheme,
        threshold=threshold,
        blend=suite.blend,
        observe=observe,
    )
    return Evaluated(replace(found, population=population), tuple(seen))


def _refuse_other_data(suite: Suite, store: Store) -> None:
    """Graded segmentations are judged as they are, on the grid of their store.

    Raises:
        ValueError: If the suite was not made for such.
    """
    reason = store.scheme.mismatch(suite.scheme)
    if reason:
        raise ValueError(f"{store.path}: not the labels that the suite was made for: {reason}")
    given, known = (
        [one.name for one in scheme.structures] for scheme in (store.scheme, suite.scheme)
    )
    if given != known:
        raise ValueError(
            f"{store.path}: has its structures in the order {', '.join(given)}, the suite"
            f" {', '.join(known)}"
        )
    if len(store.modalities) != suite.training.modalities:
        raise ValueError(
            f"{store.path}: {len(store.modalities)} modalities, the suite was made for"
            f" {suite.training.modalities}"
        )
    learned = suite.training.spacing_mm
    for study in store:
        pixel = float(np.mean(study.spacing[1:]))
        if abs(pixel - learned) > SAME_SPACING * learned:
            raise ValueError(
                f"{store.path}: {study.name} has pixels of {pixel:.3g} mm, the suite sees"
                f" {learned:.3g} mm; import its images with --spacing {learned:g} and grade anew"
            )


def _refuse_other_tolerance(suite: Suite, held: GradedSet) -> None:
    """Surface Dice of two tolerances are two measures.

    Raises:
        ValueError: If the set was graded with another than the suite, where that one is known.
    """
    learned = suite.training.nsd_tolerance_mm
    if learned is not None and held.tolerance_mm != learned:
        raise ValueError(
            f"{held.path}: its surface Dice forgives {held.tolerance_mm:g} mm, the suite's"
            f" {learned:g} mm; grade it with that tolerance"
        )
