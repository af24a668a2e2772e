"""Labels that an expert gives in files while a run goes on."""

import shutil

import numpy as np
import pytest
from builders import study_of
from run_settings import KEPT, TINY

from semiqc.cli.app import main
from semiqc.exchange.segmented import SegmentedFile
from semiqc.experiment import Finished, read_settings, run
from semiqc.experiment.cohort import Cohort
from semiqc.experiment.expert_labels import ExpertLabels
from semiqc.experiment.finished_data import data_of
from semiqc.experiment.suggesting.pool import pool_of
from semiqc.files.store.reader import Store
from semiqc.files.tables import SplitRow
from semiqc.nifti.frames import grid_affine, write_frame
from semiqc.schemes import SHORT_AXIS, UNLABELLED
from semiqc.work.monitor import Silent
from semiqc.work.split import SPARE
from semiqc.work.stages import RunFolder

SPLIT = ("split.labelled=1", "split.qc=1", "split.validation=1", "split.test=1")


@pytest.fixture
def cohort(suite_store, tmp_path):
    """The studies of a run on phantoms, given what the files of its labels hold."""
    folder = tmp_path / "labels"
    folder.mkdir()

    def made(files=None):
        for name, voxels in (files or {}).items():
            write(folder / f"{name}.nii.gz", suite_store, voxels)
        labels = [f"labels={folder}"] if files is not None else []
        output = tmp_path / "run"
        settings = read_settings(None, [f"data={suite_store}", *TINY, *SPLIT, *labels])
        return Cohort.of(settings, RunFolder(output), Silent())

    return made


def write(path, store, voxels):
    """A file on the own grid of the study that it is named after, or of any."""
    found = Store(store)
    name = path.name.split("_")[0].removesuffix(".nii.gz")
    study = found.study(name if name in found.names else found.names[0])
    write_frame(path, voxels.astype(np.uint8), grid_affine(study))


def drawn(value=1):
    labels = np.zeros((3, 40, 40), np.int8)
    labels[1, 10:20, 10:20] = value
    return labels


def role_of(cohort, study):
    return next(row.role for row in cohort.split if row.study == study)


def of_role(cohort, role):
    return sorted(row.study for row in cohort.split if row.role == role)


def test_a_study_with_corrected_labels_joins_the_labelled_ones(cohort):
    before = cohort()
    name, other = of_role(before, "unlabelled")

    after = cohort({f"{name}_frame01": drawn()})

    study = after.data.study(name)
    assert role_of(after, name) == "labelled"
    assert study.labelled_frames == (1,)
    np.testing.assert_array_equal(study.labels[1], drawn())
    assert (study.labels[0] == UNLABELLED).all()
    assert [row for row in after.split if row.study != name] == [
        row for row in before.split if row.study != name
    ]
    assert after.data.study(other).labelled_frames == before.data.study(other).labelled_frames
    store = after.data.store
    assert store.fingerprint() != store.as_given.fingerprint()
    assert store.as_given.fingerprint() == before.data.store.fingerprint()


def test_of_a_whole_cine_the_frames_with_a_structure_count(cohort):
    name = of_role(cohort(), "unlabelled")[0]
    cine = np.stack([np.zeros((3, 40, 40)), drawn(2)])

    study = cohort({name: cine}).data.study(name)

    assert study.labelled_frames == (1,)
    np.testing.assert_array_equal(study.labels[1], drawn(2))


@pytest.mark.parametrize(
    ("name", "voxels", "message"),
    [
        ("nobody_frame00", drawn(), "no study nobody_frame00"),
        ("{unlabelled}_frame00", drawn(9), "unknown label values 9"),
        ("{unlabelled}_frame00", drawn()[:2], "shape"),
        ("{unlabelled}_frame02", drawn(), "has 2 frames, counted from 0"),
        ("{unlabelled}", drawn(), "1 frames, expected 2"),
        ("{unlabelled}", np.zeros((2, 3, 40, 40)), "no frame has a structure"),
        ("{test}_frame00", drawn(), "which is in test"),
        ("{validation}_frame00", drawn(), "which is in validation"),
        ("{qc}_frame00", drawn(), "which is in qc"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_in_one_line(cohort, name, voxels, message):
    before = cohort()
    names = {role: of_role(before, role)[0] for role in ("unlabelled", "test", "validation", "qc")}

    with pytest.raises(ValueError, match=message) as refused:
        cohort({name.format(**names): voxels})

    assert "\n" not in str(refused.value)
    assert name.format(**names) in str(refused.value)


def test_two_files_of_one_frame_and_a_folder_without_any_are_refused(cohort):
    name = of_role(cohort(), "unlabelled")[0]

    with pytest.raises(ValueError, match="no NIfTI"):
        cohort({})
    with pytest.raises(ValueError, match=r"labels what .*, too"):
        cohort({f"{name}_frame00": drawn(), f"{name}_frame0": drawn()})


def test_a_subject_keeps_one_role():
    given = ExpertLabels("labels", {"a": [SegmentedFile("a.nii", "a", None)]})
    split = [SplitRow("a", "P", "", "unlabelled"), SplitRow("b", "P", "", "unlabelled")]
    split += [SplitRow("t", "T", "", "test")]
    labelled = [study_of(row.study) for row in split]

    assert [row.role for row in given.joined(split, labelled)] == ["labelled", SPARE, "test"]
    with pytest.raises(ValueError, match="subject P is in"):
        given.joined([*split, SplitRow("c", "P", "", "test")], [*labelled, study_of("c")])


class Stages(Silent):
    """Remembers which stages were made."""

    def __init__(self):
        self.made = []

    def stage(self, name, found):
        if not found:
            self.made.append(name)


@pytest.mark.usefixtures("undrawn")
def test_a_run_goes_on_with_corrected_labels_and_redoes_what_depends_on_them(
    finished_run, tmp_path
):
    output, next_ = tmp_path / "run", tmp_path / "next"
    shutil.copytree(finished_run, output)
    assert main(["suggest", str(output), "-k", "1", "-o", str(next_)]) == 0
    [first, _] = sorted((next_ / "prelabels").iterdir())
    name = first.name.split("_frame")[0]

    def made():
        changes = ["scenarios=[few]", f"output={output}", f"labels={next_ / 'prelabels'}"]
        stages = Stages()
        run(read_settings(None, [*TINY, KEPT, *changes]), stages)
        return stages.made

    assert made() == ["labels", "train-few-seed0", "predict-few-test-seed0"]
    assert made() == []
    first.unlink()
    assert made() == ["labels", "train-few-seed0", "predict-few-test-seed0"]

    finished = Finished.read(output)
    shutil.rmtree(next_)
    study = data_of(finished, Silent()).study(name)
    assert len(study.labelled_frames) == 1
    assert f"{name},{name}" in (output / "results" / "split.csv").read_text()
    with pytest.raises(ValueError, match="no estimator judged"):
        pool_of(output, SHORT_AXIS)


def test_labels_that_are_not_there_are_refused_before_any_work(tmp_path, capsys):
    command = [
        "run",
        "--set",
        "dirty.share=0",
        "--labels",
        str(tmp_path / "none"),
        "-o",
        str(tmp_path / "run"),
    ]

    assert main(command) == 2
    assert "none: no such folder" in capsys.readouterr().err
    assert not (tmp_path / "run" / "stages").exists()
    with pytest.raises(ValueError, match=r"set dirty\.share to 0"):
        read_settings(None, ["labels=x", "dirty.share=0.5"])
