"""A share of many studies spoilt, as an archive has them."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from semiqc.files.alone import alone, empty
from semiqc.files.atomic import CAME, move, unfinished_folder
from semiqc.files.checksums import refuse_sealed
from semiqc.files.places import refuse_mount
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter, check_replaceable
from semiqc.files.tables import SpoiltRow, write_rows
from semiqc.spoiling.one_study import spoil
from semiqc.spoiling.registry import SPOILINGS
from semiqc.study import Study
from semiqc.work.arguments import unknown
from semiqc.work.progress import Progress, untold

SHARE = 1 / 3
"""Of the studies; that of an archive nobody looked through, on the bad side."""


def deal(
    studies: Iterable[Study], share: float, kinds: Sequence[str], seed: int
) -> list[SpoiltRow]:
    """Which studies are spoilt, and how: of each kind as many, as far as the studies allow.

    Args:
        studies: Of which some are chosen.
        share: Of all, rounded to whole studies.
        kinds: Names in ``SPOILINGS``.
        seed: Of the choice.

    Returns:
        The chosen studies, sorted by name.

    Raises:
        ValueError: If a kind is unknown, or there are not as many studies that one of the kinds
            suits.
    """
    for kind in kinds:
        if kind not in SPOILINGS:
            raise ValueError(f"kinds of spoiling: {unknown(kind, list(SPOILINGS))}")
    by_name = {study.name: study for study in studies}
    rng = np.random.default_rng(seed)
    used = dict.fromkeys((str(kind) for kind in rng.permutation(kinds)), 0)
    wanted = int(share * len(by_name) + 0.5)
    rows: list[SpoiltRow] = []
    for name in rng.permutation(sorted(by_name)):
        study = by_name[str(name)]
        fitting = [kind for kind in used if SPOILINGS[kind]().suits(study)]
        if fitting and len(rows) < wanted:
            kind = min(fitting, key=lambda kind: used[kind])
            used[kind] += 1
            rows.append(SpoiltRow(study.name, study.group, kind))
    if len(rows) < wanted:
        raise ValueError(
            f"{wanted} studies are to be spoilt, but only {len(rows)} have slices enough for"
            f" one of: {', '.join(kinds)}"
        )
    return sorted(rows, key=lambda row: row.study)


def write_spoilt(
    store: Store,
    path: Path,
    rows: Sequence[SpoiltRow],
    seed: int,
    *,
    others: Sequence[str] = (),
    overwrite: bool = False,
    on_progress: Progress = untold,
) -> None:
    """Write a store of spoilt studies; one study stands in memory at a time.

    Args:
        store: Of the studies as they were.
        path: File to write, whole or not at all.
        rows: Which studies are spoilt, and how.
        seed: Of what is drawn.
        others: Names of studies that are written beside them as they are.
        overwrite: Replace a file that exists.
        on_progress: Told the number of studies written, and of all, after each.

    Raises:
        FileExistsError: If the file exists and may not be replaced.
    """
    kind_of = {row.study: row.kind for row in rows}
    names = sorted({*kind_of, *others})
    with StoreWriter(path, store.scheme, store.modalities, overwrite=overwrite) as writer:
        for done, name in enumerate(names, start=1):
            study = store.study(name)
            kind = kind_of.get(name)
            writer.add(spoil(study, kind, store.scheme, seed) if kind else study)
            on_progress(done, len(names))


def spoil_store(
    source: Path,
    target: Path,
    *,
    share: float = SHARE,
    kinds: Sequence[str] = tuple(SPOILINGS),
    seed: int = 0,
    roles: Mapping[str, str] | None = None,
    overwrite: bool = False,
    on_progress: Progress = untold,
) -> list[SpoiltRow]:
    """A copy of a store in which a share of the studies is spoilt, and a CSV beside it.

    Args:
        source: Store as it is.
        target: Store to write; the table has its name and ends with ``.csv``.
        share: Of the studies that may be spoilt, in [0, 1].
        kinds: Names in ``SPOILINGS``.
        seed: Of the choice and of what is drawn.
        roles: Role of each study, of which only the unlabelled may be spoilt; None means all.
        overwrite: Replace files that exist.
        on_progress: Told the number of studies written, and of all, after each.

    Raises:
        FileExistsError: If a file exists and may not be replaced.
        ValueError: If target and source are one file, there is no study, or ``deal`` finds too
            few.
    """
    table = _free_table(source, target, overwrite=overwrite)
    store = Store(source)
    if not store.names:
        raise ValueError(f"{source}: holds no study to spoil")
    open_to = [n for n in store.names if roles is None or roles.get(n) == "unlabelled"]
    rows = deal((store.study(name) for name in open_to), share, kinds, seed)
    with _both(target, table, overwrite=overwrite) as (made, told):
        write_spoilt(
            store, made, rows, seed, others=store.names, overwrite=True, on_progress=on_progress
        )
        write_rows(told, SpoiltRow, rows)
    return rows


@contextmanager
def _both(target: Path, table: Path, *, overwrite: bool) -> Iterator[tuple[Path, Path]]:
    """Temporary paths of a store and its table, which take their places together.

    Whenever it is killed, no spoilt store stands without the table that is of it.

    Raises:
        BlockingIOError: If another process writes them.
        FileExistsError: If one came to stand there that may not be replaced.
    """
    unfinished = unfinished_folder(target)
    with alone(unfinished, target):
        empty(unfinished)
        made, told = (unfinished / path.name for path in (target, table))
        try:
            yield made, told
            for path in (target, table):
                if path.exists() and not overwrite:
                    raise FileExistsError(f"{path}: {CAME}")
            target.unlink(missing_ok=True)
            table.unlink(missing_ok=True)
            if told.exists():
                move(told, table)
            move(made, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _free_table(source: Path, target: Path, *, overwrite: bool) -> Path:
    """The table that stands beside a store that shall be written.

    Raises:
        FileExistsError: If it exists and may not be replaced, or the store that stands there.
        ValueError: If the store is the one that is read, or has no name or that of its table.
        OSError: If one of them cannot be replaced.
    """
    if not target.name:
        raise ValueError(f"{target}: is a folder; name a file to write")
    table = target.with_suffix(".csv")
    if table.name.casefold() == target.name.casefold():
        raise ValueError(f"{target}: its table would have this name; name a file *.h5")
    if target.resolve() == source.resolve():
        raise ValueError(f"{target}: is the store that is read; choose another file to write")
    if table.exists() and not overwrite:
        raise FileExistsError(f"{table}: exists already; say --overwrite to replace it")
    check_replaceable(target, overwrite=overwrite)
    refuse_sealed(table)
    for path in (target, table):
        refuse_mount(path)
    return table
