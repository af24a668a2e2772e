"""What a path holds to be reviewed."""

from functools import partial
from pathlib import Path

from semiqc.doors.regular import UnusableError
from semiqc.files.hdf5 import is_hdf5
from semiqc.files.store.reader import Store
from semiqc.review.files import SCORES
from semiqc.review.items import Item, Material
from semiqc.review.run_queue import FOLDER, QUEUE, VERDICTS, of_run


def find_items(path: Path) -> list[Item]:
    """The studies at a path, in its own order.

    Args:
        path: A store, or the folder of a run.

    Raises:
        UnusableError: If there is nothing to review.
    """
    if (path / FOLDER / QUEUE).exists():
        return of_run(path)
    if is_hdf5(path):
        return of_store(path)
    is_scored = (path / SCORES).exists()
    say = f"IMAGES SEGMENTATIONS --scores {path}" if is_scored else f"{path} SEGMENTATIONS"
    raise UnusableError(f"{path}: expected a store or a run; for files: semiqc review {say}")


def records_of(path: Path) -> Path:
    """Where verdicts on what a path holds are kept: in a run, else beside the path."""
    if (path / FOLDER / QUEUE).exists():
        return path / FOLDER / VERDICTS
    return path.with_name(f"{path.stem}.review.sqlite")


def of_store(path: Path) -> list[Item]:
    """Every study of a store with the labels that it has.

    Raises:
        UnusableError: If it holds none.
    """
    store = Store(path)
    if not store.names:
        raise UnusableError(f"{path}: holds no study to judge")
    return [
        Item(name, store.told_digest(name), partial(_stored, store, name)) for name in store.names
    ]


def _stored(store: Store, name: str) -> Material:
    study = store.study(name)
    return Material(study.image, study.labels, study.spacing, store.scheme)
