"""A run is of its data and of no other, and of its settings."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from segmenter_builders import bright_square, small_unet

from segmenters.fitting import _identity
from segmenters.method import TrainingData
from segmenters.step import SupervisedMethod
from semiqc.cli.app import main
from semiqc.experiment import Finished, RunError, read_settings
from semiqc.experiment.data import Data, _files_of, open_data
from semiqc.experiment.results import FILES, Results, write_results
from semiqc.files.store.reader import Store
from semiqc.phantom import write_phantoms
from semiqc.schemes import SHORT_AXIS
from semiqc.suites.making import SuiteMaker
from semiqc.suites.settings import SuiteSettings
from semiqc.work.folder import locked
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder


def write(path, seed):
    write_phantoms(path, studies=1, size=32, slices=2, frames=2, seed=seed, overwrite=True)
    return Store(path)


def test_data_that_was_replaced_is_refused(tmp_path):
    path = tmp_path / "data.h5"
    known = {"fingerprint": write(path, 0).fingerprint(), "scheme": SHORT_AXIS.to_json()}
    run = Finished(tmp_path, read_settings(None, [f"data={path}"]), known)
    run.refuse_other_data()
    other = write(path, 1)

    for refused in (run.refuse_other_data, lambda: run.refuse_other_data(other)):
        with pytest.raises(RunError, match=r"data\.h5: not the data .* was made of"):
            refused()
    replace(run, data={}).refuse_other_data()


def test_a_folder_is_known_by_its_content(tmp_path):
    image = np.random.default_rng(0).normal(100, 20, (32, 32, 3)).astype(np.float32)
    file = tmp_path / "a.nii"
    (tmp_path / "studies.csv").write_text("study,image\na,a.nii\n")
    settings = read_settings(None, [f"data={tmp_path / 'studies.csv'}"])
    found = []
    for pixels in (image, image[::-1]):
        nibabel.save(nibabel.Nifti1Image(pixels, np.diag([1.5, 1.5, 8, 1])), file)
        os.utime(file, (1e9, 1e9))
        store = open_data(settings, RunFolder(tmp_path / "run"), Silent()).store
        found.append(store.fingerprint())

    assert found[0] != found[1]


@pytest.fixture
def of_a_folder(tmp_path):
    """A run of an earlier version, made to be of a table, an image and a folder of images."""
    run, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(Path(__file__).parent / "data" / "before" / "run", run)
    for name in ("a.nii", "series/1.dcm"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(name.encode())
    (data / "studies.csv").write_text("study,image\na,a.nii\nb,series\n")
    settings = (run / "settings.yaml").read_text()
    source = data / "studies.csv"
    (run / "settings.yaml").write_text(settings.replace("data: store.h5", f"data: {source}"))
    (run / "results" / FILES).write_text(json.dumps(_files_of(source, run, Silent())))
    return run, data


@pytest.mark.parametrize(
    "command",
    [
        ["report", "{run}"],
        ["predict", "{run}", "x.h5", "-o", "{run}/out"],
        ["evaluate", "{run}", "x.h5", "-o", "{run}/out"],
        ["export", "{run}", "{run}/Dataset501_Heart"],
    ],
    ids=lambda command: command[0],
)
def test_every_command_looks_at_the_files_of_a_folder(of_a_folder, command, capsys):
    run, data = of_a_folder
    (data / "series" / "1.dcm").write_bytes(b"1")

    assert main([word.format(run=run) for word in command]) == 2
    said = capsys.readouterr().err
    assert (
        f"{data / 'series' / '1.dcm'}: not the data that {run} was made of, it was changed" in said
    )


def test_files_that_were_removed_are_told_and_new_ones_change_nothing(of_a_folder):
    run, data = of_a_folder
    (data / "new.txt").write_text("new")
    Finished.read(run)
    (data / "a.nii").unlink()

    with pytest.raises(RunError, match=r"a\.nii: not the data .*, it was removed since"):
        Finished.read(run)


def test_a_run_within_its_data_is_no_part_of_it(tmp_path):
    (tmp_path / "a.nii").write_text("a")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "b.nii").write_text("b")

    assert set(_files_of(tmp_path, tmp_path / "run", Silent())) == {str(tmp_path / "a.nii")}


def test_what_was_imported_is_noted_with_the_results(tmp_path):
    data = Data(write(tmp_path / "data.h5", 0), files={"a.nii": "0123"})
    write_results(Results(data, []), tmp_path / "run")

    assert json.loads((tmp_path / "run" / "results" / FILES).read_text()) == {"a.nii": "0123"}


def test_what_changes_no_weights_begins_no_training_anew():
    data = TrainingData([bright_square("a")], (), (), ())

    def identity(**changes):
        return _identity(small_unet(**changes), data, SupervisedMethod())

    assert identity(report_every=3, checkpoint_every=3) == identity(device="cpu")
    assert identity(steps=7) != identity(steps=8)


def test_two_fits_in_one_folder_do_not_mix(tmp_path):
    write(tmp_path / "data.h5", 0)
    (tmp_path / "suite").mkdir()
    maker = SuiteMaker(tmp_path / "data.h5", tmp_path / "suite", SuiteSettings(), Silent())

    with (
        locked(tmp_path / "suite"),
        pytest.raises(BlockingIOError, match="another process works in this"),
    ):
        maker.make()
