"""What a scenario of a finished run learned from, as a data set for other programs.

Only the final training counts: labels of the rounds before it are not exported. Where each frame
came from, with scores and decisions, stands in ``lineage.csv`` beside the images.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from semiqc.exchange.export_dicom import DICOM_SEG, export_dicom_seg
from semiqc.exchange.export_grids import Grids
from semiqc.exchange.exporting import export_cases
from semiqc.exchange.lineage import (
    PROPAGATED,
    PSEUDO,
    SOURCE_GRID,
    ExportCase,
    Lineage,
    LineageRow,
)
from semiqc.experiment.data import Data, with_training_frames
from semiqc.experiment.finished import Finished, RunError
from semiqc.experiment.finished_data import data_of, rows_of, stored_labels
from semiqc.experiment.settings import Settings
from semiqc.files.store.reader import Store
from semiqc.files.tables import JudgementRow, PseudoRow, SplitRow
from semiqc.study import OnlyFrames, Study
from semiqc.work.arguments import unknown
from semiqc.work.monitor import Monitor


def export_run(
    run: Path,
    folder: Path,
    *,
    scenario: str | None,
    seed: int | None = None,
    layout: str = "auto",
    grid: str = SOURCE_GRID,
    overwrite: bool = False,
    monitor: Monitor,
) -> list[LineageRow]:
    """Export the expert's frames of the labelled studies and a scenario's pseudo-labels.

    Labels that the scenario carried to other frames are exported, too. Studies whose source is
    gone or was replaced lie on the store's grid, with a note.

    Args:
        run: Folder of the run.
        folder: To write.
        scenario: One with pseudo-labels; None for the one that the report compares.
        seed: Of the run; default: the first.
        layout: As ``semiqc.exchange.exporting`` has it.
        grid: Whose grid and intensities: ``source``, of the files imported, or ``store``.
        overwrite: Replace a data set that stands there.
        monitor: Told if the run's data has to be imported anew.

    Raises:
        RunError: If ``run`` is no finished run, its data was replaced, or it has no pseudo-labels.
        FileExistsError: If the folder is not empty and may not be replaced.
        ValueError: If there is no such layout or grid.
    """
    store, cases = _learned_from(run, scenario, seed, monitor)
    grids = Grids(store.scheme, SOURCE_GRID if layout == DICOM_SEG else grid)
    if layout == DICOM_SEG:
        rows = export_dicom_seg(grids.on(cases), folder, store.scheme, overwrite=overwrite)
        return _noted(rows, _no_dicom(grids.count, rows), monitor)
    rows = export_cases(
        grids.on(cases), folder, store.scheme, store.modalities, layout=layout, overwrite=overwrite
    )
    return _noted(rows, grids.told() if grids.misses else "", monitor)


def _no_dicom(count: int, rows: Sequence[LineageRow]) -> str:
    """How many of ``count`` studies have no DICOM files; empty where all have some."""
    left = count - len({row.study for row in rows})
    return (
        f"left out: {left} of {count} studies, not of DICOM files that are there" if left else ""
    )


def _noted(rows: list[LineageRow], note: str, monitor: Monitor) -> list[LineageRow]:
    """The rows, once the note, if any, is told."""
    if note:
        monitor.note(note)
    return rows


def _learned_from(
    run: Path, scenario: str | None, seed: int | None, monitor: Monitor
) -> tuple[Store, Iterator[ExportCase]]:
    """The store of a run, and what a scenario of it learned from."""
    finished = Finished.read(run)
    settings = finished.settings.model_copy(update={"output": run})
    scenario = scenario or finished.reference
    chosen = _Chosen.of(run, settings, scenario, settings.seeds[0] if seed is None else seed)
    data = data_of(finished, monitor)
    return data.store, chosen.cases(data, settings)


@dataclass(frozen=True)
class _Chosen:
    """What a run noted of one scenario with one seed.

    Args:
        run: Folder of the run.
        labelled: Names of the labelled studies.
        pseudo: Frames of the pseudo-labels that were trained on, by study.
        judged: What the gate decided, by study and round.
    """

    run: Path
    labelled: Sequence[str]
    pseudo: Mapping[str, Sequence[PseudoRow]]
    judged: Mapping[tuple[str, int], JudgementRow]

    @classmethod
    def of(cls, run: Path, settings: Settings, scenario: str, seed: int) -> Self:
        """Read what a run noted.

        Raises:
            RunError: If the scenario has no pseudo-labels with that seed.
        """
        pseudo = rows_of(run, "pseudo", PseudoRow)
        chosen: dict[str, list[PseudoRow]] = {}
        for row in pseudo:
            if (row.scenario, row.seed) == (scenario, seed):
                chosen.setdefault(row.study, []).append(row)
        if not chosen:
            raise RunError(f"{run}: {_nothing(settings, scenario, seed, pseudo)}")
        judged = {
            (row.study, row.round): row
            for row in rows_of(run, "judgements", JudgementRow)
            if (row.scenario, row.seed) == (scenario, seed)
        }
        labelled = [row.study for row in rows_of(run, "split", SplitRow) if row.role == "labelled"]
        return cls(run, labelled, chosen, judged)

    def cases(self, data: Data, settings: Settings) -> Iterator[ExportCase]:
        """Labelled studies with what was carried to other frames, then the pseudo-labels."""
        experts = [data.study(name) for name in self.labelled]
        frames, seed = settings.frames, settings.split.seed
        for study in with_training_frames(experts, frames, data.store.scheme, seed):
            rows = self.pseudo.get(study.name)
            yield _propagated(self.run, study, rows) if rows else ExportCase(study)
        for name, rows in self.pseudo.items():
            if name not in self.labelled:
                yield _case(self.run, data, rows, self.judged[name, rows[0].round])


def _nothing(settings: Settings, scenario: str, seed: int, pseudo: Sequence[PseudoRow]) -> str:
    """Why there are no pseudo-labels of a scenario and a seed."""
    gated = [name for name in settings.compared() if settings.gate_of(name)]
    if scenario not in settings.compared():
        return f"scenario {unknown(scenario, gated)}"
    if scenario not in gated:
        return f"scenario {scenario} has no pseudo-labels; those with are {', '.join(gated)}"
    if seed not in settings.seeds:
        return f"no seed {seed}; its seeds are {', '.join(map(str, settings.seeds))}"
    others = [str(row.seed) for row in pseudo if row.scenario == scenario]
    where = f"; seeds with some: {', '.join(dict.fromkeys(others))}" if others else ""
    return f"scenario {scenario} admitted nothing with seed {seed}{where}"


def _propagated(run: Path, study: Study, rows: Sequence[PseudoRow]) -> ExportCase:
    """A labelled study, with what was carried from the expert's frames to others."""
    labels = _labels(run, rows)
    lineage = Lineage(
        PROPAGATED, round=rows[0].round, reason="carried from the expert's frames by registration"
    )
    others = set(labels.labelled_frames) - set(study.labelled_frames)
    return ExportCase(replace(study, labels=labels), dict.fromkeys(sorted(others), lineage))


def _labels(run: Path, rows: Sequence[PseudoRow]) -> OnlyFrames:
    """The pseudo-labels of a study, of which each row names a frame."""
    row = rows[0]
    labels = stored_labels(run, run / row.file, row.study, "pseudo-labels")
    return OnlyFrames(labels, tuple(one.frame for one in rows))


def _case(run: Path, data: Data, rows: Sequence[PseudoRow], judged: JudgementRow) -> ExportCase:
    """An unlabelled study with its pseudo-labels and where they come from."""
    labels = _labels(run, rows)
    lineage = Lineage(
        PSEUDO,
        model=judged.model,
        round=rows[0].round,
        scores=judged.scores,
        decision="admitted",
        reason=judged.reason,
        grain=judged.grain,
        weight=judged.weight,
        repair=judged.repair,
    )
    study = data.study(rows[0].study).with_labels(labels)
    return ExportCase(study, dict.fromkeys(labels.labelled_frames, lineage))
