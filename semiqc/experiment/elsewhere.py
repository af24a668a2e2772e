"""The scenarios of a finished run, evaluated on labelled studies that it knows nothing of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from segmenters import predict
from semiqc.doors.regular import UnusableError, one_study
from semiqc.experiment.evaluation import clinical_rows, overlap_rows
from semiqc.experiment.finished import Finished
from semiqc.experiment.label_names import Matched, match_labels
from semiqc.experiment.learned import load_segmenter
from semiqc.experiment.new_studies import suited
from semiqc.experiment.overlays import overlays
from semiqc.files.atomic import whole_folder
from semiqc.files.places import require_empty
from semiqc.files.store.reader import Store
from semiqc.files.tables import ClinicalRow, OverlapRow, SplitRow, read_rows, write_rows
from semiqc.images.notes import summed_up
from semiqc.pages.table import Table
from semiqc.report import MANUAL, Overlay, ReportData, build_report, verdict
from semiqc.report.choices import choices_table
from semiqc.report.data import RANKS
from semiqc.report.overlap import comparison_table, dice_table
from semiqc.study import Prediction, Study, Voxels
from semiqc.work.monitor import Monitor

PAGE = "report.html"
OF_ANOTHER = "If it is another person, import it under another name (semiqc import --subjects)"
"""What to do about patients of two hospitals who share a name."""


@dataclass
class Elsewhere:
    """What was found on another data set.

    Args:
        tables: Dice, differences from the reference scenario and from a choice by chance.
        verdict: The answer in a sentence or two.
        page: Where it stands with all else.
    """

    tables: list[Table]
    verdict: str
    page: Path


def evaluate_elsewhere(run: Path, store: Path, output: Path, monitor: Monitor) -> Elsewhere:
    """Segment another store's labelled studies by every scenario's models, and compare.

    Studies are resampled to the run's spacing, and labels matched by name where the schemes
    differ. ``overlap.csv`` and ``clinical.csv`` get a row for each figure, ``tables/`` the tables
    that are returned, and ``report.html`` shows them all.

    Args:
        run: Folder of a finished run.
        store: Of labelled studies.
        output: Folder to write, whole or not at all.
        monitor: Told how it goes on, and what is left out.

    Raises:
        RunError: If ``run`` is not a finished run.
        FileExistsError: If the output folder holds something.
        ValueError: If the store has no labelled study that suits the run, no structure that it
            knows, or no subject but those that took part in it.
    """
    finished = Finished.read(run)
    require_empty(output)
    found = _Evaluation(finished, Store(store), monitor)
    found.choose()
    found.evaluate()
    return found.write(output)


@dataclass
class _Evaluation:
    """Evaluates every scenario with every seed; of the voxels it keeps a slice of each study.

    Args:
        finished: The run.
        store: Of other studies.
        monitor: Told how it goes on, and what is left out.
    """

    finished: Finished
    store: Store
    monitor: Monitor
    chosen: list[Study] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    overlap: list[OverlapRow] = field(default_factory=list)
    clinical: list[ClinicalRow] = field(default_factory=list)
    overlays: list[Overlay] = field(default_factory=list)

    def __post_init__(self) -> None:
        try:
            self.matched: Matched = match_labels(self.store.scheme, self.finished.scheme)
        except ValueError as error:
            raise ValueError(f"{self.store.path}: not the labels of the run: {error}") from None

    def choose(self) -> None:
        """Take the labelled studies of subjects that the run did not use, its test subjects too.

        Two hospitals may give two patients one name; such studies are left out, with a note.

        Raises:
            ValueError: If none is left.
        """
        for note in self.matched.notes:
            self.monitor.note(note)
        rows = read_rows(self.finished.folder / "results" / "split.csv", SplitRow)
        known = {row.subject for row in rows if row.role not in ("test", "unused")}
        labelled = [study for study in self.store if study.labelled_frames]
        if not labelled:
            raise ValueError(f"{self.store.path}: has no labelled study")
        for study in labelled:
            if study.subject not in known:
                self.chosen.append(study)
        if not self.chosen:
            first = min(study.subject for study in labelled)
            raise ValueError(
                f"{self.store.path}: all its labelled subjects have names of subjects that took"
                f" part in the run, such as {first}; evaluate it on others. {OF_ANOTHER}"
            )
        for subject in sorted({study.subject for study in labelled} & known):
            self._leave_out(
                f"{subject} has the name of a subject that took part in the run. {OF_ANOTHER}"
            )

    def _leave_out(self, line: str) -> None:
        """Note, once, what is left out."""
        if line not in self.left_out:
            self.left_out.append(line)
            self.monitor.note(f"left out: {line}")

    def evaluate(self) -> None:
        """Add the figures of every scenario with every seed, and of the references.

        Raises:
            ValueError: If no study could be segmented.
        """
        settings = self.finished.settings
        jobs = [(name, seed) for seed in settings.seeds for name in settings.compared()]
        with self.monitor.progress("evaluate", len(jobs)) as tick:
            for number, (name, seed) in enumerate(jobs, start=1):
                self._evaluate(name, seed)
                tick(number, {})
        if not self.overlap:
            raise ValueError(f"{self.store.path}: {'; '.join(self.left_out[:3])}")

    def _evaluate(self, scenario: str, seed: int) -> None:
        """Segment every study without its labels, and compare all labelled frames."""
        settings, shown = self.finished.settings, list[Overlay]()
        segmenter = load_segmenter(self.finished, scenario, seed)
        for study in self._suited():
            hidden = study.without_labels()
            prediction = predict(segmenter, hidden, clean=settings.segmenter.clean)
            rows = self._measure(prediction, study, scenario, seed)
            if seed == settings.seeds[0]:
                shown += overlays(rows, [prediction], [study], self.matched.scheme, scenario)[:1]
        self.overlays += _ranked(shown)

    def _suited(self) -> Iterator[Study]:
        """The studies as the segmenters take them; those that cannot be are left out."""
        data = self.finished.data
        for study in self.chosen:
            try:
                with one_study(study.name):
                    found = suited(study, data["spacing_mm"], len(data["modalities"]))
            except UnusableError as error:
                self._leave_out(str(error))
            else:
                yield self.matched.understood(found)

    def _measure(
        self, prediction: Prediction, study: Study, scenario: str, seed: int
    ) -> list[OverlapRow]:
        """Add the rows of a study; those of its overlap are given back."""
        evaluation, scheme = self.finished.settings.evaluation, self.matched.scheme
        rows = overlap_rows(
            prediction,
            study,
            scheme,
            tolerance_mm=evaluation.nsd_tolerance_mm,
            grid=evaluation.grid,
            scenario=scenario,
            seed=seed,
        )
        self.overlap += rows
        self._measure_clinically(prediction.labels, study, scenario, seed)
        if scenario == next(iter(self.finished.settings.compared())):
            self._measure_clinically(study.labels, study, MANUAL, seed)
        return rows

    def _measure_clinically(self, labels: Voxels, study: Study, scenario: str, seed: int) -> None:
        """Add clinical measures over the labelled frames of a study."""
        scheme = self.matched.scheme
        self.clinical += clinical_rows(labels, study, scheme, scenario=scenario, seed=seed)

    def write(self, output: Path) -> Elsewhere:
        """Write tables and page."""
        own = self.finished.report_data()
        data = self._report_data(own)
        tables = [dice_table(data), comparison_table(data), choices_table(data)]
        said = verdict(data, own)
        with whole_folder(output, replaces=False) as unfinished:
            write_rows(unfinished / "overlap.csv", OverlapRow, self.overlap)
            write_rows(unfinished / "clinical.csv", ClinicalRow, self.clinical)
            for table in tables:
                table.write(unfinished / "tables")
            build_report(data, unfinished / PAGE, said)
        return Elsewhere(tables, said, output / PAGE)

    def _report_data(self, own: ReportData) -> ReportData:
        """What the page shows: of the run its scenarios alone; all else is of other studies."""
        return ReportData(
            title=f"{own.title} on {self.store.path.name}",
            settings=own.settings,
            environment=own.environment,
            scheme=self.matched.scheme,
            scenarios=own.scenarios,
            split=[SplitRow(s.name, s.subject, s.group, "test") for s in self.chosen],
            overlap=self.overlap,
            clinical=self.clinical,
            overlays=self.overlays,
            left_out=self.left_out,
            notes=(*self.matched.notes, *summed_up((s.name, s.notes) for s in self.chosen)),
            by_chance=own.by_chance,
            at_random=own.at_random,
            at_all=own.at_all,
            reference_scenario=own.reference_scenario,
        )


def _ranked(shown: Sequence[Overlay]) -> list[Overlay]:
    """The best, the median and the worst of a scenario's studies."""
    order = sorted(shown, key=lambda one: one.dice)
    if not order:
        return []
    chosen = (order[-1], order[len(order) // 2], order[0])
    return [replace(one, rank=rank) for rank, one in zip(RANKS, chosen, strict=True)]
