"""Each row of "Where do I put ...": one class, one line, and the programs know it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from run_settings import TINY
from torch import nn

from loops import LOOPS, Round
from qc import ESTIMATORS, Quality, QualityEstimator
from qc.graded import SOURCES
from qc.graded.source import Made, Source
from segmenters import SEGMENTERS, NetworkSegmenter
from semiqc.cli import main
from semiqc.exchange.readers import READERS, Reader
from semiqc.experiment.scenarios import SCENARIOS, Scenario
from semiqc.files.store.reader import Store
from semiqc.files.tables import OverlapRow, read_rows
from semiqc.images.raw import Entry, Listing, RawStudy
from semiqc.measuring.metrics import METRICS, Metric
from semiqc.pages.table import Table, number, text
from semiqc.phantom import write_phantoms
from semiqc.report import tables as report_tables
from semiqc.schemes import SHORT_AXIS
from semiqc.suites.settings import DEFAULT_ESTIMATORS


class Volumes(QualityEstimator):
    """Scores by how much is segmented."""

    def __init__(self, scheme, *, largest_share: float = 0.5):
        self.scheme = scheme
        self.largest_share = largest_share

    def fit(self, graded, *, observe=None):
        self.share_ = np.array([self.largest_share])
        return self

    def predict(self, predictions):
        return [
            Quality(one.study, min(float((one.labels[:] > 0).mean()) / self.share_[0], 1.0))
            for one in predictions
        ]

    def arrays(self):
        return {"share": self.share_}

    def with_arrays(self, arrays):
        self.share_ = np.asarray(arrays["share"])
        return self


class Shallow(NetworkSegmenter):
    """One convolution."""

    def build(self):
        return nn.Conv2d(self.modalities, len(self.scheme.classes), 3, padding=1)

    def deepest(self, network):
        return network


@dataclass(frozen=True)
class Copies(Source):
    """The reference itself, as a segmentation."""

    seed: int = 0

    def make(self, train, judged: Sequence):
        for study in judged:
            for frame in study.labelled_frames:
                labels = np.asarray(study.labels[frame]).clip(min=0)
                yield Made(study, frame, labels, "copies")


def find_arrays(source, scheme):
    def read(name, with_labels):
        image = np.load(source / f"{name}.npy")
        labels = np.full(image.shape[1:], -1, np.int8)
        labels[0] = 0
        return RawStudy(
            name=name, image=image, labels=labels, spacing=(8.0, 1.5, 1.5), affine=np.eye(4)
        )

    entries = [
        Entry(
            path.stem,
            path,
            lambda: (1.5, 1.5),
            lambda with_labels, name=path.stem: read(name, with_labels),
        )
        for path in sorted(source.glob("*.npy"))
    ]
    return Listing(tuple(entries), scheme or SHORT_AXIS, ("MR",))


def widths(predicted, reference, spacing, tolerance_mm):
    return predicted.any(axis=(1, 2)).sum(axis=-1).astype(float) * spacing[2]


def seconds_table(data):
    rows = [{"title": title, "seconds": 1.5} for _, title in data.scenarios]
    columns = [text("title", "Scenario"), number("seconds", "Seconds", 1)]
    return Table("seconds", "Time of a scenario", rows, columns, section="training")


def train_again(bench, first, experts, candidates, *, rounds):
    """Trains once more on the experts' labels."""
    model = bench.train(experts, (), number=1, is_last=True)
    yield Round(1, model, pseudo=())


@pytest.fixture
def known(monkeypatch):
    # Those by default are read when their module is loaded, which is before.
    assert "volumes" not in DEFAULT_ESTIMATORS
    monkeypatch.setitem(ESTIMATORS, "volumes", Volumes)
    monkeypatch.setitem(SEGMENTERS, "shallow", Shallow)
    monkeypatch.setitem(SOURCES, "copies", Copies)
    monkeypatch.setitem(LOOPS, "again", train_again)
    monkeypatch.setitem(SCENARIOS, "again", Scenario("Once more", "again"))
    monkeypatch.setitem(METRICS, "width_mm", Metric("Width in mm", "Of all.", 1, widths))
    monkeypatch.setattr(report_tables, "TABLES", [*report_tables.TABLES, seconds_table])
    reader = Reader(lambda source: any(source.glob("*.npy")), find_arrays)
    monkeypatch.setitem(READERS, "arrays", reader)


@pytest.mark.usefixtures("undrawn")
def test_what_the_registries_name_is_in_a_run_and_its_report(known, tmp_path, capsys):
    settings = ["qc.estimators=[volumes]", "gate.by=volumes", "segmenter.kind=shallow"]
    settings += ["qc.arguments={volumes: {largest_share: 0.25}}", "scenarios=[few, semiqc, again]"]
    changes = [f"--set={change}" for change in (*TINY, *settings)]

    assert main(["run", *changes, "--output", str(tmp_path / "run")]) == 0

    run = tmp_path / "run"
    assert (run / "qc" / "volumes-seed0.safetensors").exists()
    assert (run / "models" / "semiqc-seed0.safetensors").exists()
    assert (run / "models" / "again-seed0.safetensors").exists()
    rows = read_rows(run / "results" / "overlap.csv", OverlapRow)
    assert rows
    assert all(row.figures["width_mm"] >= 0 for row in rows)
    page = (run / "report.html").read_text(encoding="utf-8")
    for title in ("Width in mm, mean (SD) over test studies", "Time of a scenario"):
        assert page.count(f"<h3>{title}</h3>") == 1
    assert page.index("Time of a scenario") > page.index('<h2 id="training">')
    assert (run / "results" / "tables" / "seconds.csv").exists()
    assert main(["run", "--set=qc.estimators=[volumens]", "--output", str(tmp_path / "b")]) == 2
    assert "did you mean 'volumes'?" in capsys.readouterr().err


def test_an_estimator_and_a_source_in_the_registries_are_in_suites(known, tmp_path):
    store = tmp_path / "store.h5"
    write_phantoms(store, studies=3, size=32, slices=2, frames=2)
    suite = tmp_path / "suite"

    arguments = ["--estimators", "volumes", "--sources", "copies", "--folds", "2"]
    assert main(["qc", "fit", str(store), "-o", str(suite), *arguments]) == 0

    described = json.loads((suite / "suite.json").read_text(encoding="utf-8"))
    assert described["estimators"] == ["volumes"]
    assert set(described["training"]["sources"]) == {"copies"}


def test_a_layout_in_the_registry_is_recognised_by_import(known, tmp_path):
    folder = tmp_path / "arrays"
    folder.mkdir()
    rng = np.random.default_rng(0)
    np.save(folder / "heart.npy", rng.random((1, 2, 3, 32, 32), dtype=np.float32))

    assert main(["import", str(folder), str(tmp_path / "store.h5")]) == 0

    assert [study.name for study in Store(tmp_path / "store.h5")] == ["heart"]
