from dataclasses import replace

import numpy as np
import pytest
from segmenter_builders import PLAIN, SQUARE, bright_square

from qc.graded.modalities import ModalitySubsets, SomeModalities
from segmenters import TrainingSettings
from semiqc.schemes import TUMOUR
from semiqc.study import Study

QUICK = TrainingSettings(steps=6, batch_size=4, patch=(16, 16), augmentation=PLAIN, device="cpu")
SOURCE = ModalitySubsets(SQUARE, channels=(4, 8), training=QUICK)


def two_modalities(name, *, second, seed=0, labelled=(0,)):
    """A bright square in the first modality, anything in the second."""
    study = bright_square(name, seed=seed, labelled=labelled)
    other = np.random.default_rng(second).normal(size=study.image.shape).astype(np.float32)
    return replace(study, image=np.concatenate([study.image, other]))


def other(study, modality):
    """The study with noise for one of its modalities."""
    image = study.image.copy()
    image[modality] = np.random.default_rng(9).normal(size=image[modality].shape)
    return replace(study, image=image)


def test_each_modality_alone_and_all_segment_every_labelled_frame():
    judged = two_modalities("b", second=2, labelled=(1,))

    made = list(SOURCE.make([two_modalities("a", second=1)], [judged]))

    assert [one.source for one in made] == ["modalities-0", "modalities-1", "modalities-0+1"]
    assert all(one.study is judged and one.frame == 1 for one in made)
    assert all(one.labels.shape == judged.labels.shape[1:] for one in made)


@pytest.mark.parametrize(("seen", "left_out"), [(0, 1), (1, 0)])
def test_a_modality_left_out_is_not_seen(seen, left_out):
    studies = two_modalities("a", second=1), two_modalities("b", second=2, seed=5)
    source = replace(SOURCE, subsets=((seen,),))

    (as_it_was,) = source.make(*([study] for study in studies))
    (changed,) = source.make(*([other(study, left_out)] for study in studies))
    (all_changed,) = source.make(*([other(study, seen)] for study in studies))

    np.testing.assert_array_equal(changed.labels, as_it_was.labels)
    assert (all_changed.labels != as_it_was.labels).any()


def test_subsets_may_be_chosen():
    source = replace(SOURCE, subsets=((1, 0),))

    made = list(source.make([two_modalities("a", second=1)], [two_modalities("b", second=2)]))

    assert [one.source for one in made] == ["modalities-1+0"]


def test_one_modality_has_no_subsets():
    assert list(SOURCE.make([bright_square("a")], [bright_square("b")])) == []


@pytest.mark.parametrize("subset", [(), (0, 2), (-1,)])
def test_a_modality_that_is_not_there_is_refused(subset):
    source = replace(SOURCE, subsets=(subset,))
    studies = [two_modalities("a", second=1)], [two_modalities("b", second=2)]

    with pytest.raises(ValueError, match="known: 0 to 1"):
        next(source.make(*studies))


def test_studies_of_other_modalities_are_refused():
    with pytest.raises(ValueError, match=r"the same modalities, got \[1, 2\]"):
        next(SOURCE.make([two_modalities("a", second=1)], [bright_square("b")]))


@pytest.mark.parametrize(
    "key",
    [
        np.s_[:],
        np.s_[:, 1],
        np.s_[:, 1, 2],
        np.s_[:, 1:, 0, ::2],
        np.s_[0, 1],
        np.s_[-1],
        np.s_[:1, 1],
        np.s_[..., 3],
    ],
)
def test_some_modalities_are_indexed_like_an_array_of_them(key):
    image = np.random.default_rng(0).normal(size=(3, 2, 4, 5, 6)).astype(np.float32)

    some = SomeModalities(image, (2, 0))

    np.testing.assert_array_equal(some[key], image[[2, 0]][key])
    assert Study("a", some, np.zeros((2, 4, 5, 6), np.int8), (1, 1, 1)).image.shape[0] == 2


def test_of_four_modalities_the_seven_sets_of_the_paper_segment():
    assert ModalitySubsets(TUMOUR)._subsets(4) == (
        (0,), (1,), (2,), (3,), (0, 3), (1, 2), (0, 1, 2, 3),
    )  # fmt: skip
