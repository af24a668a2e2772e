"""Layouts and formats beside those of NIfTI challenges."""

import json

import h5py
import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from source_builders import AFFINE, SHAPE, acdc, heart, nnunet, pixels, save

from semiqc.exchange.importing import import_data
from semiqc.exchange.readers import find
from semiqc.exchange.readers.nifti import ROUNDED
from semiqc.exchange.readers.ssl4mis import NOTE
from semiqc.files.store.reader import Store
from semiqc.nifti.files import read_header, read_voxels
from semiqc.schemes import SHORT_AXIS, UNLABELLED


def read(source, layout="auto"):
    return [entry.read(True) for entry in find(source, layout).entries]


def as_itk(path, ending):
    """The file in another format, as ITK writes it."""
    other = path.with_name(path.name.removesuffix(".nii.gz") + ending)
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(path)), str(other))
    path.unlink()
    return other


def oblique():
    turn = np.array([[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn * [1.5, 1.25, 8]
    affine[:3, 3] = [20, 30, -40]
    return affine


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".mhd"])
def test_itks_formats_have_the_place_of_the_nifti_file(ending, tmp_path):
    path = save(tmp_path / "a.nii.gz", pixels()[..., 0], oblique())
    other = read_header(as_itk(path, ending))

    np.testing.assert_allclose(other.affine, oblique(), atol=1e-4)
    assert other.spacing == (8, 1.25, 1.5)
    np.testing.assert_array_equal(read_voxels(other)[0], pixels()[..., 0].T)


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".mhd"])
@pytest.mark.parametrize("is_packed", [False, True])
@pytest.mark.parametrize(
    "kind", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"]
)
def test_itks_formats_are_read_as_itk_reads_them(ending, is_packed, kind, tmp_path):
    rng = np.random.default_rng(0)
    voxels = rng.integers(0, 100, (3, 4, 5)).astype(kind)
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing((1.5, 1.25, 8.0))
    image.SetOrigin((-10.0, 20.0, 30.0))
    image.SetDirection((0, -1, 0, 0.6, 0, 0.8, -0.8, 0, 0.6))
    path = tmp_path / f"a{ending}"
    SimpleITK.WriteImage(image, str(path), is_packed)

    header = read_header(path)
    itk = SimpleITK.ReadImage(str(path))
    corner = (4, 3, 2)
    place = np.array(itk.TransformIndexToPhysicalPoint(corner)) * [-1, -1, 1]
    np.testing.assert_allclose((header.affine @ [*corner, 1])[:3], place, atol=1e-4)
    np.testing.assert_array_equal(read_voxels(header)[0], voxels)


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_several_values_of_a_voxel_are_frames_as_itk_has_them(ending, tmp_path):
    voxels = np.arange(7 * 60, dtype=np.int16).reshape(7, 3, 4, 5)
    image = SimpleITK.GetImageFromArray(np.moveaxis(voxels, 0, -1), isVector=True)
    SimpleITK.WriteImage(image, str(tmp_path / f"a{ending}"))

    header = read_header(tmp_path / f"a{ending}")
    assert header.shape == (5, 4, 3, 7)
    np.testing.assert_array_equal(read_voxels(header), voxels)


NRRD = """NRRD0005
# by hand
type: {kind}
dimension: 3
space: {space}
sizes: 2 3 1
space directions: (2,0,0) (0,3,0) (0,0,9)
space origin: (10,20,30)
kinds: domain domain domain
endian: {endian}
encoding: raw
key:=value

"""


@pytest.mark.parametrize("space", ["left-posterior-superior", "RAS", "left-anterior-superior"])
@pytest.mark.parametrize("endian", ["little", "big"])
def test_an_nrrd_has_the_place_and_order_that_itk_finds(space, endian, tmp_path):
    text = NRRD.format(kind="unsigned short", space=space, endian=endian)
    path = tmp_path / "a.nrrd"
    path.write_bytes(text.encode() + np.arange(6, dtype="<u2").tobytes())

    header, itk = read_header(path), SimpleITK.ReadImage(str(path))
    place = np.array(itk.TransformIndexToPhysicalPoint((1, 2, 0))) * [-1, -1, 1]
    np.testing.assert_allclose((header.affine @ [1, 2, 0, 1])[:3], place, atol=1e-4)
    np.testing.assert_array_equal(read_voxels(header)[0], SimpleITK.GetArrayFromImage(itk))


MHD = """ObjectType = Image
NDims = 3
DimSize = 2 3 1
ElementSpacing = 2 3 9
ElementByteOrderMSB = {is_big}
ElementType = MET_USHORT
{line}
ElementDataFile = a.raw
"""


@pytest.mark.parametrize("is_big", [True, False])
@pytest.mark.parametrize("line", ["HeaderSize = 4", "HeaderSize = -1", "Comment = none"])
def test_voxels_beside_a_metaimage_are_found_where_itk_finds_them(line, is_big, tmp_path):
    path = tmp_path / "a.mhd"
    path.write_text(MHD.format(line=line, is_big=is_big))
    before = b"" if line.startswith("Comment") else b"abcd"
    (tmp_path / "a.raw").write_bytes(before + np.arange(6, dtype=">u2").tobytes())

    found = read_voxels(read_header(path))[0]
    np.testing.assert_array_equal(found, SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path)))
    assert (found.ravel() == np.arange(6)).all() == is_big


@pytest.mark.parametrize(("line", "before"), [("byte skip: 4", 4), ("byte skip: -1", 5)])
def test_voxels_beside_an_nrrd_are_found_where_itk_finds_them(line, before, tmp_path):
    text = NRRD.format(kind="unsigned short", space="RAS", endian="little")
    path = tmp_path / "a.nrrd"
    path.write_text(text.replace("key:=value\n", f"{line}\ndata file: a.raw\n"))
    (tmp_path / "a.raw").write_bytes(bytes(before) + np.arange(6, dtype="<u2").tobytes())

    found = read_voxels(read_header(path))[0]
    np.testing.assert_array_equal(found, SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path)))
    np.testing.assert_array_equal(found.ravel(), np.arange(6))


@pytest.mark.parametrize("ending", [".nrrd", ".mha", ".mhd"])
def test_itks_formats_are_read_in_layouts(ending, tmp_path):
    folder = acdc(tmp_path / "acdc", cine=False)
    dataset = nnunet(tmp_path / "Dataset001_X", ["a"])
    text = (dataset / "dataset.json").read_text().replace(".nii.gz", ending)
    (dataset / "dataset.json").write_text(text)
    for path in [*folder.glob("*.nii.gz"), *dataset.rglob("*.nii.gz")]:
        as_itk(path, ending)

    for source in (folder, dataset):
        (study,) = read(source)
        np.testing.assert_array_equal(study.labels[0], heart().T)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.nrrd", b"NRRD0004\ntype: float\n", "a.nrrd: cut short or damaged"),
        ("a.mha", b"", "a.mha: cut short or damaged"),
        (
            "a.mhd",
            b"ObjectType = Image\nNDims = 3\nDimSize = 9 9 9\nElementType = MET_SHORT\n"
            b"ElementDataFile = ../secret.raw\n",
            "a.mhd: its voxels must be in a file beside it, got ../secret.raw",
        ),
        (
            "a.mha",
            b"ObjectType = Image\nNDims = 3\nDimSize = 9000 9000 900\n"
            b"ElementType = MET_SHORT\nElementDataFile = LOCAL\n",
            r"a.mha: claims shape \(9000, 9000, 900\)",
        ),
        (
            "a.mhd",
            b"ObjectType = Image\nNDims = 2\nDimSize = 9 9\nElementType = MET_SHORT\n"
            b"ElementDataFile = gone.raw\n",
            "a.mhd: its gone.raw: no such file",
        ),
        (
            "a.mha",
            b"ObjectType = Image\nNDims = 2\nDimSize = 1 1\nElementSpacing = 1 1e308\n"
            b"ElementType = MET_SHORT\nElementDataFile = LOCAL\n\0\0",
            r"a.mha: cut short or damaged \(expected mm of 1e\+06 at most",
        ),
    ],
)
def test_broken_files_are_refused_by_name(name, content, reason, tmp_path):
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ValueError, match=reason):
        read_header(tmp_path / name)


def test_the_decathlons_files_have_no_number(tmp_path):
    folder = nnunet(tmp_path / "Task02_X", ["la_003", "la_004"], image="{}.nii.gz")
    first, second = read(folder)

    assert (first.name, first.split, second.name) == ("la_003", "train", "la_004")
    np.testing.assert_array_equal(first.image[0, 0], pixels(0)[..., 0].T)
    np.testing.assert_array_equal(first.labels[0], heart().T)


def test_the_decathlons_modalities_lie_along_the_fourth_axis(tmp_path):
    folder = tmp_path / "Task01_X"
    save(folder / "imagesTr" / "BRATS_001.nii.gz", pixels())
    save(folder / "labelsTr" / "BRATS_001.nii.gz", heart())
    modality = {str(number): name for number, name in enumerate("abcd")}
    labels = {"0": "background", "1": "edema", "2": "core", "3": "rest"}
    (folder / "dataset.json").write_text(json.dumps({"modality": modality, "labels": labels}))

    (study,) = read(folder)
    np.testing.assert_array_equal(study.image[:, 0], pixels().T)
    assert study.labels.shape == (1, *SHAPE[::-1])


def test_a_decathlon_case_of_other_modalities_is_named_with_what_was_expected(tmp_path):
    folder = nnunet(tmp_path / "Task02_X", ["la_1"], image="{}.nii.gz")
    save(folder / "imagesTr" / "la_1.nii.gz", pixels())
    with pytest.raises(ValueError, match=r"^la_1.nii.gz: shape \(7, 6, 3, 4\), expected 3-D$"):
        read(folder)

    text = (folder / "dataset.json").read_text().replace('"0": "MRI"', '"0": "T1", "1": "T2"')
    (folder / "dataset.json").write_text(text)
    expected = r"^la_1.nii.gz: shape .*, expected 2 modalities along the fourth axis$"
    with pytest.raises(ValueError, match=expected):
        read(folder)


def test_a_decathlon_case_to_train_on_that_lacks_its_labels_is_noted(tmp_path):
    folder = nnunet(tmp_path / "Task02_X", ["la_1", "la_2"], image="{}.nii.gz")
    (folder / "labelsTr" / "la_2.nii.gz").unlink()
    save(folder / "imagesTs" / "la_3.nii.gz", pixels(7)[..., 0])

    found = {study.name: study.warnings for study in read(folder)}
    note = "a training case without a file in labelsTr, taken as unlabelled"
    assert found == {"la_1": (), "la_2": (note,), "la_3": ()}


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
def test_a_cine_of_one_frame_is_a_volume_as_in_nifti(ending, tmp_path):
    voxels = pixels()[..., :1].T
    image = SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(voxels[0])])
    SimpleITK.WriteImage(image, str(tmp_path / f"a{ending}"))

    header = read_header(tmp_path / f"a{ending}")
    assert header.shape == SHAPE
    np.testing.assert_array_equal(read_voxels(header), voxels)


def ukbb(folder, *, cycle=True):
    cine = pixels(3)
    if cycle:
        save(folder / "sa.nii.gz", cine)
    for end, frame in (("ED", 0), ("ES", 2)):
        save(folder / f"sa_{end}.nii.gz", cine[..., frame])
        save(folder / f"label_sa_{end}.nii.gz", heart((3, 2, 1)))
    return cine


@pytest.mark.parametrize("cycle", [True, False])
def test_uk_biobanks_folders_are_studies(cycle, tmp_path):
    ukbb(tmp_path / "1234567", cycle=cycle)
    (study,) = read(tmp_path)

    assert study.name == "1234567"
    assert study.image.shape[1] == (4 if cycle else 2)
    labelled = [t for t in range(len(study.labels)) if (study.labels[t] != UNLABELLED).any()]
    assert labelled == ([0, 2] if cycle else [0, 1])
    np.testing.assert_array_equal(study.labels[0], heart().T)


def test_labels_of_uk_biobanks_whole_cycle_are_read(tmp_path):
    save(tmp_path / "7" / "sa.nii.gz", pixels())
    labels = np.zeros((*SHAPE, 4), np.uint8)
    labels[..., 1] = heart((3, 2, 1))
    save(tmp_path / "7" / "label_sa.nii.gz", labels)

    (study,) = read(tmp_path)
    np.testing.assert_array_equal(study.labels[1], heart().T)
    assert (study.labels[[0, 2, 3]] == UNLABELLED).all()


def h5(path, image, label):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["image"] = image.astype(np.float32) / 1000
        file["label"] = label


def test_slices_of_ssl4mis_are_put_into_their_volume(tmp_path):
    volume, label = pixels()[..., 0].T, heart().T
    for number in range(3):
        path = tmp_path / "data" / "slices" / f"patient001_frame01_slice_{number + 1}.h5"
        h5(path, volume[number], label[number])
    (tmp_path / "train_slices.list").write_text("patient001_frame01_slice_1\n")

    (study,) = read(tmp_path)
    np.testing.assert_allclose(study.image[0, 0], volume / 1000, atol=1e-6)
    np.testing.assert_array_equal(study.labels[0], label)
    assert (study.name, study.split) == ("patient001_frame01", "train")
    assert study.warnings == (NOTE,)


def test_a_volume_of_ssl4mis_counts_before_its_slices(tmp_path):
    h5(tmp_path / "patient001_frame01.h5", pixels()[..., 0].T, heart().T)
    part = tmp_path / "slices" / "patient001_frame01_slice_1.h5"
    h5(part, pixels()[..., 0, 0].T, heart()[..., 0].T)
    h5(tmp_path / "LA" / "X1" / "mri_norm2.h5", pixels(1)[..., 0], heart())

    studies = {study.name: study for study in read(tmp_path)}
    assert set(studies) == {"patient001_frame01", "X1"}
    assert studies["X1"].image.shape[2:] == SHAPE[::-1]


def test_a_missing_slice_is_told(tmp_path):
    for number in (1, 3):
        h5(tmp_path / f"p_slice_{number}.h5", pixels()[..., 0, 0].T, heart()[..., 0].T)

    assert "missing or doubled, got [1, 3]" in find(tmp_path).refusals[0].reason


def test_labels_that_are_nearly_integers_are_rounded(tmp_path):
    folder = nnunet(tmp_path / "Dataset001_X", ["a"])
    nearly = heart().astype(np.float32) * np.float32(1.0000001)
    save(folder / "labelsTr" / "a.nii.gz", nearly)
    (study,) = read(folder)

    np.testing.assert_array_equal(study.labels[0], heart().T)
    assert study.warnings == (ROUNDED,)


def test_other_broken_labels_are_named_in_full(tmp_path):
    folder = nnunet(tmp_path / "Dataset001_X", ["a"])
    save(folder / "labelsTr" / "a.nii.gz", heart().astype(np.float32) * 1.0025)

    with pytest.raises(ValueError, match=r"must be integers, got 1\.00\d+, 2\.00"):
        read(folder)


def test_label_values_may_mean_others(tmp_path):
    acdc(tmp_path / "data", cine=False)
    for path in (tmp_path / "data").rglob("*_gt.nii.gz"):
        nib.save(nib.Nifti1Image(heart((7, 5, 4)), AFFINE), path)
    meaning = {7: 1, 5: 2, 4: 3}
    import_data(tmp_path / "data", tmp_path / "x.h5", meaning=meaning, scheme=SHORT_AXIS)

    (study,) = Store(tmp_path / "x.h5")
    np.testing.assert_array_equal(study.labels[0], heart().T)
    with pytest.raises(ValueError, match="cannot mean 9; short-axis has"):
        import_data(tmp_path / "data", tmp_path / "y.h5", meaning={7: 9})
