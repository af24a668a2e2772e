"""Several segmentations of one image, side by side: folds of an ensemble, or several programs."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from source_builders import heart, save
from test_scoring import FRAMES, STRUCTURES, Told, cine, rows, still, suite_of

from qc.base import Quality
from qc.estimators.mahalanobis import Mahalanobis
from semiqc.cli.app import main
from semiqc.doors.npz_file import read_npz
from semiqc.doors.regular import UnusableError
from semiqc.schemes import SHORT_AXIS
from semiqc.scoring import score_images


class Sees(Told):
    """Keeps the uncertainty that it is given; its score is the agreement of the LV."""

    needs_uncertainty = True

    def __init__(self, scheme):
        super().__init__(scheme, {})
        self.seen = {}

    def _quality(self, prediction):
        found = self.seen[prediction.study] = prediction.uncertainty
        agreement = float(np.nanmean(found.agreement))
        return Quality(prediction.study, agreement, dice=dict.fromkeys(STRUCTURES, agreement))


def members(tmp_path, *voxels, name="a"):
    for number, one in enumerate(voxels):
        save(tmp_path / f"m{number}" / f"{name}.nii.gz", one)
    return [tmp_path / f"m{number}" for number in range(len(voxels))]


def one_hot(labels, sure=1.0):
    """Probabilities as nnU-Net writes them, ``[C, Z, Y, X]``, of labels ``[X, Y, Z]``."""
    classes = np.arange(4)[:, None, None, None] == labels.T[None]
    return (classes * sure + (1 - sure) / 4).astype(np.float32)


def judged(tmp_path, files, folders, **options):
    sees = Sees(SHORT_AXIS)
    told = Told(SHORT_AXIS, {"a": 0.8, "b": 0.8})
    # On the files' own grid, so that voxels can be counted.
    suite = suite_of(told=told, sees=sees)
    suite = replace(suite, training=replace(suite.training, spacing_mm=1.5))
    report = score_images(suite, *files, tmp_path / "out", members=folders, **options)
    return sees.seen, report


def test_estimators_of_uncertainty_judge_by_how_members_differ(tmp_path):
    other = heart()
    other[other == 3] = 0

    found, report = judged(
        tmp_path, still(tmp_path, "a"), members(tmp_path, heart(), heart(), other)
    )

    uncertainty = found["a"]
    lv = (heart() == 3).T
    assert uncertainty.entropy.shape == uncertainty.disagreement.shape == (1, *lv.shape)
    # One of three has no LV: they differ there, and of three pairs one agrees.
    assert uncertainty.disagreement[0][lv] == pytest.approx(np.full(lv.sum(), 1 / 3), abs=1e-6)
    assert (uncertainty.entropy[0] > 0).tolist() == lv.tolist()
    assert uncertainty.agreement[0, 0] == pytest.approx(1 / 3)
    assert uncertainty.confidence[0, 0] == pytest.approx(2 / 3)
    assert "sees" in report.estimators
    [row] = rows(tmp_path / "out" / "studies.csv")
    assert float(row["score_sees"]) == pytest.approx((1 / 3 + 1 + 1) / 3)


def test_probabilities_count_where_a_folder_has_both(tmp_path):
    files = still(tmp_path, "a")
    folders = members(tmp_path, heart(), heart())
    for folder in folders:
        np.savez(folder / "a.npz", probabilities=one_hot(heart(), 0.6).astype(np.float16))

    found, _ = judged(tmp_path, files, folders)

    assert found["a"].confidence[0] == pytest.approx(np.full(3, 0.7), abs=2e-3)
    assert (found["a"].disagreement == 0).all()


def test_label_values_are_translated_in_members_too(tmp_path):
    files = still(tmp_path, "a")
    swapped = np.array([0, 3, 2, 1], np.int8)[heart()]
    save(files[1] / "a.nii.gz", swapped)
    folders = members(tmp_path, swapped, swapped)
    np.savez(folders[1] / "a.npz", probabilities=one_hot(swapped))

    found, _ = judged(tmp_path, files, folders, meaning={1: 3, 2: 2, 3: 1})

    assert found["a"].agreement[0] == pytest.approx(np.ones(3))
    assert found["a"].confidence[0] == pytest.approx(np.ones(3))


def test_cines_are_compared_frame_by_frame(tmp_path):
    whole = np.stack([heart()] * FRAMES, axis=-1)
    other = whole.copy()
    other[..., 1] = np.where(other[..., 1] == 3, 0, other[..., 1])

    found, _ = judged(tmp_path, cine(tmp_path, "a"), members(tmp_path, whole, other))

    assert found["a"].agreement[:, 0].tolist() == [1, 0, *[1] * (FRAMES - 2)]


def test_a_study_that_a_member_lacks_says_so_and_one_of_a_single_member_is_not_judged(tmp_path):
    files = still(tmp_path, "a", "b")
    folders = [*members(tmp_path, heart(), heart()), tmp_path / "m2"]
    save(tmp_path / "m2" / "b.nii.gz", heart())
    save(tmp_path / "m1" / "other.nii.gz", heart())

    found, report = judged(tmp_path, files, folders)

    assert set(found) == {"a"}
    warned = {one.study: one.warnings for one in report.studies}
    assert "2 of 3 members segmented it" in warned["a"]
    assert "1 of 3 members segmented it" in warned["b"]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda f: np.savez(f, probabilities=np.ones((4, 2, 3, 3), np.float32)), "shape"),
        (lambda f: np.savez(f, probabilities=2 * one_hot(heart())), "add up to 1"),
        (lambda f: np.savez(f, other=one_hot(heart())), "expected probabilities or softmax"),
        (lambda f: np.savez(f, probabilities=np.array([{}])), "a.npz"),
        (lambda f: f.write_bytes(b"PK\x03\x04 no archive"), "not an archive of NumPy arrays"),
        (lambda f: np.savez(f, probabilities=np.tile(one_hot(heart()) / 2, (2, 1, 1, 1))),
         "8 classes; known are 0, 1, 2, 3"),
    ],
)  # fmt: skip
def test_a_broken_file_leaves_out_its_study_alone(tmp_path, spoil, reason):
    files = still(tmp_path, "a", "b")
    folders = members(tmp_path, heart(), heart())
    spoil(tmp_path / "m1" / "a.npz")

    _, report = judged(tmp_path, files, folders)

    assert [one.study for one in report.studies] == ["b"]
    [left] = report.left_out
    assert left.name == "a"
    assert left.reason.startswith("member m1: a.npz: ")
    assert reason in left.reason


def test_an_archive_that_claims_more_than_fits_is_refused_before_memory_is_taken(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (4, 10**6, 10**6)}
    )
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("softmax.npy", header.getvalue())

    with pytest.raises(UnusableError, match=r"a.npz: shape .* expected \(N, 3, 3\)"):
        read_npz(tmp_path / "a.npz", ("softmax",), (0, 3, 3))


def test_arrays_in_fortran_order_are_the_same(tmp_path):
    wanted = np.arange(24.0).reshape(2, 3, 4)
    np.savez(tmp_path / "a.npz", softmax=np.asfortranarray(wanted))

    assert (read_npz(tmp_path / "a.npz", ("softmax",), (0, 3, 4)) == wanted).all()


def test_one_member_is_too_few_and_a_folder_must_be_there(tmp_path, capsys):
    files = still(tmp_path, "a")
    (folder,) = members(tmp_path, heart())
    command = ["score", "phantom", *map(str, files), "-o", str(tmp_path / "out")]

    assert main([*command, "--member", str(folder)]) == 2
    assert "expected two folders or more" in " ".join(capsys.readouterr().err.split())
    assert main([*command, "--member", str(folder), "--member", str(tmp_path / "none")]) == 2
    assert "no such folder" in " ".join(capsys.readouterr().err.split())


def test_who_goes_by_features_is_silent_where_members_are_files(tmp_path):
    suite = suite_of(told=Told(SHORT_AXIS, {"a": 0.8}), far=Mahalanobis(SHORT_AXIS))
    files, folders = still(tmp_path, "a"), members(tmp_path, heart(), heart())

    report = score_images(suite, *files, tmp_path / "out", members=folders)

    assert report.silent == ["far"]
