"""What a run leaves of admitted studies."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from builders import study_of

from qc import Decision, Quality
from semiqc.experiment.correcting import corrector_of
from semiqc.experiment.gates.settings import GateSettings
from semiqc.experiment.graining import Grainer
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction, UncertaintyMaps
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder


@pytest.fixture
def trainer(tmp_path):
    folder = RunFolder(tmp_path, lambda *_: None)
    return SimpleNamespace(
        folder=folder, store=SimpleNamespace(scheme=SHORT_AXIS), monitor=Silent(), seed=0
    )


def predicted(study, folder):
    """The study's own labels, as a prediction in a file."""
    file = folder / "predictions.h5"
    with PredictionWriter(file) as writer:
        nothing = np.empty(0, np.float32)
        writer.add(study, ((np.maximum(study.labels[t], 0), nothing) for t in range(3)))
    return Prediction(study.name, study.image, predicted_labels(file, study.name), study.spacing)


def test_what_is_left_of_a_study_keeps_the_weight_that_was_decided(trainer, tmp_path):
    study = study_of("a", labelled=(0, 1, 2))
    dice = {name: np.full((3, 2), 0.9) for name in ("LV", "MYO", "RV")}
    quality = Quality("a", 0.9, slice_dice=dice)
    grainer = Grainer(
        trainer,
        SimpleNamespace(key=lambda _: "panel"),
        "gate-weighted-slice",
        GateSettings(rule="weighted", grain="slice"),
    )

    [left], outcomes = grainer(
        [predicted(study, tmp_path)],
        [quality],
        [Decision("a", admitted=True, reason="", weight=0.25)],
        [study.without_labels()],
    )

    assert left.weight == 0.25
    assert outcomes["a"].decision.weight == 0.25


def test_what_is_found_again_has_the_words_and_weight_of_todays_gate(trainer, tmp_path):
    study = study_of("a", labelled=(0, 1, 2))
    dice = {name: np.full((3, 2), 0.9) for name in ("LV", "MYO", "RV")}
    panel = SimpleNamespace(key=lambda _: "panel")
    grainer = Grainer(trainer, panel, "gate", GateSettings(grain="slice"))
    given = [predicted(study, tmp_path)], [Quality("a", 0.9, slice_dice=dice)]

    for reason, weight in (("rank 1 of 9", 0.5), ("rank 1 of 3", 0.25)):
        decided = [Decision("a", True, reason, weight)]
        [left], outcomes = grainer(*given, decided, [study.without_labels()])
        assert outcomes["a"].decision.reason.startswith(reason)
        assert left.weight == weight
    assert len(list(tmp_path.glob("stages/labels-*"))) == 1


@pytest.mark.parametrize(
    ("bounds", "left"),
    [
        # Members differ on the first column, by a fifth; error maps have .6 on the second.
        ({}, [False, True, True, True]),
        ({"max_disagreement": 0.2}, [True, True, True, True]),
        ({"max_error": 0.5}, [False, False, True, True]),
        ({"max_disagreement": 0.2, "max_error": 0.7}, [True, True, True, True]),
    ],
)
def test_voxels_are_hidden_by_disagreement_and_if_asked_by_maps(trainer, tmp_path, bounds, left):
    study = study_of("a", labelled=(0, 1, 2))
    shape = study.labels.shape
    differ, errors = np.zeros(shape, np.float16), np.zeros(shape, np.float16)
    differ[..., 0], errors[..., 1] = 0.2, 0.6
    numbers = np.zeros((3, 3))
    uncertainty = UncertaintyMaps(np.zeros_like(differ), differ, numbers, numbers, numbers[:, :0])
    asked = replace(predicted(study, tmp_path), uncertainty=uncertainty)
    panel = SimpleNamespace(
        key=lambda _: "panel",
        with_error_maps=lambda by, one, quality: replace(quality, error_maps={"LV": errors}),
    )
    grainer = Grainer(trainer, panel, "gate", GateSettings(grain="voxel", **bounds))

    [found], _ = grainer(
        [asked], [Quality("a", 0.9)], [Decision("a", admitted=True, reason="")], [study]
    )

    is_known = np.asarray(found.labels[0]) >= 0
    assert [bool(column.all()) for column in np.moveaxis(is_known[..., :4], -1, 0)] == left


def test_soft_weights_are_written_once_and_read_with_the_labels(trainer, tmp_path):
    study = study_of("a", labelled=(0, 1, 2))
    errors = np.full(study.labels.shape, 0.2, np.float32)
    errors[1] = 0.6
    panel = SimpleNamespace(
        key=lambda _: "panel",
        with_error_maps=lambda by, one, quality: replace(quality, error_maps={"LV": errors}),
    )
    grainer = Grainer(trainer, panel, "gate", GateSettings(grain="soft_voxel"))
    given = (
        [predicted(study, tmp_path)],
        [Quality("a", 0.9)],
        [Decision("a", admitted=True, reason="")],
        [study.without_labels()],
    )

    [found], outcomes = grainer(*given)
    [again], _ = grainer(*given)

    for one in (found, again):
        np.testing.assert_allclose(one.voxel_weights[0], 0.8, atol=1 / 510)
        np.testing.assert_allclose(one.voxel_weights[1], 0.4, atol=1 / 510)
    assert (np.asarray(found.labels[:]) == study.labels).all()
    assert outcomes["a"].kept.weight == pytest.approx((0.8 + 0.4 + 0.8) / 3)
    assert len(list(tmp_path.glob("stages/labels-*"))) == 1


@pytest.mark.parametrize(
    ("estimators", "expected"),
    [
        (["svr", "curve"], None),
        (["manifold", "svr", "consensus"], "manifold"),
        (["manifold", "qcresunet", "slicewise"], "slicewise"),
    ],
)
def test_measures_are_corrected_by_the_estimator_that_finds_failed_slices_best(
    estimators, expected
):
    assert corrector_of(estimators) == expected
