import csv
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from builders import SPACING, study_of

from semiqc.exchange.exporting import export_cases, subject_folds
from semiqc.exchange.lineage import EXPERT, PSEUDO, ExportCase, Lineage, LineageRow
from semiqc.exchange.readers import find
from semiqc.exchange.subjects import find_subjects
from semiqc.files.tables import read_rows
from semiqc.nifti.frames import grid_affine, read_note, write_frame
from semiqc.schemes import (
    AORTA,
    SHORT_AXIS,
    TUMOUR,
    UNLABELLED,
)
from semiqc.study import Geometry

ADMITTED = Lineage(
    source=PSEUDO, model="0123456789abcdef", round=2, scores={"physiology": 0.75, "vae": 0.5},
    decision="admitted", reason="rank 1 of 3, k = 1", grain="voxel", repair="temporal",
)  # fmt: skip


def export(folder, *cases, scheme=SHORT_AXIS, modalities=("cine",), **options):
    return export_cases(cases, folder / "Dataset501_Heart", scheme, modalities, **options)


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def entries(folder, scheme=SHORT_AXIS):
    return {entry.name: entry for entry in find(folder, scheme=scheme).entries}


def test_labelled_frames_become_cases_as_nnunet_names_them(tmp_path):
    export(tmp_path, ExportCase(study_of("a", labelled=(0, 2))), ExportCase(study_of("b")))

    assert files(tmp_path / "Dataset501_Heart") == [
        "dataset.json",
        "imagesTr/a_frame00_0000.nii.gz",
        "imagesTr/a_frame02_0000.nii.gz",
        "imagesTr/b_frame01_0000.nii.gz",
        "labelsTr/a_frame00.nii.gz",
        "labelsTr/a_frame02.nii.gz",
        "labelsTr/b_frame01.nii.gz",
        "lineage.csv",
        "splits_final.json",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["Dataset501_Heart"]


def test_the_ignore_label_is_declared_and_the_highest(tmp_path):
    export(tmp_path, ExportCase(study_of("a")))

    described = json.loads((tmp_path / "Dataset501_Heart" / "dataset.json").read_text())
    assert described == {
        "channel_names": {"0": "cine"},
        "labels": {"background": 0, "RV": 1, "MYO": 2, "LV": 3, "ignore": 4},
        "file_ending": ".nii.gz",
        "numTraining": 1,
    }


def test_what_was_exported_is_read_back_as_it_was(tmp_path):
    study = study_of("a", labelled=(1, 2))
    study.labels[1, 0] = UNLABELLED
    export(tmp_path, ExportCase(study))

    found = entries(tmp_path)
    assert sorted(found) == ["a_frame01", "a_frame02"]
    for frame in (1, 2):
        raw = found[f"a_frame{frame:02d}"].read(True)
        np.testing.assert_array_equal(raw.labels[0], study.labels[frame])
        np.testing.assert_array_equal(raw.image[:, 0], study.image[:, frame])
        assert raw.spacing == SPACING
        assert find_subjects(sorted(found), None).assigned(raw).subject == "a"
        assert raw.warnings == ()
    assert find(tmp_path).scheme == SHORT_AXIS
    assert find(tmp_path).modalities == ("cine",)


def test_unlabelled_voxels_are_ignored(tmp_path):
    study = study_of("a")
    study.labels[1, 0] = UNLABELLED
    export(tmp_path, ExportCase(study))

    stored = nib.load(tmp_path / "Dataset501_Heart" / "labelsTr" / "a_frame01.nii.gz")
    voxels = np.asarray(stored.dataobj)
    assert voxels.dtype == np.uint8
    assert (voxels[..., 0] == 4).all()
    np.testing.assert_array_equal(voxels[..., 1], study.labels[1, 1].T)


def test_every_modality_is_a_file(tmp_path):
    study = study_of("a")
    image = np.concatenate([study.image + n for n in range(4)])
    study = replace(study, image=image, labels=np.minimum(study.labels, 3))
    export(tmp_path, ExportCase(study), scheme=TUMOUR, modalities=("T1", "T1c", "T2", "FLAIR"))

    raw = entries(tmp_path, TUMOUR)["a_frame01"].read(True)
    np.testing.assert_array_equal(raw.image[:, 0], image[:, 1])
    described = json.loads((tmp_path / "Dataset501_Heart" / "dataset.json").read_text())
    assert list(described["labels"]) == ["background", "oedema", "core", "enhancing", "ignore"]


def test_a_study_of_one_slice_is_exported(tmp_path):
    study = study_of("a")
    flat = replace(study, image=study.image[:, :, :1], labels=np.minimum(study.labels[:, :1], 1))
    export(tmp_path, ExportCase(flat), scheme=AORTA)

    raw = entries(tmp_path, AORTA)["a_frame01"].read(True)
    np.testing.assert_array_equal(raw.labels[0], flat.labels[1])
    assert raw.spacing == SPACING


def test_each_frame_has_its_lineage_in_the_table_and_in_its_file(tmp_path):
    study = study_of("a", labelled=(0, 1), group="DCM", subject="p7")
    study.labels[0, 0] = UNLABELLED
    rows = export(tmp_path, ExportCase(study, {0: ADMITTED}))

    pseudo = LineageRow(
        case="a_frame00", study="a", subject="p7", group="DCM", frame=0, source="pseudo",
        model="0123456789abcdef", round=2, scores={"physiology": 0.75, "vae": 0.5},
        decision="admitted", reason="rank 1 of 3, k = 1", grain="voxel", weight=1.0,
        repair="temporal", kept_share=0.5,
    )  # fmt: skip
    assert rows[0] == pseudo
    assert (rows[1].frame, rows[1].source, rows[1].kept_share) == (1, EXPERT, 1.0)
    folder = tmp_path / "Dataset501_Heart"
    assert read_rows(folder / "lineage.csv", LineageRow) == rows
    file = folder / "labelsTr" / "a_frame00.nii.gz"
    assert LineageRow(**json.loads(read_note(file))) == pseudo
    told = nib.load(file).header["descrip"].item().decode()
    assert told == "pseudo, round 2, model 0123456789ab, 50% labelled, admitted"
    with (folder / "lineage.csv").open(newline="") as table:
        assert next(csv.reader(table))[:3] == ["case", "study", "subject"]


def test_the_same_studies_give_the_same_bytes(tmp_path):
    for name in ("x", "y"):
        export(tmp_path / name, ExportCase(study_of("a"), {1: ADMITTED}))

    first, second = (tmp_path / name / "Dataset501_Heart" for name in ("x", "y"))
    assert files(first) == files(second)
    for file in files(first):
        written = (first / file).read_bytes()
        assert written == (second / file).read_bytes()
        if file.endswith(".gz"):
            assert written[4:8] == bytes(4)  # gzip's time of writing


def geometry_of(directions, size=(12, 10, 2), mm=(0.625, 0.75, 8.0)):
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array(mm)
    affine[:3, 3] = (20, 30, -40)
    return Geometry(affine, size)


TURNED = np.array([[-0.6, 0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])


def test_a_resampled_study_lies_where_its_source_does():
    # Source: 12 x 10 pixels of 0.625 x 0.75 mm; study: 6 x 5 of 1.25 x 1.5 mm, the same centre.
    study = replace(study_of("a"), geometry=geometry_of(TURNED))
    source, own = study.geometry.affine, grid_affine(study)

    np.testing.assert_allclose(own @ [2.5, 2, 0.5, 1], source @ [5.5, 4.5, 0.5, 1])
    np.testing.assert_allclose(own[:3, :3], TURNED * np.array([1.25, 1.5, 8.0]))
    # The outer edges of both fields of view are the same.
    np.testing.assert_allclose(own @ [-0.5, -0.5, 0, 1], source @ [-0.5, -0.5, 0, 1])


def test_axes_that_are_not_right_angled_are_made_so():
    sheared = TURNED + np.array([[0, 0, 0], [0, 0, 0.1], [0, 0, 0]])
    directions = grid_affine(replace(study_of("a"), geometry=geometry_of(sheared)))[:3, :3]
    directions = directions / np.array(SPACING[::-1])

    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)
    assert np.abs(directions - TURNED).max() < 0.1


@pytest.mark.parametrize("broken", [np.zeros((3, 3)), np.full((3, 3), np.nan)])
def test_a_source_without_directions_has_those_of_its_axes(broken):
    affine = grid_affine(replace(study_of("a"), geometry=geometry_of(broken)))

    np.testing.assert_array_equal(affine[:3, :3], np.diag(SPACING[::-1]))


def test_image_and_labels_have_one_place(tmp_path):
    study = replace(study_of("a"), geometry=geometry_of(TURNED))
    export(tmp_path, ExportCase(study))

    folder = tmp_path / "Dataset501_Heart"
    for file in ("imagesTr/a_frame01_0000.nii.gz", "labelsTr/a_frame01.nii.gz"):
        header = nib.load(folder / file).header
        for form in (header.get_sform(), header.get_qform()):
            np.testing.assert_allclose(form, grid_affine(study), atol=1e-5)
        np.testing.assert_allclose(header.get_zooms(), SPACING[::-1])
        assert header.get_xyzt_units()[0] == "mm"


def test_long_texts_and_foreign_letters_fit_a_header(tmp_path):
    text = "é" * 200
    write_frame(tmp_path / "a.nii.gz", np.zeros((2, 3, 4), np.uint8), np.eye(4),
                summary=text, note=text)  # fmt: skip

    assert read_note(tmp_path / "a.nii.gz") == text
    assert nib.load(tmp_path / "a.nii.gz").header["descrip"].item() == b"?" * 79
    write_frame(tmp_path / "b.nii.gz", np.zeros((2, 3, 4), np.uint8), np.eye(4))
    assert read_note(tmp_path / "b.nii.gz") == ""


def row_of(subject, frame=0, source=EXPERT):
    values = {name: "" for name in LineageRow.__dataclass_fields__}
    case = f"{subject}{frame}"
    return LineageRow(**{**values, "case": case, "subject": subject, "source": source})


def test_folds_part_no_subject_and_validate_on_experts_labels():
    rows = [row_of(s, f) for s in "abc" for f in (0, 1)]
    rows += [row_of("a", 2, PSEUDO), row_of("z", 0, PSEUDO)]

    folds = subject_folds(rows)

    assert [fold["val"] for fold in folds] == [["a0", "a1"], ["b0", "b1"], ["c0", "c1"]]
    assert folds[0]["train"] == ["b0", "b1", "c0", "c1", "z0"]
    assert folds[1]["train"] == ["a0", "a1", "c0", "c1", "a2", "z0"]


def test_there_are_five_folds_at_most_and_none_of_one_expert():
    folds = subject_folds([row_of(subject) for subject in "abcdefg"])

    assert [fold["val"] for fold in folds] == [["a0", "f0"], ["b0", "g0"], ["c0"], ["d0"], ["e0"]]
    assert subject_folds([row_of("a"), row_of("a", 1), row_of("z", 0, PSEUDO)]) == []


def test_a_folder_that_is_not_empty_is_left_as_it_is(tmp_path):
    export(tmp_path, ExportCase(study_of("a")))
    before = files(tmp_path)

    with pytest.raises(FileExistsError, match="Dataset501_Heart: is not empty"):
        export(tmp_path, ExportCase(study_of("b")))
    assert files(tmp_path) == before

    export(tmp_path, ExportCase(study_of("b")), overwrite=True)
    assert list(entries(tmp_path)) == ["b_frame01"]


def test_a_folder_of_something_else_is_never_overwritten(tmp_path):
    folder = tmp_path / "Dataset501_Heart"
    folder.mkdir()
    export(tmp_path, ExportCase(study_of("a")))  # An empty folder may be filled.
    (folder / "dataset.json").unlink()

    with pytest.raises(FileExistsError, match=r"holds no dataset\.json"):
        export(tmp_path, ExportCase(study_of("a")), overwrite=True)

    file = tmp_path / "Dataset502_Heart"
    file.write_text("")
    with pytest.raises(FileExistsError, match="is a file"):
        export_cases([], file, SHORT_AXIS, ("cine",), overwrite=True)


def test_an_export_that_breaks_leaves_no_data_set_and_the_next_nothing_of_it(tmp_path):
    def breaking():
        yield ExportCase(study_of("a"))
        raise RuntimeError

    folder = tmp_path / "Dataset501_Heart"
    with pytest.raises(RuntimeError):
        export_cases(breaking(), folder, SHORT_AXIS, ("cine",))
    assert not folder.exists()
    assert not list(tmp_path.rglob("dataset.json"))

    export(tmp_path, ExportCase(study_of("b")))
    assert list(entries(tmp_path)) == ["b_frame01"]


def test_an_export_that_breaks_leaves_what_it_should_replace(tmp_path):
    export(tmp_path, ExportCase(study_of("a")))

    with pytest.raises(ValueError, match="no frame to export has a label"):
        export(tmp_path, ExportCase(study_of("b", labelled=())), overwrite=True)
    assert list(entries(tmp_path)) == ["a_frame01"]


@pytest.mark.parametrize(
    ("cases", "options", "message"),
    [
        ((), {}, "no frame to export has a label"),
        (("a", "A"), {}, "A_frame01: two frames share this name"),
        (("a",), {"modalities": ("T1", "T2")}, "a: 1 modalities, expected 2: T1, T2"),
        (("a",), {"scheme": AORTA}, r"a: frame 1 has label values \[3\], known are 0 to 1"),
        (("a",), {"scheme": replace(AORTA, classes=("none", "ignore"))}, "several ignore"),
    ],
)
def test_what_cannot_be_exported_is_named(tmp_path, cases, options, message):
    with pytest.raises(ValueError, match=message):
        export(tmp_path, *(ExportCase(study_of(name)) for name in cases), **options)


def test_a_folder_that_nnunet_would_not_find_is_refused(tmp_path):
    with pytest.raises(ValueError, match="a name like Dataset501_Heart, got out"):
        export_cases([], tmp_path / "out", SHORT_AXIS, ("cine",), layout="nnunet")


def test_one_frame_is_read_at_a_time(tmp_path):
    study = study_of("a", labelled=(0, 2))
    read = []

    class Frames:
        shape, ndim, dtype = study.image.shape, 5, study.image.dtype

        def __getitem__(self, key):
            read.append(key)
            return study.image[key]

    export(tmp_path, ExportCase(replace(study, image=Frames())))

    assert read == [(0, 0), (0, 2)]
