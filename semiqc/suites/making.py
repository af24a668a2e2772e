"""From a store to a fitted suite."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from qc.base import Graded, QualityEstimator
from qc.consensus.blend import Blend
from qc.estimators.registry import ESTIMATORS, make_estimator
from qc.graded import GradedSet, Source, grade, grade_held_out
from qc.saving import load_estimator, save_estimator
from qc.suites.domain import TrainingDomain
from qc.suites.places import is_half_saved, refuse_suite
from qc.suites.suite import Suite
from semiqc.files.atomic import make_folder, whole_file
from semiqc.files.checksums import MANIFEST, refuse_sealed
from semiqc.files.store.reader import Store
from semiqc.files.tables import SplitRow, write_rows
from semiqc.suites.cines import CineMaker
from semiqc.suites.settings import SuiteSettings
from semiqc.suites.suite_card import write_card
from semiqc.suites.weighing import judged_by_each
from semiqc.work.diverging import named_if_diverged
from semiqc.work.folder import locked
from semiqc.work.monitor import PERCENT, Monitor, Tick, percent_of
from semiqc.work.split import draw_split
from semiqc.work.stages import RunFolder

SPLIT = "split.csv"
FITTED_TO, WEIGHED_BY, HELD_OUT = "graded.h5", "calibration.h5", "test.h5"
LEAST = 2
"""Subjects that estimators are fitted to: one is segmented by what learned from the other."""

FITTED = "estimator.safetensors"


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
        self.folder = RunFolder(output, monitor.stage, monitor.note)
        self.cines = CineMaker(self.store, output, settings, self.folder, monitor)

    def make(self) -> Suite:
        """The suite, saved; no other process makes one in the same folder meanwhile.

        Raises:
            BlockingIOError: If another process works in ``output``.
            FileExistsError: If ``output`` holds a suite.
            ValueError: If the store has too few labelled subjects.
        """
        refuse_suite(self.output)
        if not is_half_saved(self.output):
            refuse_sealed(self.output)
        for name in self.settings.estimators:
            self._check(name)
        self.settings.make_test_sources(self.store)
        if self.settings.of_verdicts:
            self.cines.check()
        make_folder(self.output)
        with locked(self.output):
            # Who waited at the door may find one that was made meanwhile.
            refuse_suite(self.output)
            if is_half_saved(self.output):
                (self.output / MANIFEST).unlink()
            return self._made()

    def _made(self) -> Suite:
        """The suite, saved, once the folder is this process's."""
        train, calibrate, test = self._split()
        graded, key = self._graded(FITTED_TO, train)
        if test:
            self._graded(HELD_OUT, train, test)
            self.cines.held_out(train, test)
        fitted = {
            name: self._fitted(name, graded, key)
            for name in self.settings.estimators
            if name not in self.settings.of_verdicts
        }
        fitted |= self._of_verdicts(train)
        blend = self._blend(fitted, train, calibrate) if calibrate else None
        suite = Suite(self.store.scheme, fitted, self._domain(graded, train, calibrate), blend)
        write_card(suite, self.output)
        suite.save(self.output)
        return suite

    def _split(self) -> tuple[list[str], list[str], list[str]]:
        """Names of the studies to learn from, to weigh by and to hold out; kept as ``split.csv``.

        Only studies with a labelled frame take part, and where all segmentations are given, only
        those that were segmented. Subjects are drawn, so that all studies of one person have one
        role; ``test`` and ``calibrate`` count subjects, all others are learned from.

        Raises:
            ValueError: If the two leave too few subjects.
        """
        settings = self.settings
        labelled = settings.studies_to_learn_from(self.store)
        spared = {"test": settings.test, "qc": settings.calibrate}
        subjects = len({study.subject for study in labelled})
        spared["labelled"] = subjects - sum(spared.values())
        if spared["labelled"] < LEAST:
            raise ValueError(
                f"{self.store.path}: {subjects} subjects with labels; {settings.test} to test and"
                f" {settings.calibrate} to calibrate by leave fewer than {LEAST} to learn from"
            )
        rows = draw_split(labelled, spared, settings.seed)
        write_rows(self.output / SPLIT, SplitRow, rows)
        train, calibrate, test = (
            [row.study for row in rows if row.role == role] for role in ("labelled", "qc", "test")
        )
        return train, calibrate, test

    def _domain(
        self, graded: GradedSet, train: Sequence[str], calibrate: Sequence[str]
    ) -> TrainingDomain:
        """What the suite learned from, the studies that the weights were fitted to included."""
        domain = TrainingDomain.of(
            graded,
            [self.store.study(name) for name in train],
            nsd_tolerance_mm=graded.tolerance_mm,
        )
        named = replace(domain, names=tuple(sorted({*domain.names, *self.cines.names})))
        return named.weighed_by([self.store.study(name) for name in calibrate])

    def _graded(
        self, file: str, train: Sequence[str], judged: Sequence[str] | None = None
    ) -> tuple[GradedSet, str]:
        """Segmentations of ``judged`` or, by cross-fitting, of ``train``; and the stage's key."""

        def make(unfinished: Path) -> None:
            with (
                self.monitor.progress("segment and grade", PERCENT) as tick,
                named_if_diverged("of the sources", "change --set SOURCE.NAME=VALUE"),
            ):
                self._grade(unfinished / file, train, judged, tick)

        depends = self._depends(file, train, judged)
        stage = self.folder.stage(file.removesuffix(".h5"), depends, make)
        with whole_file(self.output / file) as temporary:
            shutil.copyfile(stage.folder / file, temporary)
        return GradedSet(self.output / file, self.store), stage.key

    def _sources(self, file: str) -> Mapping[str, Source]:
        """What makes the segmentations of a file; strangers only those that test."""
        settings = self.settings
        make = settings.make_test_sources if file == HELD_OUT else settings.make_sources
        return make(self.store)

    def _depends(
        self, file: str, train: Sequence[str], judged: Sequence[str] | None
    ) -> dict[str, Any]:
        """All that graded segmentations depend on; see ``_grade``."""
        settings = self.settings
        sources = self._sources(file)
        return {
            "data": self.store.fingerprint(),
            "train": train,
            "test": judged,
            "folds": settings.folds,
            "sources": {name: repr(source) for name, source in sources.items()},
            "seed": settings.seed,
            "tolerance": settings.tolerance_mm,
        }

    def _grade(
        self, path: Path, train: Sequence[str], judged: Sequence[str] | None, tick: Tick
    ) -> None:
        """Segment and grade frames into the file ``path``, which may not exist.

        ``judged`` are segmented by models of all of ``train``; without it, each study of ``train``
        is segmented by models of the other folds, so that none saw its labels.
        """
        settings = self.settings
        common: dict[str, Any] = {
            "tolerance_mm": settings.tolerance_mm,
            "overwrite": True,
            "observe": partial(percent_of, tick),
        }
        sources = self._sources(path.name)
        if judged is not None:
            grade_held_out(self.store, path, sources, train, judged, **common)
        else:
            folds, seed = settings.folds, settings.seed
            grade(self.store, path, sources, studies=train, folds=folds, seed=seed, **common)

    def _of_verdicts(self, train: Sequence[str]) -> dict[str, QualityEstimator]:
        """The estimators that learn from verdicts on whole cines, fitted."""
        names = self.settings.of_verdicts
        if not names:
            return {}
        cines, key = self.cines.learned_from(train)
        return {name: self._fitted(name, cines, key) for name in names}

    def _blend(
        self, fitted: Mapping[str, QualityEstimator], train: Sequence[str], spared: Sequence[str]
    ) -> Blend:
        """Weights of the estimators, fitted to graded segmentations of the ``spared`` studies."""
        known, _ = self._graded(WEIGHED_BY, train, spared)
        return self._weighed(fitted, known)

    def _weighed(self, fitted: Mapping[str, QualityEstimator], known: GradedSet) -> Blend:
        """Weights fitted to what the estimators say of studies that none of them learned from."""
        with self.monitor.progress("weigh the estimators", PERCENT) as tick:
            qualities = judged_by_each(fitted, known, partial(percent_of, tick))
        return Blend(self.store.scheme).fit(qualities, known)

    def _check(self, name: str) -> None:
        """Refuse arguments that an estimator cannot work with, before anything is fitted.

        Raises:
            ValueError: With the estimator's name before its reason.
        """
        try:
            self._blank(name, ()).check()
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error

    def _blank(self, name: str, graded: Sequence[Graded]) -> QualityEstimator:
        """An estimator with the settings' arguments that suits what it learns from, not fitted."""
        blank = make_estimator(
            name,
            self.store.scheme,
            len(self.store.modalities),
            seed=self.settings.seed,
            **self.settings.arguments(name),
        )
        names = {one.prediction.study for one in graded}
        return blank.suited_to([self.store.study(one) for one in self.store.names if one in names])

    def _fitted(self, name: str, graded: Sequence[Graded], key: str) -> QualityEstimator:
        """An estimator fitted to the graded set, read back from its file.

        It is read even where it was just fitted, so that a making that goes on has the same
        estimator as one that was never stopped. The stage is repeated where ``arguments`` or the
        ``key`` of the graded set changed.
        """
        blank = self._blank(name, graded)
        depends = {
            "arguments": self.settings.arguments(name),
            "graded": key,
            **blank.starts_from(),
        }

        def make(unfinished: Path) -> None:
            with (
                self.monitor.progress(f"fit {name}", PERCENT) as tick,
                named_if_diverged(f"of the estimator {name}", f"change --set {name}.NAME=VALUE"),
            ):
                fitted = blank.fit(graded, observe=partial(percent_of, tick))
            save_estimator(fitted, unfinished / FITTED)

        stage = self.folder.stage(f"fit-{name}", depends, make)
        return load_estimator(stage.folder / FITTED, ESTIMATORS)
