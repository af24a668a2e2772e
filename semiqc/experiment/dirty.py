"""The dirty pool of a run: a share of its unlabelled studies spoilt, as in an archive.

The spoilt studies are a store in a stage of the run folder. They take the place of the studies
that they were made of in everything that the run does with its unlabelled studies; those of all
other roles are left as they are.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from semiqc.experiment.data import STORE, Data
from semiqc.experiment.settings import Settings
from semiqc.files.store.reader import Store
from semiqc.files.tables import SplitRow, SpoiltRow, read_rows, write_rows
from semiqc.spoiling import deal, write_spoilt
from semiqc.work.monitor import Monitor
from semiqc.work.stages import RunFolder

TABLE = "dirty.csv"


def with_dirty_pool(
    settings: Settings, data: Data, split: Sequence[SplitRow], folder: RunFolder, monitor: Monitor
) -> Data:
    """The data with as many unlabelled studies spoilt as the section ``dirty`` says.

    Raises:
        ValueError: If there are not enough unlabelled studies that one of the kinds suits.
    """
    dirty = settings.dirty
    pool = sorted(row.study for row in split if row.role == "unlabelled")
    if not dirty.share or not pool:
        return data

    def make(unfinished: Path) -> None:
        studies = [data.store.study(name) for name in pool]
        try:
            rows = deal(studies, dirty.share, dirty.kinds, dirty.seed)
        except ValueError as error:
            raise ValueError(f"dirty: {error}") from error
        with monitor.progress("spoil", len(rows)) as tick:
            write_spoilt(
                data.store,
                unfinished / STORE,
                rows,
                dirty.seed,
                overwrite=True,
                on_progress=lambda done, total: tick(done, {}),
            )
        write_rows(unfinished / TABLE, SpoiltRow, rows)

    depends = {"store": data.store.fingerprint(), "pool": pool, **dirty.model_dump(mode="json")}
    stage = folder.stage("dirty", depends, make)
    store = Store(stage.folder / STORE)
    rows = tuple(read_rows(stage.folder / TABLE, SpoiltRow))
    spoilt = {study.name: study for study in store}
    return replace(data, spoilt=spoilt, spoilt_store=store.path, dirty=rows)
