"""What the estimators of a suite learn from that tell good cines from erroneous ones."""

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from qc.base import Graded
from qc.graded import grade_cines, read_cines, subject_folds
from qc.verdicts import read_verdicts
from semiqc.files.atomic import whole_file
from semiqc.files.store.reader import Store
from semiqc.suites.reviewed import identity_of, read_reviewed, write_reviewed
from semiqc.suites.settings import Reviewed, SuiteSettings
from semiqc.work.monitor import PERCENT, Monitor, percent_of
from semiqc.work.stages import RunFolder, Stage

CINES, HELD_OUT_CINES = "cines.csv", "test_cines.csv"
"""Tables of whole cines; the segmentations stand beside each, with the ending ``.h5``."""


class CineMaker:
    """Has whole cines with verdicts: a reader's, or a simulated reader's.

    Args:
        store: With labels.
        output: Folder of the suite, which gets the tables.
        settings: Of the suite.
        folder: Where stages are kept.
        monitor: Told how it goes on.

    Attributes:
        names: Of the studies that were learned from.
    """

    def __init__(
        self,
        store: Store,
        output: Path,
        settings: SuiteSettings,
        folder: RunFolder,
        monitor: Monitor,
    ) -> None:
        self.store = store
        self.output = output
        self.settings = settings
        self.folder = folder
        self.monitor = monitor
        self.names: set[str] = set()

    def check(self) -> None:
        """Make sure, before anything is made, that there are cines and verdicts.

        Raises:
            ValueError: If not.
        """
        reviewed = self.settings.reviewed
        if reviewed is not None:
            read_verdicts(reviewed.verdicts)
            for folder in (reviewed.images, reviewed.segmentations):
                if not folder.exists():
                    raise ValueError(f"{folder}: no such file or folder")
        elif not any(one.frames > 1 and one.labelled_frames for one in self.store):
            raise ValueError(
                f"{self.store.path}: {self.settings.of_verdicts[0]} learns from cines, and no"
                " study with labels has more than one frame"
            )

    def learned_from(self, train: Sequence[str]) -> tuple[list[Graded], str]:
        """Cines to learn from, and the key of their stage."""
        reviewed = self.settings.reviewed
        found, key = self._of_reader(reviewed) if reviewed else self._cross_fitted(train)
        self.names = {one.prediction.study for one in found}
        return found, key

    def _cross_fitted(self, train: Sequence[str]) -> tuple[list[Graded], str]:
        """Cines of every study, by networks that did not learn from it."""
        studies = [self.store.study(name) for name in train]
        dealt = subject_folds(studies, self.settings.folds, self.settings.seed)
        folds = [[study.name for study in fold] for fold in dealt]
        return self._of_store(CINES, [([n for n in train if n not in one], one) for one in folds])

    def held_out(self, train: Sequence[str], test: Sequence[str]) -> None:
        """Leave cines of the test studies, which an evaluation may judge by."""
        if self.settings.needs_cines:
            self._of_store(HELD_OUT_CINES, [(list(train), list(test))])

    def _of_reader(self, reviewed: Reviewed) -> tuple[list[Graded], str]:
        depends = identity_of(reviewed) | {"store": self.store.fingerprint()}

        def make(unfinished: Path) -> None:
            write_reviewed(unfinished, reviewed, self.store, self.monitor)

        stage = self.folder.stage("reviewed", depends, make)
        return read_reviewed(stage.folder), stage.key

    def _of_store(
        self, file: str, parts: Sequence[tuple[list[str], list[str]]]
    ) -> tuple[list[Graded], str]:
        """Cines of the second studies of each part, by networks that learned from the first."""
        ladder, reader = self.settings.make_cines(self.store)
        depends = {
            "data": self.store.fingerprint(),
            "parts": parts,
            "ladder": repr(ladder),
            "reader": repr(reader),
        }

        def make(unfinished: Path) -> None:
            splits = [
                ([self.store.study(n) for n in train], [self.store.study(n) for n in judged])
                for train, judged in parts
            ]
            with self.monitor.progress("segment cines", PERCENT) as tick:
                used = grade_cines(
                    self.store,
                    unfinished / file,
                    ladder,
                    splits,
                    reader,
                    observe=partial(percent_of, tick),
                )
            self.monitor.note(
                f"simulated reader: erroneous below Dice {used.min_dice:.2f} or where EF is off"
                f" by more than {used.max_ef_error:.1f} points"
            )

        stage = self.folder.stage(Path(file).stem, depends, make)
        self._keep(stage, file)
        return read_cines(self.output / file, self.store), stage.key

    def _keep(self, stage: Stage, file: str) -> None:
        """Copy table and segmentations into the suite's folder."""
        for name in (Path(file).with_suffix(".h5").name, file):
            with whole_file(self.output / name) as temporary:
                shutil.copyfile(stage.folder / name, temporary)
