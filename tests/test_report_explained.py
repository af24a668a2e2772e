"""What estimators of a run looked at: found, kept and shown."""

from dataclasses import replace

import numpy as np
import pytest
from builders import study_of
from report_builders import empty_report

from qc.estimators.cnn.estimator import CNNRegression
from qc.estimators.manifold.estimator import ManifoldSearch
from semiqc.experiment import explaining
from semiqc.experiment.explaining import explained, read_explained, write_explained
from semiqc.experiment.fitting import FittedEstimator
from semiqc.report.explained import Explained, SearchPath, looked_at, path_plots, path_table
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction


class Searching(ManifoldSearch):
    """Its search is on a straight line, of two steps for a slice and of one for the other."""

    def search_paths(self, prediction, frame):
        return [np.array([[0.0, 1.0, 0.0], [0.0, 3.0, 0.0]]), np.array([[0.0, 2.0, 0.0]])]


def predicted(name, frame):
    """Of two structures, in one frame alone."""
    labels = np.zeros(study_of().labels.shape, np.int8)
    if frame is not None:
        labels[frame, 1, :2] = 3
        labels[frame, 1, 2, 0] = 1
    study = study_of(name)
    return Prediction(name, study.image, labels, study.spacing)


@pytest.fixture
def found(monkeypatch):
    def brightest_above(estimator, prediction, frame, structure):
        heat = np.zeros(prediction.labels.shape[1:])
        heat[1] = 0.5
        return heat

    monkeypatch.setattr(explaining, "explain", brightest_above)
    fitted = {
        "cnn": FittedEstimator(None, CNNRegression(SHORT_AXIS)),
        "manifold": FittedEstimator(None, Searching(SHORT_AXIS)),
        "silent": FittedEstimator(None, CNNRegression(SHORT_AXIS)),
    }
    scores = {
        "empty": {"cnn": 0.0, "manifold": 0.0},
        "bad": {"cnn": 0.2, "manifold": 0.3},
        "good": {"cnn": 0.9, "manifold": 0.1},
    }
    predictions = [predicted("empty", None), predicted("bad", 1), predicted("good", 2)]
    return list(explained(fitted, predictions, scores))


def test_each_estimator_shows_the_worst_study_in_which_something_is_segmented(found):
    seen, way = found

    assert (seen.estimator, seen.study, seen.structure) == ("cnn", "bad", "LV")
    assert (seen.frame, seen.slice, seen.score) == (1, 1, 0.2)
    assert seen.heat.max() == 0.5
    assert (way.estimator, way.study, way.frame) == ("manifold", "good", 2)
    assert way.slices.tolist() == [0, 0, 1]
    assert way.points == pytest.approx(np.array([[-1, 0], [1, 0], [0, 0]]))


def test_what_was_kept_is_read_again_and_none_is_no_file(found, tmp_path):
    path = tmp_path / "explained.h5"
    assert read_explained(path) == ([], [])
    write_explained(path, found)
    [seen], [way] = read_explained(path)

    for read, kept in ((seen, found[0]), (way, found[1])):
        for name, value in vars(kept).items():
            np.testing.assert_array_equal(getattr(read, name), value)
    write_explained(path, [])
    assert not path.exists()


def test_maps_and_ways_are_shown_with_study_and_score(found):
    maps = [one for one in found if isinstance(one, Explained)]
    paths = [one for one in found if isinstance(one, SearchPath)]
    [picture], [plot] = looked_at(maps), path_plots(paths)

    assert picture.caption == "bad, score 0.20: Dice of LV in frame 2, slice 2"
    assert plot.caption.startswith("good, score 0.10, frame 3: the way of each slice")
    rows = path_table(paths).rows
    assert [(row["slice"], round(row["first"], 6)) for row in rows] == [(0, -1), (0, 1), (1, 0)]
    assert path_table(replace(empty_report()).paths).rows == []
