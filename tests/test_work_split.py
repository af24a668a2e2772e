from collections import Counter

import pytest
from builders import study_of

from semiqc.files.tables import SplitRow
from semiqc.work.split import check_split, draw_split, read_split

GROUPS = ("DCM", "HCM", "MINF", "NOR")
STUDIES = [study_of(f"s{i:02d}", group=GROUPS[i % 4]) for i in range(24)]
COUNTS = {"labelled": 4, "qc": 8, "validation": 0, "test": 8, "unlabelled": None}


def roles(rows):
    return {row.study: row.role for row in rows}


def test_every_role_gets_its_number_and_its_share_of_every_group():
    rows = draw_split(STUDIES, COUNTS, seed=0)

    assert Counter(row.role for row in rows) == {
        "labelled": 4, "qc": 8, "test": 8, "unlabelled": 4,
    }  # fmt: skip
    of_group = Counter((row.role, row.group) for row in rows)
    assert {of_group["test", group] for group in GROUPS} == {2}
    assert {of_group["labelled", group] for group in GROUPS} == {1}


def test_the_seed_and_nothing_else_decides():
    again = draw_split(list(reversed(STUDIES)), COUNTS, seed=0)

    assert roles(again) == roles(draw_split(STUDIES, COUNTS, seed=0))
    assert roles(again) != roles(draw_split(STUDIES, COUNTS, seed=1))


def test_studies_of_one_subject_are_never_parted():
    twins = [study_of(f"s{i}", subject=f"p{i // 2}") for i in range(12)]
    rows = draw_split(twins, {"labelled": 1, "qc": 1, "test": 2}, seed=3)

    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert first.role == second.role
    assert Counter(row.role for row in rows)["test"] == 4


def test_subjects_without_labels_are_unlabelled():
    bare = [study_of(f"u{i}", labelled=()) for i in range(5)]
    rows = draw_split([*STUDIES[:3], *bare], {"labelled": 2, "test": 1}, seed=0)

    assert {row.role for row in rows if row.study.startswith("u")} == {"unlabelled"}


def test_a_bare_study_of_a_test_subject_is_not_used():
    studies = [
        study_of("a1", subject="a"),
        study_of("a2", subject="a", labelled=()),
        study_of("b"),
    ]
    rows = draw_split(studies, {"labelled": 1, "test": 1}, seed=0)
    check_split(rows, studies, "split")

    assert roles(rows)["a2"] == "unused"


def test_what_a_smaller_number_of_unlabelled_leaves_is_unused():
    rows = draw_split(STUDIES, {**COUNTS, "unlabelled": 1}, seed=0)

    assert Counter(row.role for row in rows)["unused"] == 3


def test_too_few_subjects_are_told():
    with pytest.raises(ValueError, match="30 subjects as test, only 24 with labels are left"):
        draw_split(STUDIES, {"labelled": 1, "test": 30}, seed=0)


def given(tmp_path, text):
    path = tmp_path / "split.csv"
    path.write_text(text)
    return path


def test_a_given_split_is_taken_and_who_is_not_named_is_unused(tmp_path):
    path = given(tmp_path, "study,role\ns00,labelled\ns01,test\n")
    found = roles(read_split(path, STUDIES))

    assert (found["s00"], found["s01"], found["s02"]) == ("labelled", "test", "unused")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("study,role\nx,test\n", "no study 'x' in the data"),
        ("study,role\ns00,tset\n", "unknown role 'tset' of s00; known: test"),
        ("study,role\ns00,test\ns00,labelled\n", "s00 is both test and labelled"),
        ("study,role\ns00,test\n", "no study is in labelled"),
        ("study\ns00\n", "lacks the columns role"),
    ],
)
def test_a_given_split_at_fault_is_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_split(given(tmp_path, text), STUDIES)


def test_a_subject_in_two_roles_is_refused():
    studies = [study_of("a", subject="p"), study_of("b", subject="p"), study_of("c")]
    rows = [
        SplitRow("a", "p", "", "labelled"),
        SplitRow("b", "p", "", "test"),
        SplitRow("c", "c", "", "test"),
    ]
    with pytest.raises(ValueError, match=r"subject p is in labelled \(a\) and in test \(b\)"):
        check_split(rows, studies, "split")


def test_a_test_study_without_labels_is_refused(tmp_path):
    studies = [study_of("a"), study_of("b", labelled=())]
    path = given(tmp_path, "study,role\na,labelled\nb,test\n")

    with pytest.raises(ValueError, match="b is in test but has no label"):
        read_split(path, studies)


def test_the_first_fold_of_nnunet_is_a_split(tmp_path):
    path = tmp_path / "splits_final.json"
    path.write_text('[{"train": ["s00", "s01"], "val": ["s02"]}, {"train": ["s02"], "val": []}]')
    bare = [study_of("u", labelled=()), study_of("v", labelled=(), subject="s02")]
    found = roles(read_split(path, [*STUDIES[:4], *bare]))

    assert found == {
        "s00": "labelled", "s01": "labelled", "s02": "test",
        "s03": "unused", "u": "unlabelled", "v": "unused",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["{}", "[]", '[{"train": ["s00"]}]'])
def test_other_json_is_no_split(text, tmp_path):
    (tmp_path / "a.json").write_text(text)

    with pytest.raises(ValueError, match="expected folds with train and val"):
        read_split(tmp_path / "a.json", STUDIES)


def test_a_fold_that_parts_a_subject_is_refused(tmp_path):
    path = tmp_path / "splits_final.json"
    path.write_text('[{"train": ["P1_ED"], "val": ["P1_ES"]}]')
    studies = [study_of("P1_ED", subject="P1"), study_of("P1_ES", subject="P1")]

    with pytest.raises(ValueError, match="subject P1 is in labelled"):
        read_split(path, studies)
