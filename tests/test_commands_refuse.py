"""What commands that nobody thinks of are given: refused in one line before work."""

import errno
import io

import h5py
import nibabel as nib
import numpy as np
import pytest

from semiqc.cli.app import main
from semiqc.experiment.verifying import verify
from semiqc.files.store.writer import StoreWriter
from semiqc.images.raw import LONGEST_REASON, Refusal
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Study


@pytest.fixture
def stores(tmp_path):
    """Stores of no study and of one."""
    with StoreWriter(tmp_path / "none.h5", SHORT_AXIS):
        pass
    image, labels = np.zeros((1, 1, 2, 8, 8), np.float32), np.ones((1, 2, 8, 8), np.int8)
    with StoreWriter(tmp_path / "one.h5", SHORT_AXIS) as store:
        store.add(Study("a", image, labels, (8.0, 1.4, 1.4)))
    return tmp_path


FIT = "qc fit {}/%s.h5 -o {}/o --estimators svr --sources failures"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("review {}/none.h5 --export {}/o", "none.h5: holds no study to judge"),
        ("spoil {}/none.h5 -o {}/o.h5", "none.h5: holds no study to spoil"),
        ("spoil {}/one.h5 -o /", "/: is a folder; name a file to write"),
        ("qc grade {}/one.h5 / -o {}/o.h5", "/: names no source; give a folder"),
        (FIT % "none", "none.h5: 0 subjects with labels"),
        (
            FIT % "one" + " --test 1",
            "one.h5: 1 subjects with labels; 1 to test and 0 to calibrate",
        ),
        (FIT % "one", "leave fewer than 2 to learn from"),
    ],
)
def test_too_little_is_refused(stores, capsys, words, message):
    assert main(words.replace("{}", str(stores)).split()) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list((stores / "o").rglob("graded*"))


def test_another_programs_file_is_not_verified(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = [1]

    with pytest.raises(ValueError, match=r"a\.h5: expected a store, .* found another HDF5 file"):
        verify(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["info", ""], "an empty argument after info; is a variable of the shell not set?"),
        (["run", "-o", " "], "an empty argument after -o"),
        (
            ["predict", "run", "images", "-o", "out\udcff"],
            "out\\udcff: an argument that is not UTF-8",
        ),
        (["run", "--set", "data="], "--set data=: no value; say data=null for none"),
        (["qc", "fit", "a.h5", "-o", "o", "--set", "svr.points= "], "no value"),
    ],
)
def test_an_unset_variable_of_the_shell_is_no_path(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)

    assert main(words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_a_working_folder_that_is_gone_is_told_before_work(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert main(["phantom", str(tmp_path / "a.h5")]) == 2
    assert capsys.readouterr().err == (
        "semiqc: the working folder was removed; change into another\n"
    )


class Full(io.RawIOBase):
    """A disk that takes no more."""

    def writable(self):
        return True

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_output_that_takes_no_more_is_named(monkeypatch, capsys):
    raw = Full()
    full = io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8")
    monkeypatch.setattr("sys.stdout", full)

    assert main(["schema"]) == 2
    assert "semiqc: standard output: No space left on device" in capsys.readouterr().err
    raw.write = len
    full.close()


def test_a_calibrated_suite_is_written_into_a_folder_of_its_own(
    fitted_suite, suite_store, tmp_path, capsys
):
    (tmp_path / "notes.txt").touch()
    words = ["qc", "calibrate", fitted_suite, fitted_suite / "test.h5", "-o", tmp_path]

    assert main([*map(str, words), "--store", str(suite_store)]) == 2
    assert "not empty; name another folder" in " ".join(capsys.readouterr().err.split())


def test_a_search_without_validation_begins_nothing(tmp_path, capsys):
    (tmp_path / "s.yaml").write_text("split: {validation: 0}\n")
    words = ["tune", str(tmp_path / "s.yaml"), "-o", str(tmp_path / "o")]

    assert main([*words, "--over", "training.clip=[1, 2]", "--trials", "1"]) == 2
    assert "tuning needs validation studies" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    "option",
    [
        "--studies=99999999", "--slices=99999999", "--frames=99999999", "--size=99999999",
        "--spacing=0", "--spacing=inf", "--spacing=1e9", f"--studies={'9' * 40}",
    ],
)  # fmt: skip
def test_phantoms_that_nobody_could_draw_are_refused(tmp_path, capsys, option):
    assert main(["phantom", str(tmp_path / "o.h5"), option]) == 2
    name = option[2:].partition("=")[0].replace("spacing", "pixel_mm")
    assert f"{name} must lie in" in " ".join(capsys.readouterr().err.split())


def test_a_phantom_larger_than_any_study_is_refused(tmp_path, capsys):
    words = ["phantom", str(tmp_path / "o.h5"), "--size=4096", "--frames=4000"]

    assert main(words) == 2
    assert "make frames, slices or size smaller" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--estimators=none", "estimators: unknown 'none'"),
        ("--phantoms=99999999", "phantoms: input should be less than"),
        ("--spacing=nan", "spacing: input should be a finite number, got nan"),
        ("--scheme=x", "scheme: unknown 'x'"),
    ],
)
def test_settings_of_a_pretrained_suite_are_refused_in_a_line(tmp_path, capsys, option, message):
    assert main(["qc", "pretrain", "-o", str(tmp_path / "o"), option]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("tolerance", ["nan", "1e30", "-1"])
def test_a_tolerance_that_is_no_distance_is_refused(stores, capsys, tolerance):
    (stores / "seg").mkdir()
    image = nib.Nifti1Image(np.ones((8, 8, 2), np.uint8), np.diag([1.4, 1.4, 8, 1]))
    nib.save(image, stores / "seg" / "a.nii.gz")
    words = ["qc", "grade", str(stores / "one.h5"), str(stores / "seg"), "-o"]

    assert main([*words, str(stores / "o.h5"), "--tolerance", tolerance]) == 2
    assert "tolerance" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("name", ["a.yaml", "a.safetensors"])
def test_a_file_of_another_kind_is_not_called_damaged(tmp_path, name):
    (tmp_path / name).write_text("x")

    with pytest.raises(ValueError, match="expected a store, a suite or a run, found another file"):
        verify(tmp_path / name)


def test_graded_segmentations_are_known_as_such(fitted_suite):
    assert verify(fitted_suite / "test.h5").kind == "graded segmentations"


def test_a_reason_is_one_line_whatever_it_cites():
    reason = Refusal("a", "a.dcm: got MONO\nCHROME" + "x" * 5_000).reason

    assert reason.startswith("a.dcm: got MONO CHROMExx")
    assert len(reason) <= LONGEST_REASON


@pytest.mark.parametrize(
    "words",
    ["qc fit images -o s", "qc grade images segmentations -o g.h5", "spoil images -o s.h5"],
)
def test_a_folder_is_no_store(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    for name in ("images", "segmentations"):
        (tmp_path / name).mkdir()

    assert main(words.split()) == 2
    said = capsys.readouterr().err
    assert "images: a folder, expected a store; `semiqc import` makes one" in said
