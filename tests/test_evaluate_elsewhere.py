"""Studies of another store: at the run's spacing, with labels by the names of what they are."""

import csv
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from builders import SPACING, study_of

from semiqc.cli.app import main
from semiqc.experiment.elsewhere import _Evaluation
from semiqc.experiment.label_names import match_labels
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.files.tables import SplitRow, write_rows
from semiqc.images.preparing import prepared
from semiqc.images.raw import RawStudy, UnusableError
from semiqc.images.regridding import at_spacing
from semiqc.images.resampling import to_source
from semiqc.phantom import write_phantoms
from semiqc.schemes import AORTA, SHORT_AXIS, TUMOUR, UNLABELLED, LabelScheme, Structure
from semiqc.work.monitor import Silent


def scheme_of(*classes, structures=None):
    found = structures or [Structure(name, (v,)) for v, name in enumerate(classes, start=1)]
    return LabelScheme("other", ("background", *classes), tuple(found))


MNMS = scheme_of("lv", "Myo", "RV")


def test_labels_are_matched_by_name():
    matched = match_labels(MNMS, SHORT_AXIS)
    study = study_of("a", labelled=(1,))
    study.labels[1, 0, 0, :3] = (1, 2, UNLABELLED)
    understood = matched.understood(replace(study, source_labels=study.labels))

    assert matched.scheme == SHORT_AXIS
    for labels in (understood.labels, understood.source_labels):
        np.testing.assert_array_equal(labels[1, 0, 0], (3, 2, UNLABELLED, 0, 0, 0))
        assert labels[:].shape == labels.shape
        assert (labels[0] == UNLABELLED).all()
    assert understood.labels[1, 0, 2, 2] == 1
    assert understood.labelled_frames == (1,)
    assert matched.notes == ("labels are matched by name: lv 1 is 3, Myo 2 is 2, RV 3 is 1",)


def test_what_only_one_of_both_labels_is_not_compared():
    matched = match_labels(scheme_of("LV", "LA"), SHORT_AXIS)

    assert [one.name for one in matched.scheme.structures] == ["LV"]
    assert matched.meaning == {1: 3, 2: 0}
    assert "count as background: LA" in matched.notes[1]
    assert "not compared: MYO, RV" in matched.notes[2]


def test_the_same_labels_stay_as_they_are():
    matched = match_labels(replace(TUMOUR, name="mine", classes=("none", "a", "b", "c")), TUMOUR)

    assert (matched.meaning, matched.scheme, matched.notes) == ({}, TUMOUR, ())


@pytest.mark.parametrize(
    "theirs",
    [
        AORTA,
        scheme_of("lv", "LV"),
        scheme_of("a", structures=[Structure("LV", (1,)), Structure("RV", (1,))]),
    ],
)
def test_labels_that_no_name_tells_are_refused(theirs):
    with pytest.raises(ValueError, match=r"LV|RV|MYO|aorta"):
        match_labels(theirs, SHORT_AXIS)


def drawn():
    rng = np.random.default_rng(3)
    labels = np.full((2, 3, 40, 48), UNLABELLED, np.int8)
    labels[1] = 0
    labels[1, :, 10:30, 12:36] = rng.integers(1, 4, (3, 5, 6)).repeat(4, 1).repeat(4, 2)
    image = rng.normal(100, 20, (1, *labels.shape)).astype(np.float32)
    return RawStudy("a", image, labels, (8.0, 1.2, 1.2), np.diag([1.2, 1.2, 8, 1]))


@pytest.mark.parametrize("kept_at", [1.2, 0.9])
def test_a_resampled_study_keeps_its_labels_as_they_were_drawn(kept_at):
    raw = drawn()
    found = at_spacing(prepared(raw, kept_at), 1.0)

    assert found.spacing == (8.0, 1.0, 1.0)
    assert found.image.shape[-1] == 58
    np.testing.assert_array_equal(found.source_labels[:], raw.labels)
    assert found.labelled_frames == (1,)
    back = to_source(found.labels[1], found.geometry)
    assert back.shape == raw.labels[1].shape
    assert (back == raw.labels[1]).mean() > 0.95


def test_a_study_without_a_source_lies_in_itself():
    study = study_of("a")
    found = at_spacing(study, 0.625)

    assert found.image.shape == (1, 3, 2, 12, 12)
    np.testing.assert_array_equal(found.source_labels, study.labels)
    np.testing.assert_array_equal(to_source(found.labels[1], found.geometry), study.labels[1])


def test_a_spacing_that_is_nearly_the_same_changes_nothing():
    study = replace(study_of("a"), spacing=(8.0, 1.25, 1.25))

    assert at_spacing(study, 1.24) is study
    assert at_spacing(study, 1.3) is not study
    assert SPACING[1] != 1.25


def test_a_study_that_would_become_far_too_large_is_refused():
    with pytest.raises(UnusableError, match="is the spacing in mm"):
        at_spacing(study_of("a"), 1e-4)


def choosing(folder, *subjects):
    """An evaluation on studies of these subjects; the run had ``p1`` to ``p5``."""
    roles = ("labelled", "qc", "unlabelled", "test", "unused")
    rows = [SplitRow(f"s{n}", f"p{n}", "", role) for n, role in enumerate(roles, start=1)]
    write_rows(folder / "results" / "split.csv", SplitRow, rows)
    with StoreWriter(folder / "other.h5", SHORT_AXIS) as writer:
        for number, subject in enumerate(subjects):
            writer.add(study_of(f"other{number}", subject=subject, labelled=(1,)))
    run = SimpleNamespace(folder=folder, scheme=SHORT_AXIS)
    return _Evaluation(run, Store(folder / "other.h5"), Silent())


def test_names_that_two_hospitals_share_cost_those_studies_alone(tmp_path):
    found = choosing(tmp_path, "p1", "p2", "p3", "p4", "p5", "q1", "p1")
    found.choose()

    assert [study.subject for study in found.chosen] == ["p4", "p5", "q1"]
    assert [line.split()[0] for line in found.left_out] == ["p1", "p2", "p3"]
    assert "import it under another name (semiqc import --subjects)" in found.left_out[0]


def test_where_two_hospitals_share_all_names_it_is_said_what_to_do(tmp_path):
    expected = r"other\.h5: all its labelled subjects .* such as p2; .*semiqc import --subjects"
    with pytest.raises(ValueError, match=expected):
        choosing(tmp_path, "p3", "p2").choose()


def evaluated(run, store, output):
    assert main(["evaluate", str(run), str(store), "-o", str(output)]) == 0
    with (output / "overlap.csv").open() as file:
        return list(csv.DictReader(file))


def other_store(path, studies, scheme, change):
    with StoreWriter(path, scheme, ("cine",)) as writer:
        for study in studies:
            writer.add(change(replace(study.load(), name=f"new-{study.name}", subject="")))
    return path


def test_another_hospital_is_evaluated_with_a_verdict_and_a_page(finished_run, tmp_path, capsys):
    write_phantoms(tmp_path / "p.h5", studies=2, size=32, slices=3, frames=2, seed=9)
    phantoms = list(Store(tmp_path / "p.h5"))

    def finer(study):
        z, y, x = study.spacing
        geometry = replace(study.geometry, to_source={})
        return replace(study, spacing=(z, y * 0.8, x * 0.8), geometry=geometry)

    def turned(study):
        labels = np.where(study.labels > 0, 4 - study.labels, study.labels).astype(np.int8)
        return finer(replace(study, labels=labels))

    one = other_store(tmp_path / "one.h5", phantoms, SHORT_AXIS, finer)
    other = other_store(tmp_path / "other.h5", phantoms, MNMS, turned)

    first = evaluated(finished_run, one, tmp_path / "first")
    capsys.readouterr()
    assert evaluated(finished_run, other, tmp_path / "second") == first

    said = " ".join(capsys.readouterr().out.split())
    assert "labels are matched by name: lv 1 is 3" in said
    assert "verdict: " in said
    assert "on 2 studies" in said
    page = (tmp_path / "second" / "report.html").read_text(encoding="utf-8")
    assert "on other.h5" in page
    assert "on 2 studies" in page
    assert (tmp_path / "second" / "clinical.csv").exists()
