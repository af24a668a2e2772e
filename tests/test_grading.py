"""Segmentations in files, graded by a store's references, fitted to and evaluated."""

import csv
import shutil

import nibabel as nib
import numpy as np
import pytest
from source_builders import AFFINE, FRAMES, SHAPE, acdc, heart, save

from qc.graded import GradedSet
from semiqc.cli.app import main
from semiqc.files.store.reader import Store
from semiqc.nifti.frames import grid_affine
from semiqc.suites.grading import grade_files

ED, ES = 0, 2
"""Frames that ``source_builders.acdc`` labels, from 0."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """One patient as a cine, resampled in plane; one as ED and ES alone."""
    folder = tmp_path_factory.mktemp("stores")
    acdc(folder / "cine")
    acdc(folder / "edes", cine=False)
    for name in ("cine", "edes"):
        path = str(folder / f"{name}.h5")
        assert main(["import", str(folder / name), path, "--spacing", "1.2"]) == 0
    return folder


def graded(store, output, *folders, **options):
    found = grade_files(store, folders, output, **options)
    return GradedSet(output, Store(store)), found


def reasons(found):
    return {one.name: one.reason for one in found.left_out}


@pytest.mark.parametrize(
    ("store", "numbers", "frames"),
    [
        ("cine", (1, 3), (ED, ES)),
        ("cine", (0, 2), (ED, ES)),
        ("cine", (3,), (ES,)),
        ("cine", (1, 2, 3, 4), (ED, ES)),
        ("cine", (0, 1, 2, 3), (ED, ES)),
        ("edes", (1, 12), (0, 1)),
        ("edes", (1, 2), (0, 1)),
        ("edes", (0, 1), (0, 1)),
    ],
)
def test_single_frames_are_counted_as_the_program_counts(stores, tmp_path, store, numbers, frames):
    for number in numbers:
        save(tmp_path / "net" / f"patient001_frame{number:02d}_pred.nii.gz", heart())

    found, _ = graded(stores / f"{store}.h5", tmp_path / "g.h5", tmp_path / "net")

    assert found.frames.tolist() == list(frames)
    assert set(found.sources.tolist()) == {"net"}
    # Segmentation and reference are the same file, so that they agree on any grid.
    np.testing.assert_array_equal(found.dice, 1)


def test_frames_that_may_be_counted_either_way_are_refused(stores, tmp_path):
    save(tmp_path / "net" / "patient001_frame02.nii.gz", heart())
    both = stores / "cine.h5"
    found, _ = graded(both, tmp_path / "g.h5", tmp_path / "net")
    assert found.frames.tolist() == [ES]

    save(tmp_path / "net" / "patient001_frame01.nii.gz", heart())
    with pytest.raises(ValueError, match="may be counted from 0 or from 1"):
        graded(both, tmp_path / "h.h5", tmp_path / "net")


def test_a_cine_gives_its_labelled_frames(stores, tmp_path):
    cycle = np.zeros((*SHAPE, FRAMES), np.uint8)
    cycle[..., ES] = heart()
    save(tmp_path / "net" / "patient001.nii.gz", cycle)

    found, _ = graded(stores / "cine.h5", tmp_path / "g.h5", tmp_path / "net")

    assert found.frames.tolist() == [ED, ES]
    assert found.dice[0].max() == 0
    assert found.dice[1].min() == 1


def test_the_grid_of_the_import_is_taken_too(stores, tmp_path):
    study = Store(stores / "cine.h5").study("patient001")
    labels = np.asarray(study.labels[ED]).T
    save(tmp_path / "net" / "patient001_frame00.nii.gz", labels, grid_affine(study))

    found, _ = graded(stores / "cine.h5", tmp_path / "g.h5", tmp_path / "net")

    assert labels.shape != SHAPE
    np.testing.assert_array_equal(found.dice, 1)


def test_other_label_values_are_given_their_meaning(stores, tmp_path):
    save(tmp_path / "net" / "patient001_frame01.nii.gz", heart((3, 2, 1)))

    meaning = {1: 3, 2: 2, 3: 1}
    found, _ = graded(stores / "cine.h5", tmp_path / "g.h5", tmp_path / "net", meaning=meaning)

    np.testing.assert_array_equal(found.dice, 1)


def test_what_cannot_be_graded_is_left_out_with_a_reason(stores, tmp_path):
    net = tmp_path / "net"
    save(net / "patient001_frame01.nii.gz", heart())
    save(net / "nobody.nii.gz", heart())
    save(net / "more" / "patient001.nii.gz", heart())

    _, found = graded(stores / "cine.h5", tmp_path / "g.h5", net)

    assert found.graded == {("net", "patient001", ED)}
    assert reasons(found)["nobody"] == "nobody.nii.gz: cine.h5 has no study nobody"
    assert "1 frames, expected 4; name one of a frame" in reasons(found)["patient001.nii.gz"]


@pytest.mark.parametrize(
    ("voxels", "affine", "reason"),
    [
        (heart()[:-1], AFFINE, r"shape \(6, 6, 3\), patient001 has \(7, 6, 3\)"),
        (heart(), AFFINE + 3 * np.eye(4, 4, 3), "affine lies up to .* from that of patient001"),
        (heart((1, 2, 9)), AFFINE, "unknown label values 9; known are 0, 1, 2, 3"),
        (0.5 * heart(), AFFINE, "labels must be integers"),
    ],
)
def test_a_folder_of_nothing_that_fits_is_refused(stores, tmp_path, voxels, affine, reason):
    save(tmp_path / "net" / "patient001_frame01.nii.gz", voxels, affine)

    with pytest.raises(ValueError, match=f"nothing could be graded: .*{reason}"):
        graded(stores / "cine.h5", tmp_path / "g.h5", tmp_path / "net")
    assert not (tmp_path / "g.h5").exists()


def test_each_folder_is_a_source_of_its_name(stores, tmp_path):
    for name in ("a-net", "b", "other/b"):
        save(tmp_path / name / "patient001_frame01.nii.gz", heart())

    found, _ = graded(stores / "cine.h5", tmp_path / "g.h5", tmp_path / "a-net", tmp_path / "b")

    assert found.sources.tolist() == ["a_net", "b"]
    with pytest.raises(ValueError, match="a source 'b'"):
        graded(stores / "cine.h5", tmp_path / "h.h5", tmp_path / "b", tmp_path / "other" / "b")


def test_images_beside_their_segmentations_are_passed_over(stores, tmp_path):
    shutil.copytree(stores / "cine" / "patient001", tmp_path / "net")

    found, what = graded(stores / "cine.h5", tmp_path / "g.h5", tmp_path / "net")

    assert found.frames.tolist() == [ED, ES]
    assert list(reasons(what)) == ["patient001_4d"]


@pytest.fixture(scope="module")
def segmented(suite_store, tmp_path_factory):
    """What a program made of all phantoms but one: references that were shifted, each farther."""
    folder = tmp_path_factory.mktemp("segmented") / "net"
    folder.mkdir()
    for far, study in enumerate(list(Store(suite_store))[:-1]):
        labels = np.roll(study.labels[:].clip(min=0), far, axis=-1)
        image = nib.Nifti1Image(labels.T.astype(np.int8), grid_affine(study))
        nib.save(image, folder / f"{study.name}.nii.gz")
    return folder


def test_a_suite_is_fitted_to_and_evaluated_on_what_was_graded(
    suite_store, segmented, tmp_path, capsys
):
    store, file, suite = str(suite_store), str(tmp_path / "g.h5"), str(tmp_path / "suite")

    assert main(["qc", "grade", store, str(segmented), "-o", file]) == 0
    shown = capsys.readouterr().out
    assert "graded: 10 segmentations of 5 studies" in " ".join(shown.split())
    assert "not segmented: 1 studies with references, such as phantom-0006" in shown
    options = ["--graded", file, "--estimators", "svr", "--test", "2", "--folds", "2"]
    assert main(["qc", "fit", store, "-o", suite, *options]) == 0
    assert main(["qc", "evaluate", suite, file]) == 0

    known = GradedSet(tmp_path / "suite" / "graded.h5", Store(suite_store))
    assert "phantom-0006" not in (tmp_path / "suite" / "split.csv").read_text()
    assert set(known.sources.tolist()) == {"net"}
    assert len(known) == 6
    assert "left out 3 studies that the suite was fitted to" in capsys.readouterr().out


def test_two_sets_with_a_source_of_one_name_are_refused(suite_store, segmented, tmp_path, capsys):
    file = str(tmp_path / "g.h5")
    assert main(["qc", "grade", str(suite_store), str(segmented), "-o", file]) == 0

    options = ["--graded", file, "--graded", file, "--estimators", "svr"]
    code = main(["qc", "fit", str(suite_store), "-o", str(tmp_path / "suite"), *options])

    assert code != 0
    assert "source 'net' stands elsewhere, too" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "suite").exists()


@pytest.mark.slow
def test_two_suites_stand_side_by_side_on_studies_that_neither_saw(
    suite_store, segmented, tmp_path, capsys
):
    store, file = str(suite_store), str(tmp_path / "g.h5")
    assert main(["qc", "grade", store, str(segmented), "-o", file]) == 0
    options = ["--graded", file, "--estimators", "svr", "--folds", "2"]
    for name, more in (("plain", "10"), ("stiff", "0.01")):
        command = ["qc", "fit", store, "-o", str(tmp_path / name), *options, "--test", "2"]
        assert main([*command, "--set", f"svr.c={more}"]) == 0

    both = [str(tmp_path / "plain"), str(tmp_path / "stiff")]
    assert main(["qc", "evaluate", *both, file, "-o", str(tmp_path / "e")]) == 0

    assert "errors on the same segmentations" in capsys.readouterr().out
    with (tmp_path / "e" / "pairs.csv").open() as text:
        rows = list(csv.DictReader(text))
    assert {(row["first"], row["second"]) for row in rows} == {("plain/svr", "stiff/svr")}
    assert {(row["quality"], row["structure"]) for row in rows} >= {("dice", "all"), ("nsd", "LV")}
    assert {row["n"] for row in rows} == {"4"}
    assert "## Between estimators" in (tmp_path / "e" / "table.md").read_text()
    assert main(["qc", "evaluate", both[0], both[0], file]) != 0
    assert "two suites are called plain" in " ".join(capsys.readouterr().err.split())
