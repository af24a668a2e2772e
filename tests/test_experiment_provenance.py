"""A run is of its data and of no other, and of its settings."""

import os
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from segmenter_builders import bright_square, small_unet

from segmenters.fitting import _identity
from segmenters.method import TrainingData
from segmenters.step import SupervisedMethod
from semiqc.experiment import Finished, RunError, Silent, read_settings
from semiqc.experiment.data import open_data
from semiqc.files.store.reader import Store
from semiqc.phantom import write_phantoms
from semiqc.schemes import SHORT_AXIS
from semiqc.suites.making import SuiteMaker
from semiqc.suites.settings import SuiteSettings
from semiqc.work.folder import locked
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
