"""The dirty pool of a run: who is spoilt, what depends on it, and what a run makes of it."""

import csv
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from run_settings import KEPT, TINY, nothing_drawn

from semiqc.cli.app import main
from semiqc.experiment import read_settings, run
from semiqc.experiment.cohort import make_split
from semiqc.experiment.data import open_data
from semiqc.experiment.dirty import with_dirty_pool
from semiqc.experiment.split_studies import SplitStudies
from semiqc.files.store.reader import Store
from semiqc.phantom import write_phantoms
from semiqc.review.sources import find_items
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder

ROLES = ("labelled", "qc", "validation", "test")
DIRTY = ("phantom.studies=16", "dirty.share=0.5", "gate.k=5", KEPT, "scenarios=[few, random]")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("dirty") / "store.h5"
    write_phantoms(path, studies=14, size=32, slices=3, frames=2)
    return path


def settings_of(store: Path, output: Path, *changes: str):
    return read_settings(None, [*TINY, f"data={store}", f"output={output}", *changes])


def dirty_data(settings, announce=lambda name, found: None):
    """Data and split of a run, without any training."""
    folder = RunFolder(settings.output, announce)
    data = open_data(settings, folder, Silent())
    split = make_split(settings, data)
    return with_dirty_pool(settings, data, split, folder, Silent()), split


def test_only_unlabelled_studies_are_spoilt_and_the_share_is_met(store, tmp_path):
    settings = settings_of(store, tmp_path / "run", "dirty.share=0.5")
    data, split = dirty_data(settings)
    role = {row.study: row.role for row in split}

    spoilt = [row.study for row in data.dirty]
    assert [role[name] for name in spoilt] == ["unlabelled"] * 2
    assert sorted(data.spoilt) == spoilt
    studies = SplitStudies(data, split, settings)
    for study in studies.candidates:
        is_clean = study.image.path == store
        assert is_clean is (study.name not in spoilt)
    others = [*studies.experts, *studies.spared, *studies.validation, *studies.test]
    assert {role[study.name] for study in others} == set(ROLES)
    assert {study.image.path for study in others} == {store}
    # Labels of the unlabelled, which train the full scenario, are those of the spoilt images.
    known = {study.name: study for study in studies.all_experts}
    assert all(known[name].image.path == data.spoilt[name].image.path for name in spoilt)


def test_without_the_section_nothing_is_spoilt(store, tmp_path):
    settings = settings_of(store, tmp_path / "run")
    data, _ = dirty_data(settings)

    assert settings.dirty.share == 0
    assert (dict(data.spoilt), data.dirty) == ({}, ())
    assert read_settings(None, ["dirty={kinds: [noise]}"]).dirty.share == pytest.approx(1 / 3)


def test_the_pool_is_made_once_and_anew_where_its_settings_change(store, tmp_path):
    made = []

    def pool_of(*changes):
        settings = settings_of(store, tmp_path / "run", "dirty.share=0.5", *changes)
        data, _ = dirty_data(settings, lambda name, found: made.append((name, found)))
        return [(row.study, row.kind) for row in data.dirty]

    first = pool_of()
    assert pool_of() == first
    assert {kind for _, kind in pool_of("dirty.kinds=[noise]")} == {"noise"}
    assert pool_of("dirty.seed=1") != first
    assert made == [("dirty", False), ("dirty", True), ("dirty", False), ("dirty", False)]


def test_a_share_that_no_kind_can_fill_is_refused(store, tmp_path, capsys):
    write_phantoms(tmp_path / "aorta.h5", kind="aorta", studies=14, size=32, frames=2)
    changes = [f"data={tmp_path / 'aorta.h5'}", "dirty.share=1", "dirty.kinds=[view]"]
    words = [word for change in (*TINY, *changes) for word in ("--set", change)]

    assert main(["run", *words, "-o", str(tmp_path / "run")]) == 2

    assert "dirty: 4 studies are to be spoilt, but only 0 have slices" in capsys.readouterr().err


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dirty") / "run"
    with nothing_drawn():
        run(read_settings(None, [*TINY, *DIRTY, f"output={folder}"]), Silent())
    return folder


def rows(folder, table):
    with (folder / "results" / f"{table}.csv").open() as file:
        return list(csv.DictReader(file))


def stages(folder, name):
    return {path.name for path in (folder / "stages").glob(f"{name}-*")}


def test_a_run_tells_what_was_spoilt_and_admitted(finished):
    spoilt = {row["study"] for row in rows(finished, "dirty")}
    judged = [row for row in rows(finished, "judgements") if row["scenario"] == "random"]
    admitted = {row["study"] for row in judged if row["admitted"] == "True"}

    assert len(spoilt) == round(0.5 * len(judged) + 0.01)
    [gate] = rows(finished, "tables/gate")
    assert int(gate["spoilt"]) == len(spoilt)
    assert int(gate["spoilt admitted"]) == len(spoilt & admitted)
    by_kind = rows(finished, "tables/dirty")
    assert sum(float(row["admitted random"]) for row in by_kind) == len(admitted)
    page = (finished / "report.html").read_text(encoding="utf-8")
    assert page.count("<h3>Admitted studies of the dirty pool</h3>") == 1


def test_a_reader_sees_spoilt_studies_as_they_were_segmented(finished):
    [dirty] = stages(finished, "dirty")
    spoilt = Store(finished / "stages" / dirty / "store.h5")
    items = {one.study: one for one in find_items(finished) if not one.teaches}

    assert set(spoilt.names) < set(items)
    for study in spoilt:
        np.testing.assert_array_equal(items[study.name].read().image[:], study.image[:])


@pytest.mark.usefixtures("undrawn")
def test_a_clean_run_shares_what_does_not_depend_on_the_pool(finished, tmp_path):
    output = tmp_path / "run"
    shutil.copytree(finished, output)

    run(read_settings(None, [*TINY, *DIRTY, f"output={output}", "dirty.share=0"]), Silent())

    assert stages(output, "train-few-seed0") == stages(finished, "train-few-seed0")
    assert stages(output, "qc-curve") == stages(finished, "qc-curve")
    assert len(stages(output, "predict-few-candidates")) == 2
    assert len(stages(output, "train-random-round-1")) == 2
    assert not (output / "results" / "dirty.csv").exists()
    assert not (output / "results" / "tables" / "dirty.csv").exists()
    assert "spoilt" not in rows(output, "tables/gate")[0]


@pytest.mark.usefixtures("undrawn")
def test_a_run_goes_on_with_the_same_pool(finished, tmp_path):
    output = tmp_path / "run"
    shutil.copytree(finished, output)
    for left in ("train-random-round-1", "judge"):
        for name in stages(output, left):
            shutil.rmtree(output / "stages" / name)
    shutil.rmtree(output / "results")

    run(read_settings(None, [*TINY, *DIRTY, f"output={output}"]), Silent())

    before, after = ({path.name for path in (f / "stages").iterdir()} for f in (finished, output))
    assert after == before
    for table in ("dirty", "overlap", "judgements"):
        assert rows(output, table) == rows(finished, table)


def test_a_spoilt_study_is_exported_with_the_image_that_was_segmented(finished, tmp_path):
    [dirty] = stages(finished, "dirty")
    spoilt = {row["study"]: row["kind"] for row in rows(finished, "dirty")}
    admitted = {row["study"] for row in rows(finished, "pseudo") if row["scenario"] == "random"}
    folder = tmp_path / "Dataset501_Phantom"

    assert main(["export", str(finished), str(folder), "--scenario", "random"]) == 0

    shown = admitted & set(spoilt)
    assert shown
    for name in shown:
        study = Store(finished / "stages" / dirty / "store.h5").study(name)
        image = nibabel.load(folder / "imagesTr" / f"{name}_frame00_0000.nii.gz")
        np.testing.assert_allclose(image.get_fdata().T, study.image[0, 0], atol=1e-3)
