"""The studies of a run and their roles."""

from dataclasses import dataclass
from typing import Self

from semiqc.experiment.data import Data, open_data
from semiqc.experiment.dirty import with_dirty_pool
from semiqc.experiment.estimating.extents import split_of
from semiqc.experiment.settings import Settings
from semiqc.files.tables import SplitRow
from semiqc.work.monitor import Monitor
from semiqc.work.split import check_split
from semiqc.work.stages import RunFolder


@dataclass(frozen=True, eq=False)
class Cohort:
    """What a run works on.

    Args:
        data: The studies, some of them spoilt if the settings say so.
        split: Who is used for what.
    """

    data: Data
    split: list[SplitRow]

    @classmethod
    def of(cls, settings: Settings, folder: RunFolder, monitor: Monitor) -> Self:
        """The studies that the settings ask for; imported, made and spoilt where need be.

        Raises:
            ValueError: If it cannot be had.
        """
        data = open_data(settings, folder, monitor)
        for line in data.left_out:
            monitor.note(f"left out: {line}")
        for line in data.notes:
            monitor.note(line)
        split = make_split(settings, data)
        if settings.labels is not None:
            # Reads files of all formats, which no run without such labels needs.
            from semiqc.experiment.expert_labels import with_expert_labels

            data, split = with_expert_labels(settings.labels, data, split, folder, monitor)
        return cls(with_dirty_pool(settings, data, split, folder, monitor), split)


def make_split(settings: Settings, data: Data) -> list[SplitRow]:
    """The split that the settings ask for, checked.

    Raises:
        ValueError: If it cannot be had, or a subject has two roles.
    """
    studies = list(data.store)
    rows = split_of(settings, studies)
    if not settings.split.file:
        check_split(rows, studies, "split")
    return rows
