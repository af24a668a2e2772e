from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from builders import study_of

from qc.graded import GradedSet, Made, ModalitySubsets, grade, grade_held_out, subject_folds
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS

SUBJECTS = {"a1": "a", "a2": "a", "b": "b", "c": "c", "d": "d"}


@dataclass
class Copy:
    """Gives the references themselves, and remembers what it was shown."""

    calls: list = field(default_factory=list)
    source: str = "copy-1"

    def make(self, train, judged):
        self.calls.append(([s.name for s in train], [s.name for s in judged]))
        for study in judged:
            for frame in study.labelled_frames:
                yield Made(study, frame, np.asarray(study.labels[frame]), self.source)


@pytest.fixture
def store(tmp_path):
    """Five labelled studies of four subjects, and one that nobody labelled."""
    with StoreWriter(tmp_path / "s.h5", SHORT_AXIS) as writer:
        for name, subject in SUBJECTS.items():
            writer.add(study_of(name, subject=subject, labelled=(0, 2)))
        writer.add(study_of("bare", labelled=()))
    return Store(tmp_path / "s.h5")


def test_every_labelled_frame_is_graded_once_by_each_source(store, tmp_path):
    sources = {"one": Copy(), "two": Copy()}
    found = grade(store, tmp_path / "g.h5", sources, folds=2)

    expected = [(s, f, k) for s in SUBJECTS for f in (0, 2) for k in ("one-1", "two-1")]
    graded = list(zip(found.studies, found.frames, found.sources, strict=True))
    assert sorted(graded) == sorted(expected)
    assert (found.mean_dice == 1).all()
    assert len(GradedSet(tmp_path / "g.h5", store)) == len(expected)


@pytest.mark.parametrize("folds", [2, 3, 9])
def test_no_source_learns_from_a_subject_that_it_segments(store, tmp_path, folds):
    source = Copy()
    grade(store, tmp_path / "g.h5", {"copy": source}, folds=folds)

    assert len(source.calls) == min(folds, 4)
    for train, judged in source.calls:
        assert not {SUBJECTS[s] for s in train} & {SUBJECTS[s] for s in judged}
        assert sorted(train + judged) == sorted(SUBJECTS)


def test_only_the_studies_that_are_asked_for_are_used(store, tmp_path):
    source = Copy()
    found = grade(store, tmp_path / "g.h5", {"copy": source}, studies=["b", "d", "c"], folds=3)

    assert set(found.studies) == {"b", "c", "d"}
    assert all(sorted(train + judged) == ["b", "c", "d"] for train, judged in source.calls)


def test_the_seed_decides_the_folds(store):
    studies = [replace(study_of(f"s{n:02d}")) for n in range(20)]

    def dealt(seed):
        return [[study.name for study in fold] for fold in subject_folds(studies, 4, seed)]

    assert dealt(1) == dealt(1)
    assert dealt(1) != dealt(2)


def test_each_fold_has_its_share_of_every_group():
    groups = ["DCM"] * 8 + ["HCM"] * 4
    studies = [study_of(f"s{n:02d}", group=group) for n, group in enumerate(groups)]

    for fold in subject_folds(studies, 4, seed=0):
        assert Counter(study.group for study in fold) == {"DCM": 2, "HCM": 1}


def test_folds_are_of_about_equal_size_though_groups_are_small():
    studies = [study_of(f"s{n}", group=f"g{n}") for n in range(7)]

    assert [len(fold) for fold in subject_folds(studies, 3, seed=0)] == [3, 2, 2]


def test_held_out_studies_are_judged_by_what_learned_from_the_others(store, tmp_path):
    source = Copy()
    found = grade_held_out(
        store, tmp_path / "g.h5", {"copy": source}, train=["a1", "b"], judged=["d", "c"]
    )

    assert source.calls == [(["a1", "b"], ["c", "d"])]
    assert set(found.studies) == {"c", "d"}


def test_a_subject_held_out_is_not_learned_from(store, tmp_path):
    with pytest.raises(ValueError, match="must not be learned from: a"):
        grade_held_out(store, tmp_path / "g.h5", {"copy": Copy()}, ["a1", "b"], ["a2", "c"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"studies": ["a1", "a2"]}, "at least two folds and two labelled subjects, got 4 and 1"),
        ({"folds": 1}, "at least two folds and two labelled subjects, got 1 and 4"),
        ({"studies": ["a1", "bare"]}, "studies without labels: bare"),
        ({"studies": ["a1", "z"]}, "no study 'z'"),
        ({"sources": {}}, "at least one source"),
    ],
)
def test_what_cannot_be_graded_is_refused(store, tmp_path, options, message):
    options = {"sources": {"copy": Copy()}} | options
    with pytest.raises(ValueError, match=message):
        grade(store, tmp_path / "g.h5", **options)

    assert not (tmp_path / "g.h5").exists()


@pytest.mark.parametrize(("train", "judged"), [([], ["b"]), (["b"], [])])
def test_nothing_held_out_is_refused(store, tmp_path, train, judged):
    with pytest.raises(ValueError, match=f"got {len(train)} and {len(judged)}"):
        grade_held_out(store, tmp_path / "g.h5", {"copy": Copy()}, train, judged)


def test_a_source_that_segments_what_it_learned_from_is_found_out(store, tmp_path):
    class Cheat(Copy):
        def make(self, train, judged):
            return super().make(judged, train)

    with pytest.raises(ValueError, match=r"copy: segmented .*, which it was not to judge"):
        grade(store, tmp_path / "g.h5", {"copy": Cheat()})


def test_sources_that_make_nothing_are_named(store, tmp_path):
    sources = {"modalities": ModalitySubsets(SHORT_AXIS)}

    with pytest.raises(ValueError, match=r"nothing could be made of it by the sources modalities"):
        grade(store, tmp_path / "graded.h5", sources, folds=2)
    assert not (tmp_path / "graded.h5").exists()


def test_a_file_that_is_there_is_refused_before_anything_is_made(store, tmp_path):
    grade(store, tmp_path / "g.h5", {"copy": Copy()})
    (tmp_path / "g.txt").write_text("precious")
    source = Copy()
    for name, is_asked in (("g.h5", False), ("g.txt", False), ("g.txt", True)):
        with pytest.raises(FileExistsError):
            grade(store, tmp_path / name, {"copy": source}, overwrite=is_asked)
    assert source.calls == []

    grade(store, tmp_path / "g.h5", {"copy": source}, overwrite=True)
    assert len(source.calls) == 4


def test_an_observer_is_told_how_it_goes_on(store, tmp_path):
    told = []
    grade(
        store, tmp_path / "g.h5", {"copy": Copy()}, studies=["b", "c"], folds=2,
        observe=lambda *what: told.append(what),
    )  # fmt: skip

    assert [(done, total) for done, total, _ in told] == [(0, 2)] * 3 + [(1, 2)] * 3 + [(2, 2)]
    assert told[0][2] == "copy, fold 1 of 2"
    assert told[1][2].startswith("copy, fold 1 of 2: copy-1 of ")


def test_the_tolerance_is_passed_on(store, tmp_path):
    assert grade(store, tmp_path / "g.h5", {"c": Copy()}, tolerance_mm=3.5).tolerance_mm == 3.5
    held_out = grade_held_out(
        store, tmp_path / "h.h5", {"c": Copy()}, ["b"], ["c"], tolerance_mm=3.5
    )
    assert held_out.tolerance_mm == 3.5
