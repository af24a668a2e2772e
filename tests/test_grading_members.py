"""An ensemble's folds beside segmentations that are graded."""

import numpy as np
import pytest
from source_builders import FRAMES, heart, save
from test_grading import ED, ES, graded, reasons
from test_grading import stores as stores

from qc.estimators.agreement import Agreement
from qc.graded import GradedSet
from semiqc.cli.app import main
from semiqc.files.store.reader import Store
from semiqc.nifti.frames import grid_affine
from semiqc.schemes import SHORT_AXIS


def with_member(folder, voxels, name="patient001_frame03.nii.gz"):
    save(folder / name, voxels)
    return folder


def without_lv():
    labels = heart()
    labels[labels == 3] = 0
    return labels


def test_members_beside_a_folder_are_the_uncertainty_of_what_is_graded(stores, tmp_path):
    net = with_member(tmp_path / "net", heart(), "patient001_frame03_pred.nii.gz")
    folds = [
        with_member(tmp_path / f"fold_{number}", voxels)
        for number, voxels in enumerate((heart(), heart(), without_lv()))
    ]

    found, _ = graded(stores / "cine.h5", tmp_path / "g.h5", net, members=folds)

    uncertainty = found[0].prediction.uncertainty
    lv = np.asarray(found[0].prediction.labels[0]) == 3
    assert uncertainty.entropy.shape == (1, *lv.shape)
    # One of three has no LV: of three pairs one agrees. Borders are blurred by resampling.
    assert uncertainty.agreement[0, 0] == pytest.approx(1 / 3, abs=1e-6)
    assert np.median(uncertainty.disagreement[0][lv]) == pytest.approx(1 / 3, abs=0.01)
    assert np.median(uncertainty.disagreement[0][~lv]) == 0
    assert np.median(uncertainty.entropy[0][lv]) > 0.4
    judge = Agreement(SHORT_AXIS).fit(found)
    assert judge.predict([found[0].prediction])[0].dice["LV"] == pytest.approx(1)


def test_members_of_cines_are_compared_frame_by_frame(stores, tmp_path):
    cycle = np.stack([heart()] * FRAMES, axis=-1)
    other = cycle.copy()
    other[..., ES] = without_lv()
    net = with_member(tmp_path / "net", cycle, "patient001.nii.gz")
    folds = [
        with_member(tmp_path / f"fold_{number}", voxels, "patient001.nii.gz")
        for number, voxels in enumerate((cycle, other))
    ]

    found, _ = graded(stores / "cine.h5", tmp_path / "g.h5", net, members=folds)

    assert found.frames.tolist() == [ED, ES]
    agreement = [one.prediction.uncertainty.agreement[0, 0] for one in found]
    assert agreement == pytest.approx([1, 0])


def test_probabilities_and_members_on_the_grid_of_the_store_are_taken_too(stores, tmp_path):
    study = Store(stores / "cine.h5").study("patient001")
    labels = np.asarray(study.labels[ED])
    sure = np.arange(4)[:, None, None, None] == labels
    folds = [tmp_path / "fold_0", tmp_path / "fold_1"]
    net, name = tmp_path / "net", "patient001_frame00.nii.gz"
    for folder in (net, *folds):
        save(folder / name, labels.T, grid_affine(study))
    half = (0.6 * sure + 0.1).astype(np.float16)
    np.savez(folds[1] / "patient001_frame00.npz", probabilities=half)

    found, _ = graded(stores / "cine.h5", tmp_path / "g.h5", net, members=folds)

    uncertainty = found[0].prediction.uncertainty
    assert (uncertainty.disagreement[0] == 0).all()
    assert uncertainty.confidence[0] == pytest.approx(np.full(3, (1 + 0.7) / 2), abs=2e-3)


def test_of_one_member_nothing_is_known_and_a_broken_one_leaves_its_file_out(stores, tmp_path):
    net = tmp_path / "net"
    for number in (1, 3):
        save(net / f"patient001_frame{number:02d}.nii.gz", heart())
    folds = [with_member(tmp_path / f"fold_{number}", heart()) for number in (0, 1)]
    found, _ = graded(stores / "cine.h5", tmp_path / "g.h5", net, members=folds)
    assert [one.prediction.uncertainty is None for one in found] == [True, False]

    save(folds[1] / "patient001_frame03.nii.gz", heart()[:-1])
    found, told = graded(stores / "cine.h5", tmp_path / "h.h5", net, members=folds)
    assert len(found) == 1
    assert "member fold_1: patient001_frame03.nii.gz" in reasons(told)["patient001_frame03.nii.gz"]


def test_members_are_of_one_folder(stores, tmp_path, capsys):
    folders = [with_member(tmp_path / name, heart()) for name in ("net", "other", "m0", "m1")]
    net, other, *folds = map(str, folders)
    command = ["qc", "grade", str(stores / "cine.h5"), net]
    members = ["--member", folds[0], "--member", folds[1]]

    assert main([*command, *members, "-o", str(tmp_path / "g.h5")]) == 0
    found = GradedSet(tmp_path / "g.h5", Store(stores / "cine.h5"))
    assert found[0].prediction.uncertainty is not None
    assert main([*command, other, *members, "-o", str(tmp_path / "h.h5")]) == 2
    assert "members: of one folder's segmentations, got 2 folders" in capsys.readouterr().err
    assert main([*command, *members[:2], "-o", str(tmp_path / "h.h5")]) == 2
    assert "expected two folders or more" in capsys.readouterr().err
