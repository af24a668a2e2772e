"""What every quality estimator promises; a new one is covered by being registered.

Each estimator is fitted twice and judges ``PREDICTIONS`` a few times; whoever adds a promise takes
``fitted`` and what it said, ``judged``.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from curve_builders import heart, prediction_of
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from uncertainty_builders import graded_hearts_with_uncertainty, with_uncertainty

from qc import CONSENSUS, ESTIMATORS, Consensus
from qc.saving import load_estimator, save_estimator
from semiqc.schemes import AORTA, SHORT_AXIS

SMALL = {
    "cnn": {"width": 8, "size": (4, 24, 24), "steps": 120, "batch_size": 8, "learning_rate": 3e-3},
    "curve": {"folds": 2, "members": 2},
    "slicewise": {"width": 4, "size": (4, 24, 24), "steps": 80, "batch_size": 4},
    "qcresunet": {"width": 4, "size": (4, 24, 24), "steps": 60, "batch_size": 4},
    "manifold": {
        "size": (32, 32), "width": 4, "steps": 150, "learning_rate": 1e-2, "search_steps": 6,
    },
    "uncertainty": {"trees": 20},
    "rca": {"references": 12, "size": 16},
    "second_opinion": {"channels": (4, 8), "steps": 40, "batch_size": 4, "patch": (32, 32)},
    "consensus": {"members": ("physiology",), "folds": 1},
}  # fmt: skip
"""Arguments of estimators that would otherwise learn for minutes."""

KINDS = {**ESTIMATORS, CONSENSUS: Consensus}

GRADED = graded_hearts_with_uncertainty(10)
PREDICTIONS = [one.prediction for one in GRADED]
LABELS = [prediction.labels.copy() for prediction in PREDICTIONS]


@pytest.fixture(scope="module", params=sorted(KINDS))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(name):
    return blank(name).fit(GRADED)


@dataclass(frozen=True)
class Said:
    """What an estimator said of ``PREDICTIONS``, and what it had learned until then."""

    qualities: list
    learned: dict

    @property
    def scores(self):
        return [quality.score for quality in self.qualities]


@pytest.fixture(scope="module")
def judged(fitted):
    learned = {key: array.copy() for key, array in fitted.arrays().items()}
    return Said(fitted.predict(PREDICTIONS), learned)


def blank(name):
    return KINDS[name](SHORT_AXIS, **SMALL.get(name, {}))


def scores(estimator, predictions=PREDICTIONS):
    return [quality.score for quality in estimator.predict(predictions)]


def test_the_constructor_only_stores(name):
    estimator = blank(name)

    assert not [attribute for attribute in vars(estimator) if attribute.endswith("_")]
    assert vars(estimator) == estimator.get_params(deep=False)
    assert clone(estimator).get_params() == estimator.get_params()


def test_the_scheme_alone_is_given_by_position(name):
    with pytest.raises(TypeError):
        KINDS[name](SHORT_AXIS, 1)


def test_arguments_can_be_read_and_set(name):
    arguments = {"scheme": AORTA, **SMALL.get(name, {})}

    estimator = KINDS[name](SHORT_AXIS).set_params(**arguments)

    assert arguments.items() <= estimator.get_params(deep=False).items()
    assert clone(estimator).get_params() == estimator.get_params()


def test_a_repr_has_the_scheme_by_name_and_what_is_not_default(name):
    kind, arguments = KINDS[name], SMALL.get(name, {})
    is_changed = [f"{key}={value!r}" for key, value in arguments.items()]

    assert repr(kind(SHORT_AXIS)) == f"{kind.__name__}(short-axis)"
    inside = repr(kind(SHORT_AXIS, **arguments)).removeprefix(f"{kind.__name__}(short-axis")
    assert all(argument in inside for argument in is_changed)
    assert len(inside) == 1 + sum(2 + len(argument) for argument in is_changed)


def test_nothing_is_judged_before_fit(name):
    estimator = blank(name)

    with pytest.raises(NotFittedError):
        estimator.predict(PREDICTIONS)
    with pytest.raises(NotFittedError):
        estimator.arrays()


def test_each_prediction_gets_a_score_in_order(fitted, judged):
    assert [quality.study for quality in judged.qualities] == [p.study for p in PREDICTIONS]
    assert all(0 <= score <= 1 for score in judged.scores)
    assert fitted.predict([]) == []


def test_good_predictions_rank_above_erroneous_ones(judged):
    found = np.array(judged.scores)
    is_good = np.array([one.is_good for one in GRADED])

    assert np.mean(np.greater.outer(found[is_good], found[~is_good])) > 0.9


def test_the_ranking_holds_for_studies_never_seen(fitted):
    unseen = graded_hearts_with_uncertainty(6, first=200)
    found = np.array(scores(fitted, [one.prediction for one in unseen]))
    is_good = np.array([one.is_good for one in unseen])

    assert np.mean(np.greater.outer(found[is_good], found[~is_good])) > 0.8


def test_a_score_does_not_depend_on_who_is_judged_beside(fitted, judged):
    together = judged.scores

    assert scores(fitted, PREDICTIONS[::-1])[::-1] == pytest.approx(together, abs=1e-6)
    alone = [scores(fitted, [prediction])[0] for prediction in PREDICTIONS[:3]]
    assert alone == pytest.approx(together[:3], abs=1e-6)


def test_predict_changes_nothing(fitted, judged):
    assert scores(fitted) == judged.scores
    for key, array in fitted.arrays().items():
        np.testing.assert_array_equal(array, judged.learned[key])
    for prediction, before in zip(PREDICTIONS, LABELS, strict=True):
        np.testing.assert_array_equal(prediction.labels, before)


def test_what_was_learned_comes_back_from_a_file(fitted, judged, name, tmp_path):
    file = tmp_path / "estimator.safetensors"

    save_estimator(fitted, file)
    back = load_estimator(file, KINDS, SHORT_AXIS)

    assert type(back) is KINDS[name]
    assert back.get_params() == fitted.get_params()
    assert scores(back) == judged.scores


def test_an_estimator_of_other_labels_is_refused(fitted, tmp_path):
    file = tmp_path / "estimator.safetensors"
    save_estimator(fitted, file)

    with pytest.raises(ValueError, match=r"judges short-axis .* the data has aorta"):
        load_estimator(file, KINDS, AORTA)


def test_fitting_anew_learns_the_same_and_leaves_settings_and_random_numbers_alone(fitted, judged):
    again = clone(fitted)
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    expected = torch.rand(1).item(), np.random.rand()  # noqa: NPY002

    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    assert again.fit(GRADED) is again
    found = scores(again)

    assert (torch.rand(1).item(), np.random.rand()) == expected  # noqa: NPY002
    assert found == judged.scores
    assert again.get_params() == fitted.get_params()


def test_nothing_to_learn_from_is_refused(name):
    with pytest.raises(ValueError, match="at least one graded prediction"):
        blank(name).fit([])


def odd_predictions():
    labels = heart("odd")
    odd = {
        "one frame": prediction_of("odd", labels[:1]),
        "two frames": prediction_of("odd", labels[:2]),
        "one slice": prediction_of("odd", labels[:, :1]),
        "background only": prediction_of("odd", np.zeros_like(labels)),
        "another size": prediction_of("odd", labels[:, :, 3:-4, 2:], (6.0, 1.0, 1.1)),
    }
    return [(kind, with_uncertainty(prediction)) for kind, prediction in odd.items()]


@pytest.mark.parametrize("prediction", [pytest.param(p, id=kind) for kind, p in odd_predictions()])
def test_an_odd_prediction_is_judged(fitted, prediction):
    assert 0 <= scores(fitted, [prediction])[0] <= 1


def test_an_empty_prediction_ranks_below_every_good_one(fitted, judged):
    empty = with_uncertainty(prediction_of("empty", np.zeros_like(heart("empty"))))
    good = [score for score, one in zip(judged.scores, GRADED, strict=True) if one.is_good]

    assert scores(fitted, [empty])[0] < min(good)
