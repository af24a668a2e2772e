"""Who teaches whom within a run."""

from builders import study_of

from semiqc.experiment.ladder import deal


def test_every_fold_has_its_share_of_the_groups_that_come_in_blocks():
    studies = [study_of(f"s{n}", group=group) for n, group in enumerate("aaabbb")]

    dealt = deal(studies, folds=3, seed=0)

    assert [sorted(study.group for study in fold) for fold in dealt] == [["a", "b"]] * 3


def test_a_single_subject_cannot_be_dealt():
    assert deal([study_of("ed", subject="p"), study_of("es", subject="p")], folds=2, seed=0) == []
