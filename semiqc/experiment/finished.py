"""A finished run, read from its folder for the report and for new studies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from semiqc.doors.json_file import read_object
from semiqc.doors.regular import UnusableError, in_short
from semiqc.doors.text import read_text
from semiqc.doors.yaml_file import read_yaml
from semiqc.experiment.explaining import FILE as EXPLAINED
from semiqc.experiment.explaining import read_explained
from semiqc.experiment.overlays import read_overlays
from semiqc.experiment.renamed import as_written_before
from semiqc.experiment.results import CHECKPOINTS, FILES, GRADED, TABLES
from semiqc.experiment.settings import Settings
from semiqc.experiment.training_log import read_log
from semiqc.experiment.views import read_views
from semiqc.files.checksums import (
    MANIFEST,
    damages,
    entries_of,
    entry_of,
    sha256_of,
    write_entries,
)
from semiqc.files.store.reader import Store
from semiqc.files.tables import CheckpointRow, GradedRow, read_rows
from semiqc.report import ReportData
from semiqc.schemes import LabelScheme
from semiqc.work.folder import RESULT, read_environment
from semiqc.work.publishing import REPORT, SETTINGS, settle

TABLES_FOLDER = "results/tables"
DERIVED = (REPORT, TABLES_FOLDER)
"""Files and folders that ``semiqc report`` makes of the others."""
REMEDY = "`semiqc run` with the same settings makes it anew"


class RunError(ValueError):
    """The folder is not a finished run."""


def refuse_damaged_run(folder: Path) -> None:
    """Make sure that the files of a run are what its manifest says.

    Raises:
        RunError: Naming the first that is not.
    """
    if found := damages(folder, without=DERIVED):
        raise RunError(f"{found[0]}; {REMEDY}")


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
            RunError: If there is none, it is not finished, one of its files is damaged, or its
                data was replaced since.
        """
        settle(folder)
        if (folder / MANIFEST).exists():
            refuse_damaged_run(folder)
        found = cls.in_folder(folder)
        if found.data.get("format", 1) > 1 and not (folder / MANIFEST).exists():
            raise RunError(f"{folder / MANIFEST}: damaged, it is missing; {REMEDY}")
        found.refuse_other_data()
        return found

    @classmethod
    def in_folder(cls, folder: Path) -> "Finished":
        """The run in a folder, whose files are not checked.

        Raises:
            RunError: If there is none, or it is not finished.
        """
        described = folder / RESULT
        if not described.exists():
            known = any((folder / name).exists() for name in (SETTINGS, "stages"))
            what = "an unfinished run" if known else "not a run folder"
            raise RunError(f"{folder}: {what}; expected the output of `semiqc run`")
        return cls(folder, _settings(folder / SETTINGS), _described(described))

    @property
    def is_checked(self) -> bool:
        """Whether its files have checksums; those of earlier versions have none."""
        return (self.folder / MANIFEST).exists()

    def refuse_other_data(self, store: Store | None = None) -> None:
        """Make sure that the data is what the run worked on.

        Args:
            store: That is looked at; by default the one that the settings name, where it is there.

        Raises:
            RunError: If it is not.
        """
        path = self.settings.data
        is_there = store is None and path is not None and path.exists()
        if is_there and (files := self.folder / "results" / FILES).exists():
            self._refuse_other_files(read_object(files))
        elif is_there and path and path.is_file() and path.suffix.lower() != ".csv":
            store = Store(path, is_checked=False)
        known = self.data.get("fingerprint")
        if store and known and store.fingerprint() != known:
            raise RunError(self._not_the_data(store.path, "replaced"))

    def _refuse_other_files(self, known: Mapping[str, str]) -> None:
        """Make sure that the files which were imported are there and the same; others may be, too.

        Raises:
            RunError: Naming the first that is not.
        """
        for name, digest in known.items():
            path = Path(name)
            if not path.is_file():
                raise RunError(self._not_the_data(path, "removed"))
            if sha256_of(path) != digest:
                raise RunError(self._not_the_data(path, "changed"))

    def _not_the_data(self, path: Path, what: str) -> str:
        return (
            f"{path}: not the data that {self.folder} was made of, it was {what} since; put the"
            " former data back, or do the run again with `semiqc run`"
        )

    @property
    def scheme(self) -> LabelScheme:
        """Of the data the run worked on."""
        return LabelScheme.from_json(self.data["scheme"])

    @property
    def reference(self) -> str:
        """The scenario that the report compares with the others.

        ``semiqc`` where it was run; else a gate of the same estimator, any other gate, the first
        scenario. Gates that take notice of an estimator come first.
        """
        compared = self.settings.compared()
        gated = [name for name, one in compared.items() if one.gate == "quality"]
        gates = {name: self.settings.gate_of(name) for name in gated}
        judging = [n for n, gate in gates.items() if gate and not gate.rule_kind.is_control]
        main = [name for name in ("semiqc", f"gate-{self.settings.gate.by}") if name in compared]
        same = [n for n in judging if (gate := gates[n]) and gate.by == self.settings.gate.by]
        return [*main, *same, *judging, *gated, *compared][0]

    def _choosing(self) -> list[str]:
        """Scenarios whose gate is to choose, and not to take all."""
        gates = {name: self.settings.gate_of(name) for name in self.settings.compared()}
        return [name for name, gate in gates.items() if gate and not gate.rule_kind.admits_all]

    def report_data(self) -> ReportData:
        """All that the report shows."""
        folder = self.folder / "results"
        reference = self.reference
        rows: dict[str, Any] = {
            name: read_rows(folder / f"{name}.csv", kind)
            for name, kind in TABLES.items()
            if name not in ("pseudo", "training", "verdicts", "labels")
        }
        rows["training"] = read_log(folder / "training.csv")
        if (folder / CHECKPOINTS).exists():
            rows["checkpoints"] = read_rows(folder / CHECKPOINTS, CheckpointRow)
        if (folder / GRADED).exists():
            rows["graded"] = read_rows(folder / GRADED, GradedRow)
        rows["explained"], rows["paths"] = read_explained(folder / EXPLAINED)
        return ReportData(
            title=self.settings.name,
            settings=read_text(self.folder / SETTINGS),
            environment=read_environment(self.folder),
            scheme=self.scheme,
            scenarios=[(name, one.title) for name, one in self.settings.compared().items()],
            overlays=read_overlays(folder / "overlays.h5"),
            views=read_views(folder / "views.h5"),
            left_out=self.data["left_out"],
            notes=self.data.get("notes", ()),
            by_chance={
                name: control
                for name in self.settings.compared()
                if (control := self.settings.by_chance(name))
            },
            at_random=[name for name, _ in self.settings.at_random(reference)],
            at_all=self.settings.at_all(reference),
            choosing=self._choosing(),
            estimator_figures=self.data["estimators"],
            suite=self.data.get("suite", {}),
            reference_scenario=reference,
            folder=str(self.settings.output),
            **rows,
        )


def _settings(path: Path) -> Settings:
    """The settings that a run was made with.

    Raises:
        RunError: If this version of semiqc does not know them.
    """
    try:
        written = read_yaml(path)
        if not isinstance(written, dict):
            raise RunError(f"{path}: expected settings, found {type(written).__name__}")
        return Settings.model_validate(as_written_before(written))
    except UnusableError as error:
        raise RunError(str(error)) from None
    except ValidationError as error:
        first = error.errors()[0]
        reason = in_short(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        raise RunError(f"{path}: not settings of this version of semiqc ({reason})") from None


def _described(path: Path) -> dict[str, Any]:
    """What ``write_results`` kept of the data, checked.

    Raises:
        RunError: If the file is damaged, or says less.
    """
    try:
        found = read_object(path)
        LabelScheme.from_json(found["scheme"])
        kinds = {"modalities": list, "spacing_mm": float, "left_out": list, "estimators": dict}
        wrong = [name for name, kind in kinds.items() if not isinstance(found[name], kind)]
        if not isinstance(found.get("suite", {}), dict):
            wrong.append("suite")
    except KeyError as error:
        raise RunError(f"{path}: damaged, lacks {error}") from None
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise RunError(f"{path}: damaged ({in_short(error)})") from None
    if wrong:
        raise RunError(f"{path}: damaged, {wrong[0]} is {type(found[wrong[0]]).__name__}")
    return found


def write_report(run: Path) -> Path:
    """Build the report of a finished run and the tables in it anew; the report's path.

    Raises:
        RunError: If the folder is not that of a finished run.
    """
    finished = Finished.read(run)
    if not finished.is_checked:
        return build_pages(finished)
    # What a killed command leaves has no checksum, rather than a wrong one.
    entries = {k: v for k, v in entries_of(run).items() if not _is_derived(k)}
    write_entries(run, entries)
    path = build_pages(finished)
    derived = [path, *_tables(run)]
    write_entries(run, entries | {p.relative_to(run).as_posix(): entry_of(p) for p in derived})
    return path


def _is_derived(name: str) -> bool:
    """Whether a file of a run is made of others by ``semiqc report``."""
    return any(PurePosixPath(name).is_relative_to(one) for one in DERIVED)


def _tables(run: Path) -> list[Path]:
    return sorted((run / TABLES_FOLDER).glob("*.csv"))


def build_pages(finished: Finished) -> Path:
    """Write the report of a run and the tables in it into its folder; the report's path."""
    # Pages are drawn, which who only reads a run needs not.
    from semiqc.report import build_report

    path, data = finished.folder / REPORT, finished.report_data()
    folder = finished.folder / TABLES_FOLDER
    tables = build_report(data, path)
    for table in tables:
        table.write(folder)
    written = {folder / f"{table.name}.csv" for table in tables}
    for stale in set(_tables(finished.folder)) - written:
        stale.unlink()
    return path
