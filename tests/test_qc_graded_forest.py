import numpy as np
import pytest
from segmenter_builders import SQUARE, bright_square
from sklearn.ensemble import RandomForestClassifier

from qc.graded.forest import ForestSource
from segmenters.forest import CutForest, nodes_at_depths
from segmenters.voxel_features import voxel_features
from semiqc.measuring.metrics import dice
from semiqc.schemes import UNLABELLED

SMALL = ForestSource(trees=8, depths=(0, 1, 20), voxels_per_frame=300, n_jobs=1)
LEFT = np.array([1, -1, 3, -1, -1])
RIGHT = np.array([2, -1, 4, -1, -1])


@pytest.fixture(scope="module")
def features():
    return np.random.default_rng(1).normal(size=(300, 5)).astype(np.float32)


@pytest.fixture(scope="module")
def forest(features):
    labels = np.array([0, 2, 3])[(features[:, 0] > 0).astype(int) + (features[:, 1] > 0.5)]
    return RandomForestClassifier(12, random_state=0).fit(features, labels)


def reached(tree, voxel, depth):
    """The node a voxel has reached at a depth, followed one step after the other."""
    node = 0
    while depth and tree.children_left[node] >= 0:
        small = voxel[tree.feature[node]] <= tree.threshold[node]
        node = (tree.children_left if small else tree.children_right)[node]
        depth -= 1
    return node


def test_nodes_are_known_by_what_stands_above_them():
    above = nodes_at_depths(LEFT, RIGHT, (0, 1, 2, 9))

    np.testing.assert_array_equal(
        above, [[0, 0, 0, 0], [0, 1, 1, 1], [0, 2, 2, 2], [0, 2, 3, 3], [0, 2, 4, 4]]
    )


def test_at_full_depth_the_forest_answers_as_scikit_learn_does(forest, features):
    unseen = features + 0.1

    full = CutForest(forest, (3, 50)).probabilities(unseen)[1]

    np.testing.assert_allclose(full, forest.predict_proba(unseen), atol=1e-6)


def test_at_depth_0_it_answers_with_what_its_roots_have_seen(forest, features):
    prior = np.mean([tree.tree_.value[0, 0] for tree in forest.estimators_], axis=0)

    cut = CutForest(forest, (0,)).probabilities(features[:4])

    np.testing.assert_allclose(cut[0], np.tile(prior, (4, 1)), atol=1e-6)


def test_between_them_it_answers_with_the_node_reached(forest, features):
    trees = [tree.tree_ for tree in forest.estimators_]
    walked = [
        np.mean([tree.value[reached(tree, voxel, 2), 0] for tree in trees], axis=0)
        for voxel in features[:20]
    ]

    cut = CutForest(forest, (0, 2)).probabilities(features[:20])

    np.testing.assert_allclose(cut[1], walked, atol=1e-6)


def test_threads_and_parts_change_nothing(forest, features):
    many = np.tile(features, (250, 1))

    alone, threaded = (CutForest(forest, (2, 9), n_jobs).classes(many) for n_jobs in (1, 2))

    np.testing.assert_array_equal(alone, threaded)
    np.testing.assert_array_equal(alone[:, :300], CutForest(forest, (2, 9)).classes(features))


def test_classes_are_labels_also_where_one_was_never_seen(forest, features):
    assert set(np.unique(CutForest(forest, (50,)).classes(features))) == {0, 2, 3}


def test_voxels_of_other_features_are_refused(forest, features):
    with pytest.raises(ValueError, match="4 features a voxel, the forest learned from 5"):
        CutForest(forest, (1,)).classes(features[:, :4])


def test_places_are_measured_from_the_middle():
    features = voxel_features(np.zeros((1, 3, 2, 5), np.float32), (8.0, 4.0, 1.5))

    places = features[:, -3:].reshape(3, 2, 5, 3)

    np.testing.assert_allclose(places[:, 0, 0, 0], [-1, 0, 1])
    np.testing.assert_allclose(places[0, :, 0, 1], [-2, 2])
    np.testing.assert_allclose(places[0, 0, :, 2], [-3, -1.5, 0, 1.5, 3])


def test_slices_before_and_after_are_seen():
    image = np.broadcast_to(np.array([0, 1, 5], np.float32)[:, None, None], (1, 3, 4, 4))

    features = voxel_features(np.ascontiguousarray(image), (8.0, 1.0, 1.0))

    beside = features[:, -5:-3].reshape(3, 4, 4, 2)[:, 2, 2]
    np.testing.assert_allclose(beside, [[0, 1], [0, 5], [1, 5]], atol=1e-6)


def test_surroundings_are_seen_from_afar():
    image = np.zeros((1, 1, 81, 81), np.float32)
    image[0, 0, 30:50, 10:30] = 1

    features = voxel_features(image, (8.0, 1.0, 1.0)).reshape(81, 81, -1)

    # The boxes 20 mm above, below, left and right, after one intensity, four Gaussians, three
    # gradients and three boxes.
    np.testing.assert_allclose(features[40, 40, 11:15], [0, 0, 1, 0], atol=1e-6)


def test_every_modality_has_features_of_its_own():
    image = np.random.default_rng(0).normal(size=(2, 2, 6, 7)).astype(np.float32)

    both, first, second = (
        voxel_features(part, (8, 1, 1)) for part in (image, image[:1], image[1:])
    )

    np.testing.assert_array_equal(both, np.hstack([first[:, :-3], second]))


def test_deeper_cuts_segment_better():
    train, judged = bright_square("a"), bright_square("b", seed=5, labelled=(1,))

    made = list(SMALL.make([train], [judged]))

    quality = [dice(one.labels, judged.labels[1], SQUARE.structures[0]) for one in made]
    assert [one.source for one in made] == ["forest-depth00", "forest-depth01", "forest-depth20"]
    assert {one.frame for one in made} == {1}
    assert quality[0] < quality[1] <= quality[2]
    assert quality[2] > 0.95


def test_the_order_of_studies_changes_nothing():
    train = [bright_square("a"), bright_square("b", seed=1)]
    judged = [bright_square("c", seed=2), bright_square("d", seed=3)]

    ahead = {(m.study.name, m.source): m.labels for m in SMALL.make(train, judged)}
    back = {(m.study.name, m.source): m.labels for m in SMALL.make(train, judged[::-1])}

    assert ahead.keys() == back.keys()
    for key, labels in ahead.items():
        np.testing.assert_array_equal(labels, back[key])


def test_unlabelled_voxels_teach_nothing():
    train, judged = bright_square("a"), bright_square("b", seed=5)
    labels = train.labels.copy()
    labels[0, :, :, 12:] = UNLABELLED

    made = list(SMALL.make([train.with_labels(labels)], [judged]))

    assert all(set(np.unique(one.labels)) <= {0, 1} for one in made)


@pytest.mark.parametrize("depths", [(), (3, -1)])
def test_impossible_depths_are_refused(depths):
    with pytest.raises(ValueError, match="each 0 or more"):
        ForestSource(depths=depths)


def test_a_forest_needs_labels():
    with pytest.raises(ValueError, match="got none in 1 studies"):
        next(SMALL.make([bright_square("a").without_labels()], [bright_square("b")]))
