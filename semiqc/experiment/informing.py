"""What a store, a suite or a run holds: ``semiqc info``."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qc.suites.shipped import SUITE
from qc.suites.suite import Suite
from semiqc.doors.regular import UnusableError
from semiqc.experiment.finished import Finished, RunError
from semiqc.experiment.summary import SHOWN, for_terminal
from semiqc.files.store.reader import Store
from semiqc.pages.table import Table
from semiqc.report import answers, summary_tables, told_apart
from semiqc.schemes import LabelScheme
from semiqc.study import Study
from semiqc.work.folder import read_environment
from semiqc.work.publishing import LOCK, SETTINGS

Rows = tuple[str, Sequence[str], Sequence[Sequence[Any]]]
"""Title, headings and rows of a table."""


@dataclass(frozen=True)
class Info:
    """What something holds.

    Args:
        facts: One thing each, by its name.
        tables: Of what there is several of.
        found: Tables of what a run found.
    """

    facts: Mapping[str, Any]
    tables: Sequence[Rows] = field(default_factory=tuple)
    found: Sequence[Table] = field(default_factory=tuple)


def info_of(path: Path) -> Info:
    """What a store, a suite or a run holds; no voxel is looked at.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        ValueError: If it is none of these.
    """
    if path.is_file():
        return _of_store(Store(path, is_checked=False))
    if not path.exists() and path.name != "phantom":
        raise FileNotFoundError(f"{path}: no such file or folder")
    if not path.exists() or (path / SUITE).exists():
        return _of_suite(Suite.load(path))
    if any((path / name).exists() for name in (SETTINGS, LOCK)):
        return _of_run(path)
    raise ValueError(f"{path}: expected a store, a suite or a run folder")


def _of_store(store: Store) -> Info:
    studies = list(store)
    shapes = np.array([study.image.shape[1:] for study in studies])
    facts = {
        "kind": "store",
        "size": f"{store.path.stat().st_size / 1e6:.1f} MB",
        "studies": len(studies),
        "subjects": len({study.subject for study in studies}),
        "labelled studies": sum(1 for study in studies if study.labelled_frames),
        "labelled frames": sum(len(study.labelled_frames) for study in studies),
        "groups": _counted(study.group for study in studies),
        "split": _counted(study.split for study in studies),
        "modalities": ", ".join(store.modalities),
    }
    if studies:
        names = ("frames", "slices", "rows", "columns")
        facts |= {name: _range(shapes[:, n]) for n, name in enumerate(names)}
        mm = np.array([study.spacing for study in studies])
        facts["spacing (mm)"] = " x ".join(_range(mm[:, n]) for n in range(3))
    return Info(_said(facts | _of_scheme(store.scheme)), (_studies(studies),))


def _studies(studies: Sequence[Study]) -> Rows:
    """A row for each study."""
    columns = ("study", "subject", "group", "frames", "labelled", "z, y, x")
    rows = [
        (
            study.name,
            study.subject if study.subject != study.name else "",
            study.group,
            study.frames,
            len(study.labelled_frames),
            " x ".join(map(str, study.image.shape[2:])),
        )
        for study in studies
    ]
    return f"{len(rows)} studies", columns, rows


def _of_scheme(scheme: LabelScheme) -> dict[str, Any]:
    classes = ", ".join(f"{value} {name}" for value, name in enumerate(scheme.classes))
    return {
        "labels": scheme.name,
        "classes": classes,
        "structures": ", ".join(one.name for one in scheme.structures),
    }


def _of_suite(suite: Suite) -> Info:
    learned = suite.training
    facts = {
        "kind": "suite",
        "estimators": len(suite.estimators),
        "learned from": f"{learned.segmentations} segmentations of {learned.studies} studies",
        "weighed by": f"{len(learned.weighing)} studies" if learned.weighing else "",
        "consensus": "yes" if suite.blend else "no",
    }
    rows = [
        (name, type(one).__name__, ", ".join(f"{k} {v:.2f}" for k, v in one.measured().items()))
        for name, one in suite.estimators.items()
    ]
    table = "estimators", ("name", "kind", "on studies held out while fitting"), rows
    return Info(_said(facts | _of_scheme(suite.scheme)), (table,))


def _of_run(path: Path) -> Info:
    stages = [one for one in sorted((path / "stages").glob("*")) if not one.name.startswith(".")]
    facts: dict[str, Any] = {"kind": "run", "finished": "yes", "stages": len(stages)}
    try:
        run = Finished.in_folder(path)
    except RunError:
        return Info(_said(facts | {"finished": "no"}))
    data = run.report_data()
    compared = run.settings.compared()
    facts |= {
        "name": run.settings.name,
        "data": run.settings.data or "phantoms",
        "seeds": ", ".join(map(str, run.settings.seeds)),
        "roles": _counted(row.role for row in data.split),
        "estimators": ", ".join(run.settings.estimators),
        "made by": _made_by(path),
    }
    facts |= {
        one.question: f"{one.word}. {one.figures or one.meaning}"
        for one in (*answers(data), told_apart(data))
    }
    rows = [
        (name, one.title, one.loop if one.gate != "none" else "") for name, one in compared.items()
    ]
    found = [for_terminal(one) for one in summary_tables(data) if one.name in SHOWN[:1]]
    return Info(_said(facts), (("scenarios", ("key", "title", "loop"), rows),), found)


def _made_by(run: Path) -> str:
    """Versions and device."""
    try:
        made = read_environment(run)
    except UnusableError:
        return ""
    version, python, device = (made.get(name, "?") for name in ("semiqc", "python", "device"))
    return f"semiqc {version}, Python {python}, {device}"


def _counted(names: Any) -> str:  # noqa: ANN401
    """How often each name comes, the most frequent first."""
    return ", ".join(f"{name} {n}" for name, n in Counter(filter(None, names)).most_common())


def _range(values: Any) -> str:  # noqa: ANN401
    """Least and greatest, or the one value that all have."""
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def _said(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts that say something."""
    return {name: fact for name, fact in facts.items() if fact not in ("", None)}
