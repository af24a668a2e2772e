"""Counts that the data does not allow are told before the first training."""

import sys
from types import SimpleNamespace

import pytest

from semiqc.experiment import run
from semiqc.experiment.enough import check_enough, check_phantoms, foreseen
from semiqc.experiment.settings_file import read_settings
from semiqc.files.tables import SplitRow
from semiqc.work.monitor import Silent


def split(**counts):
    return [
        SplitRow(f"{role}{number}", f"{role}{number}", "", role)
        for role, count in counts.items()
        for number in range(count)
    ]


def settings(*changes):
    return read_settings(None, ["data=a.h5", "gates=[]", "scenarios=[few, semiqc]", *changes])


@pytest.mark.parametrize(
    ("counts", "changes", "message"),
    [
        ({"labelled": 2, "qc": 2}, (), "scenario semiqc: the split leaves no study as unlabelled"),
        ({"labelled": 1, "unlabelled": 2}, (), r"set split\.qc above 0, .* at least 2, got 1"),
        (
            {"labelled": 2, "unlabelled": 2, "qc": 1},
            ("qc.arguments={cnn: {hold_out: true}}",),
            r"cnn\.hold_out: needs 2 subjects .* the split has 1",
        ),
    ],
)
def test_what_the_split_does_not_allow_is_refused(counts, changes, message):
    with pytest.raises(ValueError, match=message):
        check_enough(settings(*changes), split(**counts, test=1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("gate.k=2",), []),
        (("gate.k=3",), ["scenario semiqc: k is 3 and the split leaves 3 studies as unlabelled"]),
        (("gate.k=2", "qc.folds=9"), ["qc.folds: 9 of 2 subjects, so there are 2 folds"]),
    ],
)
def test_what_will_be_otherwise_than_asked_for_is_told(changes, said):
    told = check_enough(settings(*changes), split(labelled=2, unlabelled=3, test=1))

    assert [line[: len(start)] for line, start in zip(told, said, strict=True)] == said


def test_one_labelled_subject_is_enough_where_nothing_is_judged():
    few = settings("scenarios=[few]")

    assert check_enough(few, split(labelled=1, test=1)) == []


def test_more_subjects_than_phantoms_are_refused_before_one_is_made():
    some = ["phantom.studies=6", "split.labelled=3", "split.qc=2", "split.validation=0"]
    with pytest.raises(ValueError, match=r"asks for 7 subjects .*phantom.studies makes 6"):
        check_phantoms(read_settings(None, [*some, "split.test=2"]))
    check_phantoms(read_settings(None, [*some, "split.test=1"]))


def test_a_run_looks_before_it_trains(tmp_path, monkeypatch):
    cohort = SimpleNamespace(split=split(labelled=1, unlabelled=2, test=1), data=None)
    module = sys.modules[run.__module__]
    monkeypatch.setattr(module, "check_ready", lambda _: None)
    monkeypatch.setattr(module.Cohort, "of", lambda *_: cohort)

    with pytest.raises(ValueError, match="quality control needs subjects"):
        run(settings(f"output={tmp_path / 'run'}"), Silent())


def test_a_dry_run_looks_too(suite_store):
    few = ["split.labelled=1", "split.qc=1", "split.test=1", "gate.k=3"]

    assert foreseen(settings(*few, f"data={suite_store}"))[0].startswith("scenario semiqc: k is 3")
    with pytest.raises(ValueError, match="quality control needs subjects"):
        foreseen(settings(*few, f"data={suite_store}", "split.qc=0"))
