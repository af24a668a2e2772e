"""``semiqc qc finetune``: the judge of a suite learns a user's labels."""

from dataclasses import replace

import numpy as np
import pytest

from qc.suites.suite import Suite
from semiqc.cli.app import main
from semiqc.files.checksums import damages
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.phantom.dataset import write_phantoms
from semiqc.schemes import SHORT_AXIS
from semiqc.study import UNLABELLED

MM = (8.0, 1.5, 1.5)


@pytest.fixture
def store(tmp_path):
    """Three hearts on the pixels of the shipped suite; the last has no label."""
    write_phantoms(tmp_path / "drawn.h5", studies=3, size=48, slices=2, frames=2)
    with StoreWriter(tmp_path / "mine.h5", SHORT_AXIS) as writer:
        for number, study in enumerate(Store(tmp_path / "drawn.h5")):
            labels = np.asarray(study.labels[:])
            if number == 2:
                labels = np.full_like(labels, UNLABELLED)
            one = replace(study, spacing=MM, labels=labels, subject=f"someone {number}")
            writer.add(one)
    return tmp_path / "mine.h5"


def finetuned(store, *words):
    """The exit code, and where the suite is to lie."""
    output = store.with_name("suite")
    code = main(["qc", "finetune", "phantom", str(store), "-o", str(output), *words])
    return code, output


def test_all_labelled_studies_are_learned_from_and_counted_as_seen(store):
    code, output = finetuned(store, "--steps", "1")

    assert code == 0
    shipped, mine, studies = Suite.load("phantom"), Suite.load(output), list(Store(store))
    assert not damages(output)
    assert mine.names == shipped.names
    assert [mine.training.has_seen(one) for one in studies] == [True, True, False]
    assert set(mine.training.names) - set(shipped.training.names) == {
        study.name for study in studies[:2]
    }
    assert mine.training.has_seen(replace(studies[2], subject=studies[0].subject))
    low, high = mine.training.slice_mm
    assert low <= MM[0] <= high
    arrays = [one.estimators["second_opinion"].arrays() for one in (shipped, mine)]
    assert any((arrays[0][name] != arrays[1][name]).any() for name in arrays[0])
    kept = [one.estimators["physiology"].arrays() for one in (shipped, mine)]
    assert all((kept[0][name] == kept[1][name]).all() for name in kept[0])


def test_of_a_split_the_labelled_are_learned_from(store):
    names = Store(store).names
    table = store.with_name("split.csv")
    table.write_text(f"study,role\n{names[0]},labelled\n{names[1]},test\n{names[2]},unlabelled\n")

    code, output = finetuned(store, "--split", str(table), "--steps", "1")

    assert code == 0
    seen = [Suite.load(output).training.has_seen(one) for one in Store(store)]
    assert seen == [True, False, False]


def test_nothing_to_learn_from_is_refused_before_work(store, capsys):
    names = Store(store).names
    table = store.with_name("split.csv")
    table.write_text(f"study,role\n{names[2]},unlabelled\n{names[0]},test\n{names[1]},test\n")

    assert finetuned(store, "--split", str(table))[0] == 2
    assert "split.csv: no study is in labelled" in capsys.readouterr().err

    with StoreWriter(store.with_name("none.h5"), SHORT_AXIS) as writer:
        writer.add(Store(store).study(names[2]))
    assert finetuned(store.with_name("none.h5"))[0] == 2
    assert "none.h5: no study has labels" in capsys.readouterr().err


def test_a_suite_that_cannot_learn_labels_is_refused(fitted_suite, store, capsys):
    words = ["qc", "finetune", fitted_suite, store, "-o", store.with_name("suite")]

    assert main([str(word) for word in words]) == 2
    assert "has no second_opinion to learn from labels" in " ".join(
        capsys.readouterr().err.split()
    )


def test_other_pixels_and_a_folder_that_is_taken_are_refused(store, capsys):
    with StoreWriter(store.with_name("wide.h5"), SHORT_AXIS) as writer:
        writer.add(replace(Store(store).study(Store(store).names[0]), spacing=(8.0, 3.0, 3.0)))
    assert finetuned(store.with_name("wide.h5"))[0] == 2
    assert "has pixels of 3 mm" in capsys.readouterr().err

    store.with_name("suite").mkdir()
    store.with_name("suite").joinpath("notes.txt").touch()
    assert finetuned(store, "--steps", "1")[0] == 2
    assert "not empty" in capsys.readouterr().err
