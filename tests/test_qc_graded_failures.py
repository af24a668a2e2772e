import numpy as np
import pytest

from qc.frames import Frame
from qc.graded.failures import (
    FAILURES,
    SliceFailures,
    confused,
    deformed,
    dilated,
    eroded,
    leaked,
    missing,
    shifted,
    swapped,
)
from semiqc.schemes import UNLABELLED
from semiqc.study import Study

SPACING = (8.0, 2.0, 1.0)
SEEDS = range(6)


def two_classes(slices=4):
    """A block of class 1 beside one of class 2, growing from slice to slice; the last is empty."""
    labels = np.zeros((slices + 1, 40, 60), np.int8)
    for z in range(slices):
        labels[z, 12 - z : 25, 15:30] = 1
        labels[z, 12 - z : 25, 30:45] = 2
    return labels


def frame_of(labels, image=None):
    image = np.zeros((1, *labels.shape), np.float32) if image is None else image
    return Frame("a", image, labels, SPACING)


def failed(failure, labels, seed, image=None):
    return failure(frame_of(labels, image), np.random.default_rng(seed))


def changed_slices(before, after):
    return np.flatnonzero((before != after).any(axis=(1, 2)))


def test_missing_slices_are_empty_and_the_others_whole():
    labels = two_classes()

    for seed in SEEDS:
        after = failed(missing, labels, seed)
        changed = changed_slices(labels, after)

        assert 1 <= len(changed) <= 2
        assert not after[changed].any()


def test_swapped_slices_have_each_others_labels():
    labels = two_classes()

    after = failed(swapped, labels, 0)

    one, other = changed_slices(labels, after)
    np.testing.assert_array_equal(after[[one, other]], labels[[other, one]])


def test_shifted_slices_keep_their_shape_at_another_place():
    labels = two_classes()

    for seed in SEEDS:
        after = failed(shifted, labels, seed)
        z = changed_slices(labels, after)[0]
        way = [np.argwhere(one[z]).mean(axis=0) for one in (after, labels)]
        shift_mm = np.linalg.norm((way[0] - way[1]) * SPACING[1:])

        # Half a voxel of 2 mm is lost by rounding; blocks may leave the image by a part.
        assert 3 < shift_mm < 21.5


def test_erosion_takes_from_the_outer_border_only():
    labels = two_classes()

    for seed in SEEDS:
        after = failed(eroded, labels, seed)
        z = changed_slices(labels, after)[0]

        assert set(np.unique(after[z][labels[z] == 0])) == {0}
        assert ((after[z] == labels[z]) | (after[z] == 0)).all()
        # The border between the classes is untouched well inside.
        assert (after[z, 17, 27:33] == labels[z, 17, 27:33]).all()
        assert after[z, 12 - z, 20] == 0


def test_dilation_adds_to_the_outer_border_what_lies_next():
    labels = two_classes()

    for seed in SEEDS:
        after = failed(dilated, labels, seed)
        z = changed_slices(labels, after)[0]

        assert (after[z][labels[z] > 0] == labels[z][labels[z] > 0]).all()
        assert after[z, 20, 14] == 1
        assert after[z, 20, 45] == 2
        # No border moves by more than 6 mm: six columns, three rows.
        assert not after[z, :, :9].any()
        assert not after[z, 28:].any()


def test_deformation_keeps_classes_and_changes_their_form():
    labels = two_classes()

    for seed in SEEDS:
        after = failed(deformed, labels, seed)
        z = changed_slices(labels, after)[0]

        assert (after[z] != labels[z]).mean() > 0.02
        assert set(np.unique(after)) <= {0, 1, 2}


def test_confusion_swaps_two_classes_in_place():
    labels = two_classes()

    for seed in SEEDS:
        after = failed(confused, labels, seed)
        changed = changed_slices(labels, after)

        assert 1 <= len(changed) <= 2
        np.testing.assert_array_equal(after[changed], np.array([0, 2, 1])[labels[changed]])


def test_confusion_leaves_a_third_class_alone():
    labels = two_classes()
    labels[:, 30:35, 20:30] = 3

    after = failed(confused, labels, 1)

    moved = {int(label) for label in np.unique(labels[after != labels])}
    assert len(moved) == 2
    for label in {1, 2, 3} - moved:
        np.testing.assert_array_equal(after == label, labels == label)


def test_a_leak_follows_tissue_that_looks_alike():
    labels = np.zeros((1, 30, 60), np.int8)
    labels[0, 10:20, 10:20] = 1
    image = np.random.default_rng(0).normal(0, 0.05, (1, 1, 30, 60)).astype(np.float32)
    image[0, 0, 10:20, 10:26] += 5

    after = failed(leaked, labels, 0, image)

    grown = after != labels
    assert after[0, 10:20, 20:26].mean() > 0.8
    assert not grown[0, :, :10].any()
    assert not grown[0, :, 26:].any()


def test_a_leak_reaches_no_further_than_asked():
    labels = np.zeros((1, 30, 90), np.int8)
    labels[0, 10:20, 10:20] = 1
    image = np.random.default_rng(0).normal(0, 0.05, (1, 1, 30, 90)).astype(np.float32)
    image[0, 0, 10:20, 10:] += 5

    after = failed(leaked, labels, 0, image)

    # 8 to 25 mm of columns 1 mm wide.
    assert 27 <= np.nonzero(after[0])[1].max() <= 44


def test_a_leak_is_like_its_structure_in_every_modality():
    labels = np.zeros((1, 30, 60), np.int8)
    labels[0, 10:20, 10:20] = 1
    image = np.random.default_rng(0).normal(0, 0.05, (2, 1, 30, 60)).astype(np.float32)
    image[0, 0, 10:20, 10:26] += 5
    image[1, 0, 10:20, 10:20] += 5

    assert failed(leaked, labels, 0, image) is None


@pytest.mark.parametrize("kind", sorted(FAILURES))
def test_an_empty_segmentation_cannot_fail(kind):
    assert failed(FAILURES[kind], np.zeros((3, 10, 10), np.int8), 0) is None


@pytest.mark.parametrize("kind", sorted(FAILURES))
def test_the_reference_is_left_as_it_was(kind):
    labels = two_classes()
    image = labels[None].astype(np.float32)

    failed(FAILURES[kind], labels, 0, image)

    np.testing.assert_array_equal(labels, two_classes())


def study_of(labels, name="a"):
    image = np.random.default_rng(0).normal(size=(1, *labels.shape)).astype(np.float32)
    return Study(name, image, labels, SPACING)


def test_a_study_of_one_slice_and_class_has_no_failure_of_several():
    labels = np.zeros((1, 1, 30, 30), np.int8)
    labels[..., 10:20, 10:20] = 1

    kinds = {made.source for made in SliceFailures().make([], [study_of(labels)])}

    assert kinds == {
        "failures-shifted", "failures-eroded", "failures-dilated", "failures-deformed",
        "failures-leaked",
    }  # fmt: skip


def test_every_labelled_frame_fails_in_every_kind_whatever_the_order():
    reference = two_classes()
    reference[0, :3] = UNLABELLED
    labels = np.stack([reference, np.full_like(reference, UNLABELLED), reference])
    studies = [study_of(labels, name) for name in "ab"]

    ahead, back = (
        {(m.study.name, m.frame, m.source): m.labels for m in SliceFailures().make([], order)}
        for order in (studies, studies[::-1])
    )

    assert len(ahead) == 2 * 2 * len(FAILURES)
    assert UNLABELLED not in np.unique(list(ahead.values()))
    for key, made in ahead.items():
        np.testing.assert_array_equal(made, back[key])


def test_leaving_out_a_kind_changes_no_other():
    study = study_of(two_classes()[None])

    everything = {m.source: m.labels for m in SliceFailures().make([], [study])}
    (one,) = SliceFailures(kinds=("shifted",)).make([], [study])

    np.testing.assert_array_equal(one.labels, everything["failures-shifted"])


def test_each_kind_draws_its_own_slices():
    studies = [study_of(two_classes()[None], name) for name in "abcdef"]

    drawn = {"failures-missing": [], "failures-shifted": []}
    for made in SliceFailures(kinds=("missing", "shifted")).make([], studies):
        drawn[made.source].append(changed_slices(two_classes(), made.labels).tolist())

    assert drawn["failures-missing"] != drawn["failures-shifted"]


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown failure 'torn'; known: missing, swapped"):
        SliceFailures(kinds=("missing", "torn"))
