"""The studies and predictions that a finished run worked on and left."""

from dataclasses import replace
from pathlib import Path

from semiqc.experiment.data import Data, LabelRow, open_data
from semiqc.experiment.dirty import with_dirty_pool
from semiqc.experiment.finished import Finished, RunError
from semiqc.experiment.labelled_store import LabelledStore
from semiqc.files.checksums import MANIFEST, DamagedError, refuse_damaged
from semiqc.files.hdf5 import StoreError
from semiqc.files.predictions import predicted_labels
from semiqc.files.tables import Row, SplitRow, read_rows
from semiqc.study import OnlyFrames, Voxels
from semiqc.work.monitor import Monitor
from semiqc.work.stages import RunFolder


def data_of(finished: Finished, monitor: Monitor) -> Data:
    """The data of a run, some of it spoilt if the settings say so.

    Args:
        finished: The run.
        monitor: Told if the data has to be imported anew.

    Raises:
        RunError: If the data was replaced since.
    """
    settings = finished.settings.model_copy(update={"output": finished.folder})
    stages = RunFolder(finished.folder, note=monitor.note)
    data = open_data(settings, stages, monitor)
    finished.refuse_other_data(data.store)
    if (finished.folder / "results" / "labels.csv").exists():
        data = _labelled(finished.folder, data)
    split = rows_of(finished.folder, "split", SplitRow)
    return with_dirty_pool(settings, data, split, stages, monitor)


def _labelled(run: Path, data: Data) -> Data:
    """The data with the labels that experts gave in files, as the run keeps them."""
    rows = rows_of(run, "labels", LabelRow)
    frames: dict[str, list[int]] = {}
    for row in rows:
        frames.setdefault(row.study, []).append(row.frame)
    files = {row.study: run / row.file for row in rows}
    known = {
        study: OnlyFrames(stored_labels(run, files[study], study, "labels"), tuple(labelled))
        for study, labelled in frames.items()
    }
    key = next(iter(files.values())).parent.name
    return replace(data, store=LabelledStore(data.store, known, key), labels=tuple(rows))


def rows_of(run: Path, table: str, kind: type[Row]) -> list[Row]:
    """A table of the results."""
    return read_rows(run / "results" / f"{table}.csv", kind)


def stored_labels(run: Path, path: Path, study: str, what: str) -> Voxels:
    """Labels ``[T, Z, Y, X]`` of a study in a file of a run, checked.

    Args:
        run: Its folder.
        path: Of the file.
        study: Its name.
        what: They are, for the message.

    Raises:
        RunError: If the file is damaged or gone.
    """
    try:
        if path.exists() and ((run / MANIFEST).exists() or (path.parent / MANIFEST).exists()):
            refuse_damaged(path)
        return predicted_labels(path, study)
    except DamagedError as error:
        raise RunError(str(error)) from None
    except (OSError, KeyError, StoreError) as error:
        raise RunError(f"{path}: the {what} are gone ({error})") from error
