from dataclasses import replace

import numpy as np
import pytest
import torch
from builders import study_of
from segmenter_builders import Watched

from segmenters.held import held
from segmenters.method import TrainingData
from segmenters.sampler import SliceSampler
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def data(tmp_path):
    with StoreWriter(tmp_path / "s.h5", SHORT_AXIS) as writer:
        for name, labelled in (("a", (0, 2)), ("b", (1,))):
            writer.add(study_of(name, labelled=labelled))
    first, second = Store(tmp_path / "s.h5")
    entries = [second.keeping((1,)), second.without_labels()]
    return TrainingData([first.keeping((2,))], unlabelled=entries)


def test_what_is_held_is_drawn_as_from_files(data):
    found = held(data, GPU)

    for before, after in zip(data.all, found.all, strict=True):
        assert isinstance(after.image, np.ndarray)
        np.testing.assert_array_equal(after.image, before.image[:])
        np.testing.assert_array_equal(after.labels[:], before.labels[:])
        assert after.labelled_frames == before.labelled_frames
    batches = [
        SliceSampler(one.studies, one.unlabelled, batch_size=6, patch=(4, 4)).batch(3)
        for one in (data, found)
    ]
    assert torch.equal(batches[0].images, batches[1].images)
    assert torch.equal(batches[0].labels, batches[1].labels)


def test_weights_of_voxels_are_held_too(data):
    weights = np.random.default_rng(0).random(data.studies[0].labels.shape).astype(np.float32)
    light = replace(data.studies[0], voxel_weights=Watched(weights))

    [found] = held(TrainingData([light]), GPU).studies

    assert isinstance(found.voxel_weights, np.ndarray)
    np.testing.assert_array_equal(found.voxel_weights, weights)


def test_an_image_of_several_entries_is_held_once(data):
    first, second = held(data, GPU).unlabelled

    assert first.image is second.image


def test_on_a_processor_and_where_it_is_too_much_files_are_read(data):
    size = 4 * sum(np.prod(one.image.shape) for one in (data.studies[0], data.unlabelled[0]))

    assert held(data, CPU) is data
    assert held(data, GPU, most_bytes=size - 1) is data
    assert held(data, GPU, most_bytes=size) is not data
