"""What to label next, written for the one who labels."""

from dataclasses import dataclass
from pathlib import Path

from semiqc.exchange.export_grids import Grids
from semiqc.exchange.exporting import check_folder
from semiqc.exchange.lineage import SOURCE_GRID
from semiqc.experiment.data import Data
from semiqc.experiment.finished import Finished, RunError
from semiqc.experiment.finished_data import data_of, stored_labels
from semiqc.experiment.suggesting.pool import Pool, pool_of
from semiqc.experiment.suggesting.prelabels import PRELABELS, write_prelabels
from semiqc.experiment.suggesting.ranking import Suggestion, suggestions
from semiqc.files.atomic import whole_folder
from semiqc.files.tables import write_rows
from semiqc.work.monitor import Monitor

TABLE = "suggestions.csv"


@dataclass(frozen=True)
class SuggestionRow:
    """A study to label next.

    Args:
        rank: From 1.
        study: Its name.
        group: Of the study.
        score: Estimated quality of its segmentation, the mean of the estimators, in [0, 1].
        disagreement: Of the estimators, from 0 to .5; NaN where there is only one.
        reasons: In words.
        file: Its segmentations, relative to the folder.
    """

    rank: int
    study: str
    group: str
    score: float
    disagreement: float
    reasons: str
    file: str


def suggest(
    run: Path, folder: Path, *, count: int, seed: int, monitor: Monitor
) -> list[SuggestionRow]:
    """Rank the unlabelled studies of a run, and write segmentations of the first to correct.

    Args:
        run: Folder of the run.
        folder: To write, whole or not at all; one that holds something is never replaced, as
            somebody may have corrected what is in it.
        count: How many studies; all that were judged where there are fewer.
        seed: Of the noise in the ranking.
        monitor: Told how it goes on.

    Raises:
        RunError: If ``run`` is no finished run, has no unlabelled studies, or nobody judged them.
        FileExistsError: If the folder is not empty.
    """
    check_folder(folder, TABLE, overwrite=False)
    finished = Finished.read(run)
    pool = pool_of(run, finished.scheme)
    chosen = suggestions(pool.studies, count, seed)
    data = data_of(finished, monitor)
    grids = Grids(data.store.scheme, SOURCE_GRID)
    with (
        whole_folder(folder, replaces=False) as unfinished,
        monitor.progress("prelabels", len(chosen)) as tick,
    ):
        rows = []
        for rank, one in enumerate(chosen, 1):
            rows.append(_written(unfinished, rank, one, pool, data, grids))
            tick(rank, {})
        write_rows(unfinished / TABLE, SuggestionRow, rows)
    if grids.misses:
        monitor.note(grids.told())
    return rows


def _written(
    folder: Path, rank: int, one: Suggestion, pool: Pool, data: Data, grids: Grids
) -> SuggestionRow:
    """Write the prelabels of a study; its row.

    Raises:
        RunError: If its segmentation does not suit the study.
    """
    of, file = one.of, pool.files[one.of.study]
    study = data.study(of.study)
    labels = stored_labels(pool.run, file, of.study, "segmentations")
    if tuple(labels.shape) != tuple(study.labels.shape):
        raise RunError(
            f"{file}: {of.study} has shape {labels.shape}, the data has"
            f" {tuple(study.labels.shape)}"
        )
    names = write_prelabels(folder, study, labels, grids)
    return SuggestionRow(
        rank, of.study, of.group, of.score, one.disagreement, "; ".join(one.reasons),
        "; ".join(f"{PRELABELS}/{name}" for name in names),
    )  # fmt: skip
