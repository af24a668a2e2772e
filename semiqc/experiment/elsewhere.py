"""The scenarios of a finished run, evaluated on labelled studies that it knows nothing of."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from segmenters import predict
from semiqc.experiment.evaluation import overlap_rows
from semiqc.experiment.finished import Finished
from semiqc.experiment.learned import load_segmenter
from semiqc.experiment.predicting import refusal_of
from semiqc.files.atomic import require_folder
from semiqc.files.store.reader import Store
from semiqc.files.tables import OverlapRow, SplitRow, read_rows, write_rows
from semiqc.report import Table
from semiqc.report.choices import choices_table
from semiqc.report.overlap import comparison_table, dice_table
from semiqc.study import Study
from semiqc.work.monitor import Monitor


def evaluate_elsewhere(run: Path, store: Path, output: Path, monitor: Monitor) -> list[Table]:
    """Segment another store's labelled studies by every scenario's models, and compare.

    ``overlap.csv`` gets a row for each figure, and ``tables/`` the tables that are returned: Dice,
    differences from the reference scenario and from a choice by chance.

    Args:
        run: Folder of a finished run.
        store: Of studies prepared like the run's.
        output: Folder to write.
        monitor: Told how it goes on.

    Raises:
        RunError: If ``run`` is not a finished run.
        FileExistsError: If the output folder holds something.
        ValueError: If the store has no labelled study that suits the run, or one of its subjects
            took part in it.
    """
    finished = Finished.read(run)
    require_folder(output)
    if output.exists() and any(output.iterdir()):
        raise FileExistsError(f"{output}: not empty; name another folder")
    studies = _unknown(run, _studies(finished, Store(store)), monitor)
    rows = _all_rows(finished, studies, monitor)
    write_rows(output / "overlap.csv", OverlapRow, rows)
    data = replace(finished.report_data(), overlap=rows)
    tables = [dice_table(data), comparison_table(data), choices_table(data)]
    for table in tables:
        table.write(output / "tables")
    return tables


def _all_rows(finished: Finished, studies: Sequence[Study], monitor: Monitor) -> list[OverlapRow]:
    """Figures of every scenario with every seed."""
    rows: list[OverlapRow] = []
    scenarios = finished.settings.compared()
    jobs = [(name, seed) for seed in finished.settings.seeds for name in scenarios]
    with monitor.progress("evaluate", len(jobs)) as tick:
        for number, (name, seed) in enumerate(jobs, start=1):
            rows += _rows(finished, studies, name, seed)
            tick(number, {})
    return rows


def _studies(finished: Finished, store: Store) -> list[Study]:
    """The labelled studies of a store, in its order.

    Raises:
        ValueError: If the store has another scheme, no study is labelled, or one of them has
            other modalities or another spacing than the run.
    """
    other = store.scheme.mismatch(finished.scheme)
    if other:
        raise ValueError(f"{store.path}: not the labels of the run: {other}")
    found = [study for study in store if study.labelled_frames]
    for study in found:
        reason = refusal_of(study, finished.data["spacing_mm"], len(finished.data["modalities"]))
        if reason:
            raise ValueError(f"{study.name}: {reason}")
    if not found:
        raise ValueError(f"{store.path}: has no labelled study")
    return found


def _unknown(run: Path, studies: Sequence[Study], monitor: Monitor) -> list[Study]:
    """The studies of subjects that the run did not use, its test subjects among them.

    Two hospitals may give two patients one name; such studies are left out, with a note.

    Raises:
        ValueError: If none is left, with the name of the first of them.
    """
    rows = read_rows(run / "results" / "split.csv", SplitRow)
    known = {row.subject for row in rows if row.role not in ("test", "unused")}
    seen = sorted({study.subject for study in studies} & known)
    left = [study for study in studies if study.subject not in known]
    if not left:
        raise ValueError(f"{seen[0]}: took part in the run; evaluate it on other subjects")
    for subject in seen:
        monitor.note(
            f"left out: {subject} has the name of a subject that took part in the run; rename it"
            " if it is another"
        )
    return left


def _rows(finished: Finished, studies: Iterable[Study], name: str, seed: int) -> list[OverlapRow]:
    """Agreement of one scenario's segmenter with every study, in all labelled frames.

    The segmenter is read from the run folder, and sees the studies without their labels.
    """
    settings = finished.settings
    segmenter = load_segmenter(finished, name, seed)
    found = []
    for study in studies:
        prediction = predict(segmenter, study.without_labels(), clean=settings.segmenter.clean)
        found += overlap_rows(
            prediction,
            study,
            finished.scheme,
            tolerance_mm=settings.evaluation.nsd_tolerance_mm,
            grid=settings.evaluation.grid,
            scenario=name,
            seed=seed,
        )
    return found
