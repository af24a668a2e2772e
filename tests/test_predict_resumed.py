"""``semiqc predict`` goes on where it was killed, and notices what was changed since."""

import hashlib
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import study_of
from source_builders import AFFINE, pixels, save

from qc import Quality
from qc.consensus.panel import Panel
from semiqc.doors.regular import UnusableError
from semiqc.exchange.importing import import_data
from semiqc.experiment import (
    learned,
    new_studies,
    predict_images,
    predicting,
    predictor,
    unfinished,
)
from semiqc.experiment.learned import Learned
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS
from semiqc.work.folder import locked
from semiqc.work.monitor import Silent

NAMES = ("a", "b", "c", "d")
STRUCTURES = [one.name for one in SHORT_AXIS.structures]


class Bright:
    """Takes what is bright as the first structure; may be killed at a study."""

    def __init__(self):
        self.asked = []
        self.killed_at = None

    def predict_frames(self, study):
        self.asked.append(study.name)
        if study.name == self.killed_at:
            raise KeyboardInterrupt
        for frame in range(study.frames):
            bright = np.asarray(study.image[0, frame]) > 0
            shares = np.zeros((len(SHORT_AXIS.classes), *bright.shape), np.float32)
            shares[0], shares[1] = ~bright, bright
            yield shares


class Doubtful:
    """Judges slices and voxels, and likes no study but ``b``."""

    gives_error_maps = True

    def can_judge(self, prediction):
        return True

    def predict(self, predictions):
        return [self._of(one) for one in predictions]

    def _of(self, one):
        slices = np.linspace(0.1, 0.9, one.labels.shape[0] * one.labels.shape[1])
        error = np.full(one.labels.shape, 1 / 3, np.float32)
        score = 0.9 if one.study == "b" else 0.1 + 1 / 3
        return Quality(
            one.study, score, is_good=one.study == "b", dice={"LV": 1 / 3}, nsd={"LV": np.nan},
            slice_dice=dict.fromkeys(STRUCTURES, slices.reshape(one.labels.shape[:2])),
            error_maps=dict.fromkeys(STRUCTURES, error),
            interval={"LV": (0.1, 0.7)}, reasons=("looks odd",),
        )  # fmt: skip


class Told(Silent):
    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def store_of(path, names=NAMES, **changed):
    with StoreWriter(path, SHORT_AXIS, overwrite=True) as writer:
        for name in names:
            study = study_of(name, group="g", notes=("odd",) if name == "c" else ())
            image = changed.get(name, study.image[:] + np.float32(NAMES.index(name) / 7))
            writer.add(replace(study, image=image, spacing=(8.0, 1.5, 1.5)))
    return path


class Command:
    """One ``semiqc predict`` on four studies, which can be killed."""

    def __init__(self, folder, patch):
        self.patch, self.folder, self.key = patch, folder, "model"
        self.images, self.output = store_of(folder / "images.h5"), folder / "out"
        self.segmenter, self.told = Bright(), Told()

    def __call__(self, output=None, **options):
        self.segmenter.asked.clear()
        found = Learned(
            self.segmenter, Panel({"slicewise": Doubtful()}), SHORT_AXIS, 1.5, 1, False,
            "slicewise", "few", 0, self.key,
        )  # fmt: skip
        self.patch.setattr(predicting, "find_learned", lambda *_: found)
        return predict_images(
            Path("run"), self.images, output or self.output, scenario="few", monitor=self.told,
            **options,
        )  # fmt: skip

    def killed(self, study=None, **options):
        self.segmenter.killed_at = study
        with pytest.raises(KeyboardInterrupt):
            self(**options)
        self.segmenter.killed_at = None

    def written(self, output=None):
        output = output or self.output
        return {
            str(path.relative_to(output)): path.read_bytes()
            for path in output.rglob("*") if path.is_file()
        }  # fmt: skip

    def unbroken(self):
        output = self.folder / "unbroken"
        self(output)
        return self.written(output)


def page_in_short(report, worst, path):
    """All that the page shows, for drawing takes a second a study."""
    shown = [vars(worst.get(one.study)) for one in report.studies if one.flagged]
    digest = hashlib.sha256(
        b"".join(np.asarray(one).tobytes() for s in shown for one in s.values())
    )
    path.write_text(f"{report.studies} {report.silent} {shown} {digest.hexdigest()}")


@pytest.fixture
def command(tmp_path, monkeypatch):
    monkeypatch.setattr("semiqc.scoring.page.write_page", page_in_short)
    return Command(tmp_path, monkeypatch)


def killer(*_, **__):
    raise KeyboardInterrupt


def unsuited(study, *_):
    raise UnusableError(f"{study.name}: does not suit")


def test_only_measures_that_are_known_are_printed(command):
    rows = command().rows

    assert [row[0] for row in rows] == list(NAMES)
    assert all("LV EDV 0 ml" in row[4] and "nan" not in row[4] for row in rows)


@pytest.mark.parametrize("study", NAMES)
def test_a_killed_command_segments_only_what_is_not_done(command, study):
    expected = command.unbroken()
    command.killed(study)
    command()

    assert command.segmenter.asked == list(NAMES[NAMES.index(study) :])
    assert command.written() == expected
    assert {"a.nii.gz", "report.html", "slices.csv", "quality.csv"} <= expected.keys()
    assert not command.told.notes


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (predictor, "write_labels"),
        (unfinished.DoneStudy, "write"),
        (predictor.Flagging, "write"),
        (predicting, "write_rows"),
        (unfinished.Unfinished, "finish"),
        (unfinished.shutil, "rmtree"),
    ],
)
def test_it_is_the_same_wherever_it_is_killed(command, where, what):
    expected = command.unbroken()
    with command.patch.context() as patch:
        command()
        patch.setattr(where, what, killer)
        command.killed(overwrite=True)
    command(overwrite=True)

    assert command.written() == expected


def test_what_is_printed_is_the_same_too(command):
    expected = command(command.folder / "unbroken")
    command.killed("c")

    assert command() == expected


def test_what_is_told_of_studies_does_not_gather_in_memory(command):
    told, alive = weakref.WeakSet(), []
    read, write = unfinished.DoneStudy.read, predicting.write_rows

    def noticed(path):
        done = read(path)
        told.update([done.predicted, *done.predicted.score.qualities.values()])
        return done

    def counted(*table):
        alive.append(len(told))
        write(*table)

    command.patch.setattr(unfinished.DoneStudy, "read", noticed)
    command.patch.setattr(predicting, "write_rows", counted)
    command()

    assert max(alive) <= 2
    assert len(command.written()["slices.csv"].splitlines()) > len(NAMES) * 3


def test_an_image_that_was_changed_is_segmented_anew(command):
    command.killed("d")
    store_of(command.images, b=np.ones((1, 3, 2, 5, 6), np.float32))
    command()

    assert command.segmenter.asked == ["b", "d"]
    assert command.told.notes == ["b: its image was changed since; segmented anew"]
    assert command.written() == command.unbroken()


def test_an_image_that_is_gone_leaves_nothing(command):
    command.killed("d")
    store_of(command.images, names=("b", "c", "d"))
    command()

    assert command.told.notes == ["a: no longer among the images; its labels were removed"]
    assert not (command.output / "a.nii.gz").exists()


@pytest.mark.parametrize("file", ["b.nii.gz", ".unfinished/studies/b.safetensors"])
@pytest.mark.parametrize("kind", ["flipped", "truncated", "removed"])
def test_a_study_whose_files_are_damaged_is_segmented_anew(command, file, kind):
    command.killed("d")
    path = command.output / file
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.unlink()
    if kind != "removed":
        path.write_bytes(content if kind == "flipped" else content[:-3])
    command()

    assert command.segmenter.asked == ["b", "d"]
    assert (file.startswith(".") and kind == "removed") or str(path) in command.told.notes[0]
    assert command.written() == command.unbroken()


def test_another_model_does_not_go_on(command):
    command.killed("c")
    command.key = "other"
    with pytest.raises(FileExistsError, match="another model, scenario, threshold or version"):
        command()
    command.key = "model"
    with pytest.raises(FileExistsError, match="another model, scenario, threshold or version"):
        command(flag_below=0.5)
    command.key = "other"
    command(overwrite=True)

    assert command.segmenter.asked == list(NAMES)


def test_a_finished_result_is_not_gone_on_with(command):
    command()
    with pytest.raises(FileExistsError, match="not empty; say --overwrite"):
        command()
    command(overwrite=True)

    assert command.segmenter.asked == list(NAMES)
    assert not (command.output / ".unfinished").exists()


def test_a_command_that_could_not_begin_is_in_nobodys_way(command):
    with command.patch.context() as patch:
        patch.setattr(new_studies, "suited", unsuited)
        with pytest.raises(ValueError, match="a: does not suit"):
            command()
    command.key = "other"
    command()

    assert command.segmenter.asked == list(NAMES)


def test_two_commands_do_not_write_into_one_folder(command):
    command.output.mkdir()
    with locked(command.output), pytest.raises(BlockingIOError, match="another process"):
        command()


def test_the_key_of_a_run_is_that_of_its_models(finished_run):
    run = learned.Finished.read(finished_run)
    found = {name: learned.of_run(run, name).key for name in ("few", "crf")}

    assert found["few"] != found["crf"]
    assert learned.of_run(run, "few").key == found["few"]


def test_the_same_files_in_another_folder_are_the_same_study(tmp_path):
    affines = {"here": AFFINE, "there": AFFINE, "turned": np.diag([1.5, 1.5, 8, 1])}
    keys = {}
    for place, affine in affines.items():
        save(tmp_path / place / "x.nii", pixels(), affine)
        (tmp_path / place / "m.csv").write_text("study,image\nx,x.nii\n")
        import_data(tmp_path / place / "m.csv", tmp_path / f"{place}.h5", spacing=1.5)
        [study] = Store(tmp_path / f"{place}.h5")
        keys[place] = unfinished.key_of(study)

    assert keys["here"] == keys["there"] != keys["turned"]
