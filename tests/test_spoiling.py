from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from semiqc.cli.app import main
from semiqc.files.atomic import move
from semiqc.files.checksums import write_manifest
from semiqc.files.store.reader import Store
from semiqc.files.tables import SpoiltRow, read_rows
from semiqc.phantom import aorta_study, short_axis_study, write_phantoms
from semiqc.schemes import AORTA, SHORT_AXIS, UNLABELLED
from semiqc.spoiling import SPOILINGS, deal, spoil, spoil_store
from semiqc.spoiling.slices import ShiftedSlices
from semiqc.study import Study

KEEPS_LABELS = ("motion", "ghosts", "scanner", "noise")
OF_SLICES = ("lost", "doubled", "shuffled")
SHOWS_NO_HEART = ("anatomy", "phantom", "bottle")
SPACING = (10.0, 2.0, 2.0)


@cache
def heart() -> Study:
    """Four frames of [5, 40, 44] voxels, of which the first and the last have labels."""
    study = short_axis_study(3, size=44, slices=5, frames=4, spacing=SPACING, name="a heart")
    cut = replace(study, image=study.image[..., 2:42, :], labels=study.labels[..., 2:42, :])
    return cut.keeping((0, 3)).load()


def patient() -> Study:
    """The same, of which nothing says that it is a phantom."""
    return replace(heart(), geometry=None)


def slices_of(study: Study) -> list[bytes]:
    """Image and labels of each slice."""
    return [
        study.image[:, :, z].tobytes() + study.labels[:, z].tobytes()
        for z in range(study.labels.shape[1])
    ]


@pytest.mark.parametrize("kind", SPOILINGS)
def test_a_spoilt_study_is_another_and_the_same_again_by_seed(kind):
    study, before = heart(), heart().load()
    before = replace(before, image=before.image.copy(), labels=before.labels.copy())

    spoilt, again = (spoil(study, kind, SHORT_AXIS, 1) for _ in range(2))

    assert spoilt.image[:].tobytes() == again.image[:].tobytes()
    assert spoilt.labels[:].tobytes() == again.labels[:].tobytes()
    assert spoilt.image[:].tobytes() != study.image[:].tobytes()
    assert study.image.tobytes() == before.image.tobytes()
    assert study.labels.tobytes() == before.labels.tobytes()
    assert (spoilt.name, spoilt.subject, spoilt.group) == (study.name, study.subject, study.group)
    assert spoilt.labelled_frames == (0, 3)
    assert (spoilt.labels[1] == UNLABELLED).all()
    assert spoilt.image.dtype == np.float32
    assert np.isfinite(spoilt.image).all()


@pytest.mark.parametrize("kind", sorted({*SPOILINGS} - {"upside_down"}))
def test_another_seed_spoils_otherwise(kind):
    found = {spoil(heart(), kind, SHORT_AXIS, seed).image[:].tobytes() for seed in range(4)}

    assert len(found) > 1


@pytest.mark.parametrize("kind", KEEPS_LABELS)
def test_what_spoils_intensities_leaves_labels_and_grid(kind):
    study = heart()
    spoilt = spoil(study, kind, SHORT_AXIS)

    np.testing.assert_array_equal(spoilt.labels, study.labels)
    assert spoilt.image.shape == study.image.shape
    assert (spoilt.spacing, spoilt.geometry) == (study.spacing, study.geometry)
    assert np.percentile(spoilt.image, 99) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("kind", SPOILINGS)
def test_labels_on_the_grid_of_the_source_stay_where_the_image_stays(kind):
    study = replace(heart(), source_labels=np.zeros((4, 5, 80, 88), np.int8))
    spoilt = spoil(study, kind, SHORT_AXIS)

    assert (spoilt.source_labels is not None) == (kind in KEEPS_LABELS)


@pytest.mark.parametrize("kind", ["motion", "ghosts"])
def test_a_modality_that_is_lacking_stays_so(kind):
    study = heart()
    two = replace(study, image=np.concatenate([study.image, np.zeros_like(study.image)]))
    spoilt = spoil(two, kind, SHORT_AXIS)

    assert (spoilt.image[1] == 0).all()
    assert np.ptp(spoilt.image[0]) > 0.5


def test_slices_are_lost_doubled_and_shuffled_with_their_labels():
    study = heart()
    before = slices_of(study)
    lost, doubled, shuffled = (slices_of(spoil(study, kind, SHORT_AXIS)) for kind in OF_SLICES)

    assert lost == [one for one in before if one in lost]
    assert 0 < len(lost) < 5
    assert list(dict.fromkeys(doubled)) == before
    assert len(doubled) > 5
    assert all(a == b for a, b in zip(doubled, sorted(doubled, key=before.index), strict=True))
    assert sorted(shuffled) == sorted(before)
    assert shuffled not in (before, before[::-1])


@pytest.mark.parametrize("kind", OF_SLICES)
def test_a_geometry_has_as_many_slices_as_the_study(kind):
    spoilt = spoil(heart(), kind, SHORT_AXIS)

    assert spoilt.geometry.shape[2] == spoilt.labels.shape[1]


def test_shifted_slices_take_their_labels_along():
    study = heart()
    spoilt = spoil(
        replace(study, image=study.labels[None].astype(np.float32)), "shifted", SHORT_AXIS
    )

    moved = [(spoilt.labels[:, z] != study.labels[:, z]).any() for z in range(5)]
    assert sum(moved) >= 3
    heart_here = spoilt.labels > 0
    np.testing.assert_array_equal(spoilt.image[0][heart_here], spoilt.labels[heart_here])
    assert set(np.unique(spoilt.labels[0])) <= {0, 1, 2, 3}


def test_a_shift_has_the_same_length_in_mm_whatever_the_pixels():
    def moved(pixel_mm):
        labels = np.zeros((1, 3, 81, 81), np.int8)
        labels[:, :, 40, 40] = 1
        study = Study("a", labels[None].astype(np.float32), labels, (8.0, pixel_mm, pixel_mm))
        rng = np.random.default_rng(1)
        found = ShiftedSlices()(study, SHORT_AXIS, rng).labels
        return (np.argwhere(found)[:, 2:] - 40) * pixel_mm

    np.testing.assert_allclose(moved(1.0), moved(2.0), atol=1.5)
    assert np.abs(moved(1.0)).max() > 3


def test_in_another_view_rows_run_along_the_stack_for_image_and_labels():
    study = patient()
    ramp = np.broadcast_to(np.arange(5.0)[:, None, None], study.labels.shape).astype(np.float32)
    spoilt = spoil(replace(study, image=ramp[None]), "view", SHORT_AXIS)

    assert spoilt.image.shape == study.image.shape
    shown = spoilt.image[0, 0, 2]
    assert (np.diff(shown[10:30].mean(axis=1)) >= -1e-4).all()
    assert np.ptp(shown[10:30, 4:40].mean(axis=0)) < 1e-4
    height = (spoilt.labels[0] > 0).any(axis=(0, 2)).sum()
    assert 10 < height <= 25
    assert set(np.unique(spoilt.labels[0])) <= {0, 1, 2, 3}


def test_upside_down_is_a_mirror_for_both():
    study = heart()
    spoilt = spoil(study, "upside_down", SHORT_AXIS)

    np.testing.assert_array_equal(spoilt.image[..., ::-1, :], study.image)
    np.testing.assert_array_equal(spoilt.labels[..., ::-1, :], study.labels)


@pytest.mark.parametrize("kind", SHOWS_NO_HEART)
def test_where_there_is_no_heart_there_is_background(kind):
    spoilt = spoil(heart(), kind, SHORT_AXIS)

    assert (spoilt.labels[[0, 3]] == 0).all()
    assert spoilt.image.shape[0:2] + spoilt.image.shape[3:] == (1, 4, 40, 44)


def test_a_phantom_among_patients_has_labels_of_its_own():
    spoilt = spoil(patient(), "phantom", SHORT_AXIS)

    assert {1, 2, 3} <= set(np.unique(spoilt.labels[0]))
    blood, wall = (spoilt.image[0, 0][spoilt.labels[0] == value].mean() for value in (3, 2))
    assert blood > 1.5 * wall


def test_where_the_aorta_is_looked_for_a_heart_is_another_anatomy():
    study = aorta_study(0, size=40, frames=3, spacing=(6.0, 1.6, 1.6))
    spoilt = spoil(study, "anatomy", AORTA)

    assert (spoilt.labels[:] == 0).all()
    assert spoilt.image.shape == study.image.shape
    # The phantom of the aorta has slices of its own.
    assert spoilt.spacing == study.spacing


def test_noise_drowns_the_heart():
    study = heart()

    def contrast(shown):
        blood, wall = (shown[study.labels[0] == value] for value in (3, 2))
        return (blood.mean() - wall.mean()) / blood.std()

    noisy = spoil(study, "noise", SHORT_AXIS)
    assert contrast(noisy.image[0, 0]) < 0.25 * contrast(study.image[0, 0])


def test_a_study_of_one_slice_is_spoilt_by_what_suits_it():
    study = aorta_study(0, size=40, frames=3)

    with pytest.raises(ValueError, match="'shuffled' needs 3 slices, the study has 1"):
        spoil(study, "shuffled", AORTA)
    with pytest.raises(ValueError, match="1 studies are to be spoilt, but only 0 have slices"):
        deal([study], 1.0, ["shuffled", "view"], 0)
    assert [row.kind for row in deal([study], 1.0, ["shuffled", "noise"], 0)] == ["noise"]


def many(count: int) -> list[Study]:
    """Studies that differ in name."""
    labels = np.zeros((1, 4, 5, 6), np.int8)
    image = labels[None].astype(np.float32)
    return [Study(f"s{number:02d}", image, labels, SPACING) for number in range(count)]


def test_the_share_is_met_and_kinds_are_dealt_evenly():
    rows = deal(many(39), 1 / 3, list(SPOILINGS), 0)

    assert len(rows) == 13
    assert sorted(row.kind for row in rows) == sorted(SPOILINGS)
    assert rows == deal(many(39)[::-1], 1 / 3, list(SPOILINGS), 0)
    assert rows != deal(many(39), 1 / 3, list(SPOILINGS), 1)
    assert deal(many(39), 0, list(SPOILINGS), 0) == []


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("spoiling") / "clean.h5"
    write_phantoms(path, studies=6, size=32, slices=3, frames=2)
    return path


def test_a_store_is_spoilt_in_part_with_a_table(store, tmp_path):
    target = tmp_path / "dirty.h5"
    rows = spoil_store(store, target, share=0.5, seed=2)

    assert len(rows) == 3
    assert read_rows(tmp_path / "dirty.csv", SpoiltRow) == rows
    assert Store(target).names == Store(store).names
    spoilt = {row.study for row in rows}
    for study in Store(store):
        other = Store(target).study(study.name)
        is_same = np.array_equal(other.image[:], study.image[:])
        assert is_same is (study.name not in spoilt)
    with pytest.raises(FileExistsError, match="exists already"):
        spoil_store(store, target)
    with pytest.raises(ValueError, match="is the store that is read"):
        spoil_store(store, store, overwrite=True)


@pytest.mark.parametrize("changes", range(4))
def test_a_kill_leaves_no_spoilt_store_without_its_table(store, tmp_path, monkeypatch, changes):
    target, table = tmp_path / "dirty.h5", tmp_path / "dirty.csv"
    old = spoil_store(store, target, share=0.2, kinds=["noise"])
    before, done = target.read_bytes(), []

    def counted(change):
        def changed(path, *rest, **options):
            if path.name in ("dirty.h5", "dirty.csv"):
                if len(done) == changes:
                    raise KeyboardInterrupt
                done.append(path)
            return change(path, *rest, **options)

        return changed

    with monkeypatch.context() as patched:
        patched.setattr("semiqc.spoiling.pool.move", counted(move))
        patched.setattr(Path, "unlink", counted(Path.unlink))
        with pytest.raises(KeyboardInterrupt):
            spoil_store(store, target, share=0.5, kinds=["ghosts"], overwrite=True)

    if target.exists():
        assert (target.read_bytes(), read_rows(table, SpoiltRow)) == (before, old)
    spoil_store(store, target, share=0.5, kinds=["ghosts"], overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dirty.csv", "dirty.h5"]


def test_two_commands_do_not_mix_what_they_spoil(store, tmp_path, monkeypatch):
    target, said = tmp_path / "dirty.h5", []

    def spoil_too(done, of):
        # As the first writes, the second begins; as it is nearly done, others appear.
        with pytest.raises(BlockingIOError, match=r"dirty\.h5: another process writes it"):
            spoil_store(store, target, share=0.2, kinds=["noise"])
        said.append(done)
        if done == of:
            (tmp_path / "dirty.csv").write_text("theirs")

    with pytest.raises(FileExistsError, match=r"dirty\.csv: another command wrote it meanwhile"):
        spoil_store(store, target, share=0.5, kinds=["ghosts"], on_progress=spoil_too)
    assert len(said) == 6
    assert [path.name for path in tmp_path.iterdir()] == ["dirty.csv"]


@pytest.mark.parametrize("name", ["dirty.csv", "dirty.CSV"])
def test_store_and_table_have_two_names(store, tmp_path, name):
    with pytest.raises(ValueError, match="its table would have this name"):
        spoil_store(store, tmp_path / name)


def test_the_table_takes_the_place_of_nothing_that_is_read_or_finished(store, tmp_path, capsys):
    split = tmp_path / "a.csv"
    split.write_text("study,role\nphantom-0001,unlabelled\n")
    command = ["spoil", str(store), "--split", str(split), "--overwrite", "-o"]

    assert main([*command, str(tmp_path / "a.h5")]) == 2
    assert "is read from there" in capsys.readouterr().err
    write_manifest(tmp_path)
    with pytest.raises(FileExistsError, match=r"a\.csv: is part of what is finished"):
        spoil_store(store, tmp_path / "a.h5", overwrite=True)


def test_the_command_spoils_a_copy_and_says_what_was_done(store, tmp_path, capsys):
    target, split = tmp_path / "dirty.h5", tmp_path / "split.csv"
    roles = ["labelled", "test", *["unlabelled"] * 4]
    lines = [f"{name},{role}" for name, role in zip(Store(store).names, roles, strict=True)]
    split.write_text("\n".join(["study,role", *lines]))
    command = ["spoil", str(store), "-o", str(target)]
    half = ["--share", "0.5", "--kinds", "noise, ghosts", "--split", str(split)]

    assert main([*command, *half]) == 0

    rows = read_rows(tmp_path / "dirty.csv", SpoiltRow)
    assert sorted(row.kind for row in rows) == ["ghosts", "noise"]
    assert {row.study for row in rows} <= set(Store(store).names[2:])
    assert "spoilt 2 of 6 studies" in capsys.readouterr().out
    assert main([*command, "--overwrite", "--kinds", "ghost"]) == 2
    assert "unknown 'ghost'; did you mean 'ghosts'?" in capsys.readouterr().err
    assert main(command) == 2
    assert "exists already; say --overwrite" in capsys.readouterr().err


def test_only_the_unlabelled_are_spoilt_where_roles_are_given(store, tmp_path):
    roles = dict.fromkeys(Store(store).names, "test")
    roles["phantom-0002"] = roles["phantom-0005"] = "unlabelled"

    rows = spoil_store(store, tmp_path / "dirty.h5", share=1.0, kinds=["noise"], roles=roles)

    assert [row.study for row in rows] == ["phantom-0002", "phantom-0005"]
