"""What a run found: gathered, kept as tables, and read again for the report."""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import yaml
from pydantic import ValidationError

from qc import CONSENSUS, Blend, QualityEstimator
from qc.saving import save_estimator
from semiqc.experiment.data import Data
from semiqc.experiment.judging import ESTIMATOR
from semiqc.experiment.settings import Settings
from semiqc.experiment.training_log import FILE
from semiqc.experiment.workshop import Trained
from semiqc.files.atomic import whole_file, write_text
from semiqc.files.tables import (
    ClinicalRow,
    CorrectionRow,
    CurveRow,
    JudgementRow,
    OverlapRow,
    PseudoRow,
    SplitRow,
    TrainingRow,
    read_rows,
    write_rows,
)
from semiqc.report import Overlay, ReportData, build_report, summary_tables
from semiqc.schemes import LabelScheme
from semiqc.work.folder import SETTINGS, read_environment
from semiqc.work.stages import Stage

TABLES: dict[str, type[Any]] = {
    "split": SplitRow,
    "overlap": OverlapRow,
    "clinical": ClinicalRow,
    "corrections": CorrectionRow,
    "curves": CurveRow,
    "judgements": JudgementRow,
    "pseudo": PseudoRow,
    "training": TrainingRow,
}
"""Tables of a run by the name of their file in ``results/``."""


class RunError(ValueError):
    """The folder is not a finished run."""


@dataclass
class Results:
    """Rows and models of a run, as they come.

    Args:
        data: What the run works on.
        split: Who is used for what.
    """

    data: Data
    split: list[SplitRow]
    overlap: list[OverlapRow] = field(default_factory=list)
    clinical: list[ClinicalRow] = field(default_factory=list)
    corrections: list[CorrectionRow] = field(default_factory=list)
    curves: list[CurveRow] = field(default_factory=list)
    judgements: list[JudgementRow] = field(default_factory=list)
    pseudo: list[PseudoRow] = field(default_factory=list)
    overlays: list[Overlay] = field(default_factory=list)
    models: dict[tuple[str, int], Trained] = field(default_factory=dict)
    judges: dict[tuple[str, int], tuple[Stage, QualityEstimator]] = field(default_factory=dict)
    blends: dict[int, Blend] = field(default_factory=dict)

    @property
    def training(self) -> list[TrainingRow]:
        """What the trainings of the scenarios' models reported."""
        return [
            TrainingRow(f"{scenario}, seed {seed}", row.step, row.term, row.value)
            for (scenario, seed), trained in self.models.items()
            for row in read_rows(trained.stage.folder / FILE, TrainingRow)
        ]


def model_file(run: Path, scenario: str, seed: int) -> Path:
    """Where a run keeps the weights of a scenario's final segmenter."""
    return run / "models" / f"{scenario}-seed{seed}.safetensors"


def judge_file(run: Path, estimator: str, seed: int) -> Path:
    """Where a run keeps a fitted quality estimator."""
    return run / "qc" / f"{estimator}-seed{seed}.safetensors"


def write_results(results: Results, run: Path) -> None:
    """Leave tables, overlays, models and estimators in the run folder."""
    folder = run / "results"
    for name, kind in TABLES.items():
        write_rows(folder / f"{name}.csv", kind, getattr(results, name))
    _write_overlays(folder / "overlays.h5", results.overlays)
    for (scenario, seed), trained in results.models.items():
        _copy(trained.path, model_file(run, scenario, seed))
    figures = {}
    for (name, seed), (stage, estimator) in results.judges.items():
        _copy(stage.folder / ESTIMATOR, judge_file(run, name, seed))
        figures[f"{name}, seed {seed}"] = dict(getattr(estimator, "figures_", {}))
    for seed, blend in results.blends.items():
        save_estimator(blend, judge_file(run, CONSENSUS, seed))
    store = results.data.store
    described = {
        "scheme": store.scheme.to_json(),
        "modalities": list(store.modalities),
        "spacing_mm": next(iter(store)).spacing[1],
        "left_out": list(results.data.left_out),
        "estimators": figures,
    }
    write_text(folder / "data.json", json.dumps(described, indent=1) + "\n")


def _copy(source: Path, target: Path) -> None:
    with whole_file(target) as temporary:
        shutil.copyfile(source, temporary)


@dataclass(frozen=True)
class Finished:
    """A finished run, read from its folder.

    Args:
        folder: Of the run.
        settings: That it was made with.
        data: Scheme, modalities, spacing and figures, as ``write_results`` keeps them.

    Raises:
        RunError: If the folder is not that of a finished run.
    """

    folder: Path
    settings: Settings
    data: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> "Finished":
        """The run in a folder.

        Raises:
            RunError: If there is none, or it is not finished.
        """
        described = folder / "results" / "data.json"
        if not described.exists():
            what = "an unfinished run" if (folder / SETTINGS).exists() else "not a run folder"
            raise RunError(f"{folder}: {what}; expected the output of `semiqc run`")
        try:
            settings = Settings.model_validate(
                yaml.safe_load((folder / SETTINGS).read_text(encoding="utf-8"))
            )
        except (yaml.YAMLError, ValidationError) as error:
            first = error.errors()[0] if isinstance(error, ValidationError) else None
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
            raise RunError(
                f"{folder / SETTINGS}: not settings of this version of semiqc"
                f" ({' '.join(reason.split())})"
            ) from None
        return cls(folder, settings, json.loads(described.read_text(encoding="utf-8")))

    @property
    def scheme(self) -> LabelScheme:
        """Of the data the run worked on."""
        return LabelScheme.from_json(self.data["scheme"])

    def _reference(self) -> str:
        """The scenario that the report compares with the others."""
        compared = self.settings.compared()
        gated = [name for name, one in compared.items() if one.gate == "quality"]
        main = [name for name in ("semiqc", f"gate-{self.settings.gate.by}") if name in compared]
        return [*main, *gated, *compared][0]

    def report_data(self) -> ReportData:
        """All that the report shows."""
        folder = self.folder / "results"
        reference = self._reference()
        rows: dict[str, Any] = {
            name: read_rows(folder / f"{name}.csv", kind)
            for name, kind in TABLES.items()
            if name != "pseudo"
        }
        return ReportData(
            title=self.settings.name,
            settings=(self.folder / SETTINGS).read_text(encoding="utf-8"),
            environment=read_environment(self.folder),
            scheme=self.scheme,
            scenarios=[(name, one.title) for name, one in self.settings.compared().items()],
            overlays=_read_overlays(folder / "overlays.h5"),
            left_out=self.data["left_out"],
            by_chance={
                name: control
                for name in self.settings.compared()
                if (control := self.settings.by_chance(name))
            },
            at_random=[name for name, _ in self.settings.at_random(reference)],
            estimator_figures=self.data["estimators"],
            reference_scenario=reference,
            **rows,
        )


def write_report(run: Path) -> Path:
    """Build the report of a finished run and the tables in it anew; the report's path.

    Raises:
        RunError: If the folder is not that of a finished run.
    """
    path = run / "report.html"
    data = Finished.read(run).report_data()
    build_report(data, path)
    for table in summary_tables(data):
        write_text(run / "results" / "tables" / f"{table.name}.csv", table.csv_text())
    return path


def _write_overlays(path: Path, overlays: list[Overlay]) -> None:
    with whole_file(path) as temporary, h5py.File(temporary, "w") as file:
        for number, overlay in enumerate(overlays):
            group = file.create_group(f"{number:04d}")
            for name in ("image", "predicted", "reference"):
                group.create_dataset(name, data=getattr(overlay, name), compression="gzip")
            for name in ("scenario", "rank", "study", "frame", "slice", "dice"):
                group.attrs[name] = getattr(overlay, name)


def _read_overlays(path: Path) -> list[Overlay]:
    with h5py.File(path, "r") as file:
        return [
            Overlay(
                scenario=str(group.attrs["scenario"]),
                rank=str(group.attrs["rank"]),
                study=str(group.attrs["study"]),
                frame=int(group.attrs["frame"]),
                slice=int(group.attrs["slice"]),
                image=group["image"][:],
                predicted=group["predicted"][:],
                reference=group["reference"][:],
                dice=float(group.attrs["dice"]),
            )
            for group in file.values()
        ]
