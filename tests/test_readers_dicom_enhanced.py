"""Enhanced multi-frame DICOM: one file of many slices and phases."""

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    SegmentationStorage,
    generate_uid,
)
from test_readers_dicom import (
    ALONG_COLUMN,
    ALONG_ROW,
    COLUMNS,
    NORMAL,
    ORIGIN,
    PHASES,
    ROWS,
    SLICES,
    expected,
    intensities,
    series,
)

from semiqc.exchange.importing import import_data
from semiqc.exchange.readers import find
from semiqc.exchange.readers.registry import recognised
from semiqc.images.raw import UnusableError


def item(**elements):
    found = pydicom.Dataset()
    for name, value in elements.items():
        if value is not None:
            setattr(found, name, value)
    return found


def groups(**sequences):
    return item(**{name: Sequence([value]) for name, value in sequences.items() if value})


def frame_groups(z, t, stack="1", **changes):
    content = {"StackID": stack, "TemporalPositionIndex": t + 1}
    return groups(
        FrameContentSequence=item(**content | changes.get("content", {})),
        PlanePositionSequence=item(ImagePositionPatient=list(ORIGIN + 9.0 * z * NORMAL)),
        CardiacSynchronizationSequence=changes.get(
            "heart", item(NominalCardiacTriggerDelayTime=40.0 * t + z)
        ),
        PixelValueTransformationSequence=changes.get("values"),
    )


def places():
    found = [(z, t) for z in range(SLICES) for t in range(PHASES)]
    return [found[n] for n in np.random.default_rng(0).permutation(len(found))]


def enhanced(folder, order=None, per_frame=None, shared=None, **changes):
    """One file of all slices and phases, in an order that tells nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    order = order or places()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(folder)])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(folder / "IM1", {}, file_meta=meta, preamble=bytes(128))
    elements = {
        "SOPClassUID": EnhancedMRImageStorage,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "SeriesInstanceUID": "1.2.3",
        "PatientID": "P7",
        "NumberOfFrames": len(order),
        "Rows": ROWS,
        "Columns": COLUMNS,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "PixelData": np.stack([intensities(z, t) for z, t in order]).tobytes(),
        "PerFrameFunctionalGroupsSequence": Sequence(
            per_frame or [frame_groups(z, t) for z, t in order]
        ),
        "SharedFunctionalGroupsSequence": Sequence([shared or shared_groups()]),
    }
    for name, value in (elements | changes).items():
        setattr(dataset, name, value)
    dataset.save_as(folder / "IM1", enforce_file_format=True)
    return folder


def shared_groups(**changes):
    found = {
        "PixelMeasuresSequence": item(PixelSpacing=[1.5, 1.25], SliceThickness=6),
        "PlaneOrientationSequence": item(ImageOrientationPatient=[*ALONG_ROW, *ALONG_COLUMN]),
    }
    return groups(**found | changes)


def only(source):
    (entry,) = find(source, "dicom").entries
    return entry.read(True)


def test_a_file_of_many_frames_is_read_as_a_file_for_each_is(tmp_path):
    single, study = only(series(tmp_path / "single")), only(enhanced(tmp_path / "many"))

    np.testing.assert_array_equal(study.image, single.image)
    np.testing.assert_allclose(study.affine, single.affine)
    assert (study.spacing, study.time_step) == (single.spacing, single.time_step)
    assert (study.name, study.subject, study.warnings) == ("many", "P7", ())
    assert recognised(tmp_path / "many").startswith("dicom")
    report = import_data(tmp_path / "many", tmp_path / "store.h5")
    assert [(one.name, one.frames, one.slices) for one in report.imported] == [
        ("many", PHASES, SLICES)
    ]


def test_values_are_rescaled_frame_by_frame(tmp_path):
    def of(z, t):
        return item(RescaleSlope=z + 1, RescaleIntercept=-t)

    per_frame = [frame_groups(z, t, values=of(z, t)) for z, t in places()]
    study = only(enhanced(tmp_path / "a", per_frame=per_frame))

    factor, less = np.arange(SLICES) + 1.0, np.arange(PHASES)
    wanted = expected() * factor[None, :, None, None] - less[:, None, None, None]
    np.testing.assert_array_equal(study.image[0], wanted)


def test_values_are_rescaled_by_what_frames_share(tmp_path):
    shared = shared_groups(
        PixelValueTransformationSequence=item(RescaleSlope=2, RescaleIntercept=3)
    )

    assert (only(enhanced(tmp_path / "a", shared=shared)).image[0] == expected() * 2 + 3).all()


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"TemporalPositionIndex": None, "FrameAcquisitionDateTime": "20240101120000.{t}00+0100"},
    ],
)
def test_without_trigger_times_frames_tell_their_order(tmp_path, content):
    def of(t):
        return {n: v.format(t=t) if isinstance(v, str) else v for n, v in content.items()}

    per_frame = [frame_groups(z, t, heart=None, content=of(t)) for z, t in places()]

    study = only(enhanced(tmp_path / "a", per_frame=per_frame))
    np.testing.assert_array_equal(study.image[0], expected())
    assert study.time_step is None


def test_stacks_in_one_file_are_studies_each(tmp_path):
    order = [(z, t) for z in range(SLICES) for t in range(PHASES)]
    per_frame = [frame_groups(z, t, stack="AB"[z == 2]) for z, t in order]
    listing = find(enhanced(tmp_path / "a", order, per_frame), "dicom")

    shapes = {entry.name: entry.read(True).image.shape for entry in listing.entries}
    assert sorted(shape[2] for shape in shapes.values()) == [1, 2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"NumberOfFrames": 3}, "IM1: 3 frames, but places of 12"),
        ({"shared": groups(PixelMeasuresSequence=item(PixelSpacing=[1, 1]))}, "ImageOrientation"),
        ({"SOPClassUID": SegmentationStorage}, "IM1: a DICOM segmentation, expected an image"),
        ({"PhotometricInterpretation": "RGB"}, "expected grey values"),
        ({"Rows": 30000, "Columns": 30000}, "over 268435456 voxels"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, changes, message):
    listing = find(enhanced(tmp_path / "a", **changes), "dicom")

    assert listing.entries == ()
    assert message in listing.refusals[0].reason


def test_a_phase_that_is_doubled_is_refused_by_its_frame(tmp_path):
    order = [*places(), (0, 0)]

    with pytest.raises(UnusableError, match=r"IM1 frame \d+: same slice and phase as IM1 frame"):
        only(enhanced(tmp_path / "a", order))


def test_a_single_frame_that_kept_its_groups_is_read_by_its_own_elements(tmp_path):
    kept = Sequence([groups(FrameContentSequence=item(StackID="1"))])
    folder = series(tmp_path / "a", lambda z, t: {"PerFrameFunctionalGroupsSequence": kept})

    np.testing.assert_array_equal(only(folder).image[0], expected())
