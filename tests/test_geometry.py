"""Results lie on their images in every program: nibabel, and ITK with all that is built on it."""

import struct

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from source_builders import pixels

from semiqc.doors.regular import UnusableError
from semiqc.exchange.exporting import export_cases
from semiqc.exchange.importing import read_images
from semiqc.exchange.lineage import ExportCase
from semiqc.exchange.readers.pairs import find_pairs
from semiqc.images.raw import Refusal
from semiqc.nifti.files import difference, read_header
from semiqc.nifti.writing import write_labels, write_map
from semiqc.schemes import SHORT_AXIS

SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)

MM = np.array([1.5, 1.5, 8.0])


def rotation():
    """A turn about all three axes, ``[3, 3]``."""
    found = np.eye(3)
    for axis, degrees in ((0, 35), (2, 20), (1, -40)):
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        one = np.eye(3)
        i, j = (k for k in range(3) if k != axis)
        one[i, i] = one[j, j] = cosine
        one[i, j], one[j, i] = -sine, sine
        found = found @ one
    return found


def placed(directions, mm=MM, origin=(30, -20, 70)):
    affine = np.eye(4)
    affine[:3, :3] = directions * mm
    affine[:3, 3] = origin
    return affine


PLAIN, OBLIQUE = placed(np.eye(3)), placed(rotation())
FLIPPED = placed(np.diag([-1.0, 1, -1]))
LEFT_HANDED = placed(rotation() @ np.diag([1.0, -1, 1]))
ELSEWHERE = placed(np.eye(3), origin=(42, -27, 85))
SHEARED = OBLIQUE.copy()
SHEARED[:3, 0] += 0.1 * SHEARED[:3, 1]
UNSCALED = placed(rotation(), np.ones(3))

HEADERS = {
    "oblique": (OBLIQUE, 1, OBLIQUE, 1),
    "flipped": (FLIPPED, 2, FLIPPED, 1),
    "left-handed": (LEFT_HANDED, 1, LEFT_HANDED, 1),
    "sform alone": (OBLIQUE, 4, None, 0),
    "qform alone": (None, 0, LEFT_HANDED, 2),
    "no codes": (None, 0, None, 0),
    "shifted": (ELSEWHERE, 2, PLAIN, 1),
    "rotated": (OBLIQUE, 2, PLAIN, 1),
    "both scanner": (ELSEWHERE, 1, PLAIN, 2),
    "sheared sform": (SHEARED, 2, OBLIQUE, 1),
    "sheared alone": (SHEARED, 2, None, 0),
    "without scale": (UNSCALED, 2, None, 0),
}
"""Sform, its code, qform, its code."""


def write(path, name, voxels=None, *, order="<", mm=MM):
    """A file with exactly that header; the voxel size is ``mm`` whatever the forms say."""
    voxels = pixels(shape=(7, 6, 3)) if voxels is None else voxels
    matrix, s_code, turned, q_code = HEADERS[name]
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(np.dtype(order + voxels.dtype.str[1:]))
    header.set_data_shape(voxels.shape)
    if turned is not None:
        header.set_qform(turned, q_code)
    if matrix is not None:
        header.set_sform(matrix, s_code)
    axes = min(3, voxels.ndim)
    header["pixdim"][1 : 1 + axes] = mm[:axes]
    if voxels.ndim == 4:
        header["pixdim"][4] = 31.25
    header["xyzt_units"] = 18
    header["vox_offset"] = 352
    header["magic"] = b"n+1"
    packed = voxels.astype(header.get_data_dtype()).tobytes(order="F")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header.binaryblock + bytes(4) + packed)
    return path


def itk_place(path):
    """Size, spacing, origin and directions as ITK reads them; None where it refuses the file."""
    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        return None
    axes = reader.GetDimension()
    directions = np.reshape(reader.GetDirection(), (axes, axes))
    return (
        reader.GetSize(), np.array(reader.GetSpacing()), np.array(reader.GetOrigin()), directions
    )  # fmt: skip


def assert_same_place(first, second):
    """Each voxel lies at the same millimetre for nibabel and for ITK."""
    one, other = nib.load(first), nib.load(second)
    np.testing.assert_array_equal(one.affine, other.affine)
    for name in ("qform_code", "sform_code", "xyzt_units"):
        assert one.header[name] == other.header[name], name
    np.testing.assert_array_equal(one.header["pixdim"][:4], other.header["pixdim"][:4])
    in_itk = [itk_place(path) for path in (first, second)]
    assert (in_itk[0] is None) == (in_itk[1] is None)
    if in_itk[0] and in_itk[1]:
        for a, b in zip(*in_itk, strict=True):
            np.testing.assert_array_equal(a, b)


def only(path):
    (study,) = read_images(path, spacing=1.5, modalities=1, scheme=SHORT_AXIS)
    assert not isinstance(study, Refusal), study
    return study


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", HEADERS)
def test_labels_lie_on_their_image_in_every_program(tmp_path, name, order):
    image = write(tmp_path / "in" / "a.nii", name, order=order)
    study = only(image)
    write_labels(tmp_path / "a.nii", study, study.labels)
    write_map(tmp_path / "map.nii", study, np.zeros(study.labels.shape))

    assert_same_place(image, tmp_path / "a.nii")
    assert_same_place(image, tmp_path / "map.nii")


@pytest.mark.parametrize("name", ["oblique", "no codes", "rotated", "sheared sform"])
def test_a_cine_keeps_its_place_its_time_step_and_its_units(tmp_path, name):
    image = write(tmp_path / "in" / "a.nii", name, pixels())
    study = only(image)
    write_labels(tmp_path / "a.nii", study, study.labels)

    assert_same_place(image, tmp_path / "a.nii")
    written = nib.load(tmp_path / "a.nii")
    assert written.shape == nib.load(image).shape
    assert written.header["pixdim"][4] == 31.25
    assert written.header.get_xyzt_units() == ("mm", "msec")


def test_a_file_of_two_axes_gets_labels_of_two(tmp_path):
    image = write(tmp_path / "in" / "a.nii", "oblique", pixels(shape=(7, 6)))
    study = only(image)
    write_labels(tmp_path / "a.nii", study, study.labels)

    assert nib.load(tmp_path / "a.nii").shape == (7, 6)
    assert_same_place(image, tmp_path / "a.nii")


@pytest.mark.parametrize("name", [name for name in HEADERS if name != "sheared alone"])
def test_what_itk_wrote_of_an_image_lies_on_it(tmp_path, name):
    image = write(tmp_path / "in" / "a.nii", name)
    segmented = SimpleITK.ReadImage(str(image)) * 0
    (tmp_path / "out").mkdir()
    SimpleITK.WriteImage(segmented, str(tmp_path / "out" / "a.nii"))

    entry = find_pairs(tmp_path / "in", tmp_path / "out", SHORT_AXIS).entries[0]
    assert not entry.read(True).labels.any()


def test_what_itk_wrote_of_a_flat_image_lies_on_it(tmp_path):
    image = write(tmp_path / "a.nii", "shifted", pixels(shape=(7, 6)))
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(image)) * 0, str(tmp_path / "b.nii"))

    assert difference(read_header(image), read_header(tmp_path / "b.nii")) == ""


def test_what_lies_elsewhere_in_every_program_is_refused(tmp_path):
    image = read_header(write(tmp_path / "a.nii", "shifted"))
    HEADERS["far"] = (FLIPPED, 1, FLIPPED, 1)
    other = read_header(write(tmp_path / "b.nii", "far"))
    del HEADERS["far"]

    assert "affine lies up to" in difference(image, other)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("oblique", None),
        ("sform alone", None),
        ("no codes", "does not say where the image lies"),
        ("rotated", "qform and sform put the image in different places"),
        ("sheared alone", "not at right angles"),
        ("without scale", "contradict each other"),
    ],
)
def test_what_programs_may_read_in_two_ways_is_told(tmp_path, name, note):
    warnings = read_header(write(tmp_path / "a.nii", name)).warnings

    assert len(warnings) == (note is not None)
    assert note is None or note in warnings[0]


def test_a_quaternion_that_is_rounded_is_read(tmp_path):
    image = write(tmp_path / "a.nii", "qform alone")
    content = bytearray(image.read_bytes())
    struct.pack_into("<3f", content, 256, 0.8, 0.6, 0.001)
    image.write_bytes(content)

    assert np.isfinite(read_header(image).affine).all()


@pytest.mark.parametrize("name", ["oblique", "no codes", "rotated", "sheared sform"])
def test_what_is_exported_on_its_own_grid_lies_where_its_source_does(tmp_path, name):
    image = write(tmp_path / "in" / "a.nii", name)
    study = only(image)
    study = study.with_labels(np.zeros(study.labels.shape, np.int8))
    export_cases([ExportCase(study)], tmp_path / "Dataset501_A", SHORT_AXIS, ("cine",))

    for file in ("imagesTr/a_frame00_0000.nii.gz", "labelsTr/a_frame00.nii.gz"):
        assert_same_place(image, tmp_path / "Dataset501_A" / file)


def turned_file(path, axes):
    """A file of wide slices along another axis than the third, and the same slices last."""
    voxels = pixels(shape=(7, 6, 3))
    affine = PLAIN[:, [*axes, 3]]
    HEADERS["turned"] = (affine, 1, affine, 1)
    write(path / "turned.nii", "turned", voxels.transpose(axes), mm=MM[list(axes)])
    del HEADERS["turned"]
    HEADERS["usual"] = (PLAIN, 1, PLAIN, 1)
    write(path / "usual.nii", "usual", voxels)
    del HEADERS["usual"]


@pytest.mark.parametrize("axes", [(2, 0, 1), (0, 2, 1)])
def test_slices_along_another_axis_are_turned_and_turned_back(tmp_path, axes):
    turned_file(tmp_path / "in", axes)
    turned, usual = only(tmp_path / "in" / "turned.nii"), only(tmp_path / "in" / "usual.nii")

    np.testing.assert_array_equal(turned.image, usual.image)
    assert turned.spacing == usual.spacing == (8, 1.5, 1.5)
    np.testing.assert_allclose(turned.geometry.affine, usual.geometry.affine)
    labels = np.random.default_rng(0).integers(0, 4, usual.labels.shape).astype(np.int8)
    for study in (turned, usual):
        write_labels(tmp_path / f"{study.name}.nii", study, labels)
    one, other = nib.load(tmp_path / "turned.nii"), nib.load(tmp_path / "usual.nii")
    np.testing.assert_array_equal(one.get_fdata(), other.get_fdata().transpose(axes))
    assert_same_place(tmp_path / "in" / "turned.nii", tmp_path / "turned.nii")


@pytest.mark.parametrize("mm", [2e6, 1e12, 3e38])
def test_an_image_out_of_the_world_is_refused(tmp_path, mm):
    image = write(tmp_path / "a.nii", "sform alone")
    content = bytearray(image.read_bytes())
    struct.pack_into("<f", content, 292, mm)
    image.write_bytes(content)

    with pytest.raises(UnusableError, match=r"a.nii: lies .* mm from the origin"):
        read_header(image)
