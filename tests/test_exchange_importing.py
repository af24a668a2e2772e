import gc
import json
import shutil
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
from real_data import real_folder
from source_builders import AFFINE, FRAMES, acdc, heart, pixels, save

from semiqc.exchange.importing import Refusal, import_data, read_images, read_scheme
from semiqc.files.store.reader import Store
from semiqc.images.preparing import prepared
from semiqc.images.raw import RawStudy
from semiqc.nifti.writing import write_labels
from semiqc.schemes import AORTA, SHORT_AXIS, UNLABELLED, Measure


def dice(a, b, value):
    return 2 * ((a == value) & (b == value)).sum() / ((a == value).sum() + (b == value).sum())


def reasons(report):
    return {refusal.name: refusal.reason for refusal in report.left_out}


@pytest.fixture
def source(tmp_path):
    """Three patients, the first sound."""
    folder = tmp_path / "source"
    for number in (1, 2, 3):
        acdc(folder, f"patient00{number}", seed=number)
    return folder


@pytest.fixture
def output(tmp_path):
    return tmp_path / "store.h5"


def test_what_came_in_is_told_and_stands_in_the_store(source, output):
    report = import_data(source, output)
    store = Store(output)

    assert [row.name for row in report.imported] == list(store.names)
    assert store.names == ("patient001", "patient002", "patient003")
    row = report.imported[0]
    assert (row.group, row.frames, row.slices, row.size) == ("DCM", FRAMES, 3, (6, 7))
    assert row.spacing == (8, 1.5, 1.5)
    assert row.labelled_frames == store.study("patient001").labelled_frames == (0, 2)
    assert report.left_out == report.warnings == ()
    assert store.scheme == SHORT_AXIS


def test_at_the_datas_own_spacing_labels_stay_as_they_are(source, output):
    import_data(source, output)
    study = Store(output).study("patient002")

    np.testing.assert_array_equal(study.labels[0], heart().T)
    assert (study.labels[1] == UNLABELLED).all()


def test_percentiles_of_the_whole_study_become_0_and_1(source, output):
    folder = acdc(source, "patient009", seed=9)
    cycle = pixels(9)
    cycle[0, 0, 0, 1] = 32000
    save(folder / "patient009_4d.nii.gz", cycle)
    import_data(source, output)
    image = Store(output).study("patient009").image[:]

    low, high = np.percentile(cycle, (1, 99))
    scaled = (cycle.T - low) / (high - low)
    np.testing.assert_allclose(image[0], scaled.clip(-1, 3), atol=2e-3)
    assert image.max() == 3


def test_all_studies_get_the_median_spacing_of_the_data(source, output):
    for name, mm in (("patient001", 1.0), ("patient002", 1.25), ("patient003", 2.0)):
        for path in (source / name).glob("*.nii.gz"):
            voxels = np.asanyarray(nib.load(path).dataobj)
            save(path, voxels, np.diag([mm, mm, 8, 1]))
    report = import_data(source, output)

    assert {row.spacing for row in report.imported} == {(8, 1.25, 1.25)}
    assert [row.size for row in report.imported] == [(5, 6), (6, 7), (10, 12)]


def test_a_spacing_may_be_asked_for_and_must_be_positive(source, output):
    report = import_data(source, output, spacing=0.75)

    assert report.imported[0].spacing == (8, 0.75, 0.75)
    assert report.imported[0].size == (12, 14)
    with pytest.raises(ValueError, match="spacing must be positive mm, got 0"):
        import_data(source, output, spacing=0.0, overwrite=True)


def test_what_is_broken_is_left_out_and_the_rest_is_imported(source, output):
    (source / "patient001" / "patient001_4d.nii.gz").write_bytes(b"")
    save(source / "patient003" / "patient003_frame01_gt.nii.gz", heart((1, 2, 4)))
    report = import_data(source, output)

    assert [row.name for row in report.imported] == ["patient002"]
    assert reasons(report) == {
        "patient001": "patient001_4d.nii.gz: empty file",
        "patient003": "patient003_frame01_gt.nii.gz: unknown label values 4; known are 0, 1, 2, 3",
    }


def test_the_same_pixels_under_two_names_are_taken_once(source, output):
    acdc(source, "patient000", seed=2)
    report = import_data(source, output)

    assert reasons(report) == {
        "patient002": "frame 0 has the same pixels as a frame of patient000"
    }
    assert len(report.imported) == 3


def test_a_study_that_is_left_out_does_not_cost_its_copy_its_place(tmp_path, output):
    voxels = pixels(0, (48, 48, 3))
    for name, mm in (("a_cm", 0.15), ("b", 1.5)):
        save(tmp_path / f"{name}.nii", voxels, np.diag([mm, mm, 8, 1]))
    (tmp_path / "m.csv").write_text("study,image\na_cm,a_cm.nii\nb,b.nii\n")
    report = import_data(tmp_path / "m.csv", output, spacing=1.5)

    assert [row.name for row in report.imported] == ["b"]
    assert "would become 5 of 1.5 mm" in reasons(report)["a_cm"]


def test_two_frames_of_a_cycle_are_known_as_those_of_that_cycle(source, output):
    acdc(source, "patient007", seed=2, cine=False)

    assert reasons(import_data(source, output)) == {
        "patient007": "frame 0 has the same pixels as a frame of patient002"
    }


def test_the_same_pixels_in_another_type_are_the_same(source, output):
    folder = acdc(source, "patient007", seed=2)
    for path in folder.glob("*.nii.gz"):
        voxels = np.asanyarray(nib.load(path).dataobj)
        save(path, voxels.astype(np.float64))

    assert list(reasons(import_data(source, output))) == ["patient007"]


def test_frames_that_are_blank_in_both_are_not_the_same_study(source, output):
    for number in (1, 2):
        folder = source / f"patient00{number}"
        cycle = pixels(number)
        cycle[..., 1] = 0
        save(folder / f"{folder.name}_4d.nii.gz", cycle)

    assert import_data(source, output).left_out == ()


def test_of_two_studies_of_one_name_the_first_is_taken(source, output, tmp_path):
    acdc(tmp_path / "both" / "training", "patient001", seed=1)
    acdc(tmp_path / "both" / "testing", "patient001", seed=8)
    report = import_data(tmp_path / "both", output)

    assert [row.split for row in report.imported] == ["test"]
    assert "the name is taken by" in reasons(report)["patient001"]


def test_an_image_that_is_the_same_everywhere_is_left_out(source, output):
    folder = source / "patient001"
    save(folder / "patient001_4d.nii.gz", pixels() * 0 + 7)
    for frame in ("01", "03"):
        save(folder / f"patient001_frame{frame}.nii.gz", pixels()[..., 0] * 0 + 7)

    assert reasons(import_data(source, output)) == {
        "patient001": "patient001: image is 7 everywhere"
    }


def test_a_modality_that_a_study_lacks_is_zero_and_does_not_cost_the_others():
    image = np.random.default_rng(0).normal(size=(2, 1, 3, 8, 8)).astype(np.float32)
    image[1] = 4
    raw = RawStudy("a", image, np.zeros((1, 3, 8, 8), np.int8), (8.0, 1.0, 1.0), np.eye(4))

    found = prepared(raw, 1.0).image

    assert not found[1].any()
    assert found[0].std() > 0.1


def test_an_image_of_hardly_anything_but_background_keeps_its_contrast(source, output):
    folder = source / "patient001"
    cycle = pixels() * 0
    cycle[3, 3, 1, :] = np.arange(10, 10 + FRAMES)
    save(folder / "patient001_4d.nii.gz", cycle)
    for frame in (1, 3):
        save(folder / f"patient001_frame{frame:02d}.nii.gz", cycle[..., frame - 1])
    import_data(source, output)

    assert Store(output).study("patient001").image[:].max() == 1


def test_oddities_that_studies_share_are_one_line(source, output):
    for folder in source.iterdir():
        (folder / f"{folder.name}_frame03_gt.nii.gz").unlink()

    assert import_data(source, output).warnings == (
        "patient001, patient002, patient003: only one of the ED and ES frames has labels",
    )


def test_nothing_usable_is_an_error_that_lists_reasons_and_leaves_no_file(source, output):
    for path in source.rglob("*_4d.nii.gz"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"nothing can be imported: patient001: .*empty file"):
        import_data(source, output)

    assert not output.exists()
    assert [path.name for path in output.parent.iterdir()] == ["source"]


def test_an_empty_folder_and_one_of_no_layout_are_told(tmp_path, output):
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(ValueError, match="empty: an empty folder, expected one of manifest"):
        import_data(folder, output)
    (folder / "notes.txt").touch()
    with pytest.raises(ValueError, match="empty: no known layout"):
        import_data(folder, output)
    with pytest.raises(ValueError, match="gone: no such file or folder"):
        import_data(tmp_path / "gone", output)
    with pytest.raises(ValueError, match="unknown layout 'acdcc'; known: auto, manifest"):
        import_data(folder, output, layout="acdcc")


@pytest.mark.parametrize("layout", ["acdc", "mnms", "nnunet", "dicom", "manifest"])
def test_a_source_of_another_layout_than_named_is_an_error_in_words(tmp_path, output, layout):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").touch()
    with pytest.raises(ValueError, match="folder: "):
        import_data(tmp_path / "folder", output, layout=layout)
    with pytest.raises(ValueError, match=r"notes\.txt: "):
        import_data(tmp_path / "folder" / "notes.txt", output, layout=layout)


def test_a_store_is_replaced_only_when_asked(source, output):
    import_data(source, output)
    with pytest.raises(FileExistsError, match="--overwrite"):
        import_data(source, output)
    import_data(source, output, overwrite=True)


def test_progress_is_told_after_each_study(source, output):
    told = []
    import_data(source, output, on_progress=lambda done, total: told.append((done, total)))

    assert told == [(1, 3), (2, 3), (3, 3)]


def test_memory_does_not_grow_with_the_number_of_studies(tmp_path):
    def peak(count):
        folder = tmp_path / f"of {count}"
        for number in range(count):
            (folder / f"p{number}").mkdir(parents=True)
            save(folder / f"p{number}" / f"p{number}_4d.nii", pixels(number, (90, 80, 4, 12)))
            (folder / f"p{number}" / "Info.cfg").write_text("ED: 1\nES: 3\n")
        gc.collect()
        tracemalloc.start()
        import_data(folder, tmp_path / f"{count}.h5")
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(1)
    assert peak(8) < 1.1 * peak(2)


@pytest.mark.parametrize(("spacing", "agreement"), [(1.5, 1.0), (1.2, 0.9)])
def test_labels_are_written_back_on_the_grid_they_came_from(
    source, output, tmp_path, spacing, agreement
):
    import_data(source, output, spacing=spacing)
    study = Store(output).study("patient001")
    write_labels(tmp_path / "back.nii.gz", study, study.labels)

    back = nib.load(tmp_path / "back.nii.gz")
    assert back.shape == (7, 6, 3, FRAMES)
    np.testing.assert_allclose(back.affine, AFFINE)
    np.testing.assert_allclose(back.header.get_zooms()[:3], (1.5, 1.5, 8))
    found = np.asanyarray(back.dataobj)
    assert (found[..., 1] == UNLABELLED).all()
    for value in (1, 2, 3):
        assert dice(found[..., 2], heart(), value) >= agreement


def test_a_new_image_is_prepared_like_an_imported_one(source, output):
    import_data(source, output, spacing=1.2)
    path = source / "patient001" / "patient001_4d.nii.gz"
    (study,) = read_images(path, spacing=1.2, modalities=1, scheme=SHORT_AXIS)

    stored = Store(output).study("patient001")
    np.testing.assert_allclose(study.image[:], stored.image[:], atol=2e-3)
    assert study.spacing == stored.spacing
    assert study.labelled_frames == ()
    assert study.name == "patient001_4d"


def test_new_images_may_lie_in_a_folder_or_in_a_known_layout(source, tmp_path):
    folder = tmp_path / "images"
    save(folder / "b.nii.gz", pixels(1))
    save(folder / "a.nii", pixels(2)[..., 0])
    (folder / "c.nii.gz").write_bytes(b"")
    (folder / "notes.txt").touch()
    found = list(read_images(folder, spacing=1.5, modalities=1, scheme=SHORT_AXIS))
    known = list(read_images(source, spacing=1.5, modalities=1, scheme=SHORT_AXIS))

    assert [study.name for study in found] == ["a", "b", "c"]
    assert found[0].frames == 1
    assert found[2] == Refusal("c", "c.nii.gz: empty file")
    assert [study.name for study in known] == ["patient001", "patient002", "patient003"]
    assert all(study.labelled_frames == () for study in known)


def test_new_images_of_several_modalities_are_put_together(tmp_path):
    folder = tmp_path / "images"
    for channel in (0, 1):
        save(folder / f"a_{channel:04d}.nii.gz", pixels(channel)[..., 0])
    save(folder / "b_0000.nii.gz", pixels(5)[..., 0])
    refusal, study = read_images(folder, spacing=1.5, modalities=2, scheme=SHORT_AXIS)

    assert study.name == "a"
    assert study.image.shape == (2, 1, 3, 6, 7)
    assert refusal == Refusal("b", "b_0000.nii.gz: 1 modalities, expected 2")


def test_new_images_that_are_nowhere_are_told(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.nii: no such file or folder"):
        next(read_images(tmp_path / "gone.nii", spacing=1, modalities=1, scheme=SHORT_AXIS))


def test_new_images_of_other_modalities_than_learned_are_refused(source):
    found = read_images(source, spacing=1.5, modalities=2, scheme=SHORT_AXIS)

    assert next(found).reason == "patient001: 1 modalities, expected 2"


def test_a_scheme_is_a_known_name_or_a_file(tmp_path):
    path = tmp_path / "whole.yaml"
    path.write_text(
        "classes: [background, RV, MYO, LV]\n"
        "structures:\n- {name: heart, values: [1, 2, 3], measure: volume}\nmirror_axes: [x]\n"
    )
    other = tmp_path / "plain.json"
    other.write_text(json.dumps({"name": "two", "classes": ["background", "a", "b"]}))

    assert read_scheme("aorta") is AORTA
    scheme = read_scheme(str(path))
    assert (scheme.name, scheme.mirror_axes) == ("whole", ("x",))
    assert scheme.structure("heart").values == (1, 2, 3)
    assert scheme.structure("heart").measure is Measure.VOLUME
    assert [s.name for s in read_scheme(str(other)).structures] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "not readable YAML"),
        ("5", "expected a label scheme"),
        ("classes: [background]", "a list of 2 to 127 names"),
        ("clases: [background, a]", "unknown keys clases; known: classes"),
        ("classes: [b, a]\nstructures: a", "expected 'structures' to be a list"),
        ("classes: [b, a]\nstructures: [{name: x, values: 1}]", "must be a list of integers"),
        ("classes: [b, a]\nstructures: [{values: [1]}]", "has no name"),
        ("classes: [b, a]\nstructures: [{name: x, values: [2]}]", "known are 1 to 1"),
        ("classes: [b, a]\nstructures: [{name: x, values: [1], measure: y}]", "unknown measure"),
        ("classes: [b, a]\nmirror_axes: [z]", "mirror_axes may hold y and x"),
    ],
)
def test_a_file_that_is_no_scheme_is_named(tmp_path, text, message):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"mine\.yaml: .*{message}"):
        read_scheme(str(path))


def test_an_unknown_scheme_is_told_with_the_known(tmp_path):
    with pytest.raises(ValueError, match="unknown label scheme 'hart'; known: short-axis, aorta"):
        read_scheme("hart")


def test_real_labels_return_to_the_grid_they_came_from(output, tmp_path):
    source = tmp_path / "two"
    for name in ("patient002", "patient003"):
        shutil.copytree(real_folder("acdc_cine") / name, source / name)
    assert len(import_data(source, output).imported) == 2

    for study in Store(output):
        folder = source / study.name
        write_labels(tmp_path / "back.nii.gz", study, study.labels)
        back = nib.load(tmp_path / "back.nii.gz")
        cine = nib.load(folder / f"{study.name}_4d.nii.gz")
        assert back.shape == cine.shape
        np.testing.assert_array_equal(back.affine, cine.affine)
        np.testing.assert_allclose(
            back.header.get_zooms()[:3], cine.header.get_zooms()[:3], rtol=1e-6
        )
        for frame in study.labelled_frames:
            path = folder / f"{study.name}_frame{frame + 1:02d}_gt.nii.gz"
            truth = np.asanyarray(nib.load(path).dataobj)
            for value in (1, 2, 3):
                assert dice(np.asanyarray(back.dataobj)[..., frame], truth, value) >= 0.98
