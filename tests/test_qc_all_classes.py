"""One Dice and one surface Dice over all classes, learned beside those of structures."""

import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from test_qc_evaluation import SCHEME, graded_of, row_of, told
from test_qc_graded_store import made, write
from test_qc_graded_store import store as store
from test_qc_qcresunet import SMALL, graded_discs

from qc import ESTIMATORS
from qc.base import ALL_CLASSES
from qc.estimators.frame_estimator import Judged
from qc.estimators.network.crops import Batch, CroppedFrames, with_beyond
from qc.estimators.qcresunet.network import Outputs, implied_dice
from qc.evaluation import evaluate
from qc.frames import Frame, graded_frames
from qc.graded import GradedSet
from qc.qualities_file import quality_from_json, quality_to_json
from qc.saving import load_estimator, save_estimator
from semiqc.files.seal import seal
from semiqc.images.crop import box_around
from semiqc.measuring.multi_class import multi_class_dice, surface_agreement
from semiqc.schemes import SHORT_AXIS, TUMOUR, UNLABELLED

LEARNERS = {
    "svr": {},
    "cnn": {**SMALL, "width": 4},
    "qcresunet": SMALL,
    "resnet34": {**SMALL, "baseline": "resnet34"},
    "unet": {**SMALL, "baseline": "unet"},
}


def blank(name):
    kind = ESTIMATORS.get(name, ESTIMATORS["qcresunet"])
    return kind(SHORT_AXIS, **LEARNERS[name])


@pytest.fixture(scope="module")
def graded():
    return graded_discs(4)


@pytest.fixture(scope="module", params=sorted(LEARNERS))
def fitted(request, graded):
    return request.param, blank(request.param).fit(graded)


def test_surfaces_of_all_classes_count_together():
    """Of class 1 four voxels, of which one is forgiven on either side; of class 2 one of two."""
    predicted, reference = np.zeros((2, 1, 1, 12), np.int8)
    predicted[..., :2], reference[..., 2:4] = 1, 1
    predicted[..., 8:10], reference[..., 8] = 2, 2
    unknown = reference.copy()
    unknown[..., 9] = UNLABELLED

    # In voxels of 2 mm each but the outermost of class 1 is within 2 mm of the other surface.
    of_each, whole = surface_agreement(predicted, reference, SHORT_AXIS, (8.0, 2.0, 2.0), 2.0)
    np.testing.assert_allclose(of_each, [np.nan, 1, 2 / 4])
    assert whole == pytest.approx((2 + 3) / (4 + 3))
    whole = surface_agreement(predicted, unknown, SHORT_AXIS, (8.0, 2.0, 2.0), 2.0)[1]
    assert whole == pytest.approx((2 + 2) / (4 + 2))
    empty = np.zeros_like(predicted)
    assert np.isnan(surface_agreement(empty, empty, SHORT_AXIS, (8.0, 2.0, 2.0), 2.0)[1])


def test_surfaces_of_nested_structures_are_not_those_of_the_classes():
    predicted = np.zeros((1, 8, 8), np.int8)
    predicted[0, 1:7, 1:7], predicted[0, 3:5, 3:5] = 1, 2
    reference = np.where(predicted == 2, 1, predicted)

    of_each, whole = surface_agreement(predicted, reference, TUMOUR, (1.0, 1.0, 1.0), 0.0)
    # The whole tumour is right; of the classes the rim, and not the 8 around the 4 of class 2.
    assert of_each[0] == 1
    assert whole == pytest.approx(2 * 20 / (20 + 8 + 4 + 20))


def test_the_scores_of_all_classes_come_with_the_quality(fitted, graded):
    name, estimator = fitted
    (quality,) = estimator.predict([graded[1].prediction])

    assert 0 < quality.overall[ALL_CLASSES] < 1
    assert list(quality.dice) == [part.name for part in SHORT_AXIS.structures]
    if name == "cnn":
        assert quality.overall_nsd == {}
    else:
        assert 0 < quality.overall_nsd[ALL_CLASSES] < 1
    kept = quality_from_json(quality_to_json(quality))
    assert (kept.overall, kept.overall_nsd) == (quality.overall, quality.overall_nsd)


def test_the_svr_ranks_by_what_it_learned_of_all_classes(graded):
    learner = blank("svr").fit(graded)
    said = [one.overall[ALL_CLASSES] for one in learner.predict([g.prediction for g in graded])]
    true = [multi_class_dice(one.prediction.labels[0], one.reference[0]) for one in graded]

    assert np.abs(np.subtract(said, true)).max() < 0.15
    assert np.argsort(said).tolist() == np.argsort(true).tolist()


def test_it_comes_back_from_a_file_and_from_one_that_knew_nothing_of_it(fitted, graded, tmp_path):
    name, estimator = fitted
    one = [graded[1].prediction]
    save_estimator(estimator, tmp_path / "new.safetensors")
    back = load_estimator(tmp_path / "new.safetensors", ESTIMATORS)
    assert back.predict(one)[0].overall == estimator.predict(one)[0].overall
    if name == "svr":
        del estimator.machines_[f"dice/{ALL_CLASSES}"], estimator.machines_[f"nsd/{ALL_CLASSES}"]
        assert ALL_CLASSES not in estimator.predict(one)[0].overall
        return

    before = blank(name).set_params(all_classes=False, steps=1).fit(graded[:2])
    save_estimator(before, tmp_path / "old.safetensors")
    assert ALL_CLASSES not in before.predict(one)[0].overall
    assert load_estimator(tmp_path / "old.safetensors", ESTIMATORS).predict(one)[0].overall == (
        before.predict(one)[0].overall
    )


def test_a_crop_teaches_what_of_all_classes_it_shows():
    """Of twelve voxels eight lie in the crop: p = 2/3, and so 2 p / (1 + p) = 4/5."""
    graded = graded_of("s", a=4, b=4)
    wide = np.zeros((1, 1, 40, 40), np.int8)
    wide[0, 0, 2:4, 2:6], wide[0, 0, 36:38, 34:36] = 1, 2
    image = np.zeros((1, *wide.shape), np.float32)
    prediction = replace(graded.prediction, image=image, labels=wide)
    frames = graded_frames([replace(graded, prediction=prediction, reference=wide)])
    nothing = np.full((1, 3), np.nan)
    known = CroppedFrames(
        frames, nothing, nothing, np.array([[0.6, 0.5]]), SHORT_AXIS, (1, 20, 20), False
    )

    shown = known.batch(np.array([0])).all_classes
    torch.testing.assert_close(shown, torch.tensor([[0.6 / 0.8, 0.5 / 0.8]]))


def test_networks_learn_the_scores_of_all_classes():
    """A batch whose structures are unknown: the loss is that of all classes alone."""
    unknown = torch.full((2, 3), torch.nan)
    labels = torch.full((2, 1, 4, 4), UNLABELLED)
    all_classes = torch.tensor([[0.5, 0.25], [torch.nan, 0.75]])
    batch = Batch(labels.unsqueeze(1).float(), labels, labels, unknown, unknown, all_classes)

    scores = torch.full((2, 2, 4), 0.9)
    losses = blank("qcresunet")._losses(Outputs(scores, None), batch)
    assert losses["dice"] == pytest.approx(0.4)
    assert losses["nsd"] == pytest.approx((0.65 + 0.15) / 2)
    # Six outputs, the last of which stands for all classes: a sigmoid of 0 is right, 2 is not.
    logits = torch.zeros(2, 6)
    assert blank("cnn")._losses(logits, batch)["squared_error"] == pytest.approx(0)
    logits[0, 5] = 2
    wrong = (float(torch.tensor(2.0).sigmoid()) - 0.5) ** 2
    assert blank("cnn")._losses(logits, batch)["squared_error"] == pytest.approx(wrong)


def test_what_is_segmented_beyond_the_box_is_wrong():
    labels = np.zeros((1, 40, 40), np.int8)
    labels[0, 4:8, 4:8] = 1
    labels[0, 36, 36:38] = 2
    frame = Frame("a", np.zeros((1, 1, 40, 40), np.float32), labels, (8.0, 1.0, 1.0))
    judged = Judged(np.full(3, 0.5), all_classes=np.array([0.9, 0.6]))

    found = with_beyond(judged, frame, box_around(labels, (1, 16, 16)), SHORT_AXIS).all_classes
    share = 16 / 18
    np.testing.assert_allclose(found, np.array([0.9, 0.6]) * 2 * share / (1 + share))


def test_maps_imply_the_dice_of_all_structures_together():
    """Of 4 and 2 voxels segmented one each is wrong, and one of the second is missing."""
    query, errors = torch.zeros(2, 1, 2, 1, 1, 8)
    query[0, 0, ..., :4], query[0, 1, ..., 4:6] = 1, 1
    errors[0, 0, ..., 0], errors[0, 1, ..., 4], errors[0, 1, ..., 7] = 1, 1, 1

    found = implied_dice(query, errors, with_all=True)[0]
    assert found[0] == pytest.approx((2 * 3 + 1) / (4 + 3 + 1))
    assert found[1] == pytest.approx((2 * 1 + 1) / (2 + 1 + 1 + 1))
    assert found[2] == pytest.approx((2 * 4 + 1) / (6 + 4 + 1 + 1))


def test_all_classes_are_evaluated_beside_structures():
    graded = [graded_of("s1", a=4, b=2), graded_of("s2", a=1, b=0)]
    estimator = told({"s1": 0.8, "s2": 0.2}, nsd={"A": 0.5, "B": 0.5})
    for study, dice in (("s1", 0.7), ("s2", 0.1)):
        estimator.qualities[study] = replace(
            estimator.qualities[study],
            overall={ALL_CLASSES: dice},
            overall_nsd={ALL_CLASSES: 0.5},
        )
    found = evaluate({"net": estimator, "mute": told({"s1": 0.5, "s2": 0.5})}, graded, SCHEME)

    # Of 8 voxels 6 and 1 are found: Dice .75 and .125.
    rows = found.table()
    wanted = {"estimator": "net", "structure": ALL_CLASSES, "by": "all"}
    assert row_of(rows, quality="dice", **wanted).mae == pytest.approx((0.05 + 0.025) / 2)
    true = [row.true_nsd for row in found.judgements if row.structure == ALL_CLASSES]
    given = [(one.prediction.labels[0], one.reference[0]) for one in graded]
    nsd = [surface_agreement(*pair, SCHEME, (8.0, 1.5, 1.25), 2.0)[1] for pair in given]
    assert true == pytest.approx(nsd)
    errors = np.abs(np.subtract(nsd, 0.5))
    assert row_of(rows, quality="nsd", **wanted).mae == pytest.approx(errors.mean())
    assert {r.estimator for r in found.judgements if r.structure == ALL_CLASSES} == {"net"}
    # The mean over structures stays that of structures.
    dice = row_of(rows, estimator="net", structure="all", by="all", quality="dice")
    assert dice.mae == pytest.approx((0.05 + 0.075) / 2)


def test_the_surface_dice_of_all_classes_is_kept_and_worked_out_of_older_files(store, tmp_path):
    item = made(store, "b", "forest-40", rows=slice(1, 2))
    path = write(tmp_path / "g.h5", store, item)
    kept = GradedSet(path, store)[0].multi_class_nsd
    before = tmp_path / "before.h5"
    shutil.copy(path, before)
    with h5py.File(before, "r+") as file:
        del file["items/multi_class_nsd"]
    seal(before)
    (older,) = graded_frames(GradedSet(before, store))

    # As the surface of the LV, which is the only structure.
    np.testing.assert_allclose(kept, [0.9])
    assert older.graded.multi_class_nsd is None
    np.testing.assert_allclose(older.all_classes(SHORT_AXIS, with_nsd=True), [0.8, 0.9])
    assert np.isnan(older.all_classes(SHORT_AXIS, with_nsd=False)[1])
