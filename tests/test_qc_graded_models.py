import inspect
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from segmenter_builders import PLAIN, SQUARE, bright_square

import qc.graded.ladder as ladder_module
from qc.graded import SOURCES, CnnLadder, NoiseAttack, Snapshots, grade
from qc.graded.noise import with_noise
from segmenters import TrainingSettings, UNet
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.measuring.metrics import dice

TRAINING = TrainingSettings(
    steps=25,
    batch_size=4,
    patch=(24, 20),
    learning_rate=0.02,
    ema=None,
    dice_background=True,
    augmentation=PLAIN,
    device="cpu",
)
SMALL = {"channels": (4, 8), "training": TRAINING}


def squares(*names, **options):
    return [bright_square(name, seed=seed, **options) for seed, name in enumerate(names)]


def labels_of(found):
    return {(one.study.name, one.frame, one.source): one.labels for one in found}


def mean_dice(found, source):
    return np.mean(
        [
            dice(one.labels, one.study.labels[one.frame], SQUARE.structures[0])
            for one in found
            if one.source == source
        ]
    )


class Unread:
    """Voxels that must not be read."""

    def __init__(self, array):
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype
        self.labelled_frames = (0,)

    def __getitem__(self, key):
        raise AssertionError("the reference of a judged study was read")


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (CnnLadder(SQUARE, rungs=2, steps=(2, 4), **SMALL), ("ladder-01", "ladder-02")),
        (Snapshots(SQUARE, count=2, first=5, **SMALL), ("snapshots-5", "snapshots-25")),
        (NoiseAttack(SQUARE, variances=(0, 0.5), **SMALL), ("noise-0", "noise-0.5")),
    ],
)
def test_every_labelled_frame_is_segmented_by_every_variant_and_no_reference_is_read(
    source, names
):
    train = squares("a", "b")
    judged = [replace(study, labels=Unread(study.labels)) for study in squares("c", "d")]
    found = list(source.make(train, judged))

    expected = [(study, 0, name) for name in names for study in ("c", "d")]
    assert [(one.study.name, one.frame, one.source) for one in found] == expected
    assert all(one.study in judged for one in found)
    assert all(one.labels.shape == (3, 24, 20) and one.labels.dtype == np.int8 for one in found)


@pytest.mark.parametrize("kind", [CnnLadder, Snapshots, NoiseAttack])
def test_the_same_seed_gives_the_same_segmentations(kind):
    few = {CnnLadder: {"rungs": 1, "steps": (6, 6)}, Snapshots: {"count": 1, "first": 1}}.get(
        kind, {"variances": (0,)}
    )
    training = replace(TRAINING, steps=6)

    def made(seed):
        source = kind(SQUARE, channels=(4, 8), training=training, seed=seed, **few)
        (one,) = source.make(squares("a", "b", "c"), squares("d"))
        return one.labels

    np.testing.assert_array_equal(made(1), made(1))
    assert (made(1) != made(2)).any()


def test_the_rungs_of_a_ladder_differ_within_their_ranges():
    ladder = CnnLadder(SQUARE, widths=(0.25, 0.5), shares=(0.2, 0.8), steps=(10, 100))
    rungs = [ladder.rung(number) for number in range(1, 13)]

    assert len(set(rungs)) == 12
    for name in ("width", "share", "steps"):
        low, high = getattr(ladder, "steps" if name == "steps" else name + "s")
        drawn = [getattr(rung, name) for rung in rungs]
        assert low <= min(drawn) < low + (high - low) / 2 < max(drawn) <= high


def test_a_rung_is_trained_as_it_says(monkeypatch):
    trained, seeds, dropouts = [], [], []

    class Watched(UNet):
        def fit(self, studies, **options):
            trained.append((self.channels, self.training.steps, len(studies)))
            seeds.append(self.training.seed)
            dropouts.append(self.dropout)
            return super().fit(studies, **options)

    monkeypatch.setitem(ladder_module.SEGMENTERS, "unet", Watched)
    small = SMALL | {"channels": (8, 16)}
    ladder = CnnLadder(SQUARE, rungs=3, steps=(1, 6), seed=2, dropout=0.25, **small)
    list(ladder.make(squares(*"abcdefghij"), squares("k")))

    rungs = [ladder.rung(number) for number in (1, 2, 3)]
    assert trained == [
        ((max(2, round(8 * r.width)), max(2, round(16 * r.width))), r.steps, round(10 * r.share))
        for r in rungs
    ]
    assert len({studies for *_, studies in trained}) > 1
    assert seeds == [2001, 2002, 2003]  # A thousand for each of the ladder's.
    assert dropouts == [0.25] * 3


def test_snapshots_get_better_along_the_training():
    source = Snapshots(SQUARE, count=3, first=1, learning_rate=0.02, **SMALL)
    found = list(source.make(squares("a", "b"), squares("c")))

    assert source.steps == (1, 5, 25)  # Each five times the one before.
    assert mean_dice(found, "snapshots-25") > 0.9
    assert mean_dice(found, "snapshots-1") < 0.7


def test_snapshots_are_those_of_a_training_that_goes_on():
    """The last one is what the training itself would give."""
    source = Snapshots(SQUARE, count=2, first=2, learning_rate=0.01, seed=3, **SMALL)
    found = labels_of(source.make(squares("a"), squares("c")))
    training = replace(TRAINING, learning_rate=0.01, seed=3)
    trained = UNet(SQUARE, channels=(4, 8), training=training).fit(squares("a"))

    expected = next(trained.predict_frames(squares("c")[0])).argmax(axis=0)
    np.testing.assert_array_equal(found["c", 0, "snapshots-25"], expected)


@pytest.mark.parametrize(
    "source",
    [
        CnnLadder(SQUARE, rungs=1, steps=(6, 6), dropout=0.3, samples=3, **SMALL),
        Snapshots(
            SQUARE, count=1, first=1, dropout=0.3, samples=3,
            **SMALL | {"training": replace(TRAINING, steps=6)},
        ),
        NoiseAttack(
            SQUARE, variances=(0.1,), dropout=0.3, samples=3,
            **SMALL | {"training": replace(TRAINING, steps=6)},
        ),
    ],
)  # fmt: skip
def test_samples_of_dropout_give_the_segmentations_uncertainty(source):
    (one,) = source.make(squares("a", "b"), squares("c"))
    (again,) = source.make(squares("a", "b"), squares("c"))
    (bare,) = replace(source, samples=0).make(squares("a", "b"), squares("c"))

    assert bare.uncertainty is None
    assert one.uncertainty.entropy.shape == (1, *one.labels.shape)
    # A third for each sample that disagrees with the mean.
    assert set(np.unique(np.rint(3 * one.uncertainty.disagreement))) >= {0, 1}
    assert one.uncertainty.features.shape[1] > 1
    np.testing.assert_array_equal(one.labels, again.labels)
    np.testing.assert_array_equal(one.uncertainty.entropy, again.uncertainty.entropy)


def test_snapshots_leave_no_files(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = Snapshots(
        SQUARE, count=1, first=1, **SMALL | {"training": replace(TRAINING, steps=2)}
    )
    list(source.make(squares("a"), squares("c")))

    assert list(Path(tmp_path).iterdir()) == []


def test_more_noise_makes_worse_segmentations_of_the_same_study():
    source = NoiseAttack(SQUARE, variances=(0, 25), **SMALL)
    judged = squares("c", frames=2, labelled=(1,))
    judged[0].image[:, 0] = 0  # Whoever segments the wrong frame finds nothing.
    before = judged[0].image.copy()
    found = list(source.make(squares("a", "b"), judged))

    assert mean_dice(found, "noise-0") > 0.9
    assert mean_dice(found, "noise-25") < mean_dice(found, "noise-0") - 0.2
    np.testing.assert_array_equal(judged[0].image, before)
    assert [one.frame for one in found] == [1, 1]


def test_noise_has_the_variance_of_the_image_times_the_factor_in_each_modality():
    image = np.random.default_rng(0).normal(0, [[[[[1]]]], [[[[10]]]]], (2, 1, 4, 50, 50))
    added = with_noise(image.astype(np.float32), 0.25, np.random.default_rng(1)) - image

    # A quarter of the variances 1 and 100.
    np.testing.assert_allclose(added.var(axis=(1, 2, 3, 4)), [0.25, 25], rtol=0.05)
    assert abs(np.corrcoef(added.reshape(2, -1))[0, 1]) < 0.05


def test_two_studies_get_different_noise_whatever_their_order():
    source = NoiseAttack(
        SQUARE, variances=(3,), **SMALL | {"training": replace(TRAINING, steps=6)}
    )
    same = [replace(squares("x")[0], name=name) for name in ("c", "d")]
    there, back = (labels_of(source.make(squares("a"), judged)) for judged in (same, same[::-1]))

    assert (there["c", 0, "noise-3"] != there["d", 0, "noise-3"]).any()
    for key, labels in there.items():
        np.testing.assert_array_equal(back[key], labels)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CnnLadder(SQUARE, rungs=0), "rungs must be at least 1, got 0"),
        (lambda: CnnLadder(SQUARE, widths=(0.5, 0.2)), "widths must be positive and in order"),
        (lambda: CnnLadder(SQUARE, steps=(0, 9)), "steps must be positive and in order, got 0"),
        (lambda: CnnLadder(SQUARE, shares=(0.5, 2)), "shares must not exceed 1, got 2"),
        (lambda: Snapshots(SQUARE, count=0), "count must be at least 1, got 0"),
        (lambda: Snapshots(SQUARE, first=26, training=TRAINING), "to the last step, 25, got 26"),
        (
            lambda: CnnLadder(SQUARE, samples=4),
            "samples must be 0, or 2 or more .* got 4 and dropo",
        ),
        (
            lambda: Snapshots(SQUARE, samples=1, dropout=0.1),
            "or 2 or more .* got 1 and dropout 0.1",
        ),
        (lambda: NoiseAttack(SQUARE, variances=()), "variances must be some"),
        (lambda: NoiseAttack(SQUARE, variances=(0.1, -1)), "none negative"),
    ],
)
def test_settings_that_make_no_sense_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("kind", [CnnLadder, Snapshots, NoiseAttack])
def test_a_source_needs_studies_to_learn_from(kind):
    with pytest.raises(ValueError, match="needs studies to learn from, got none"):
        next(kind(SQUARE, **SMALL).make([], squares("c")))


def test_every_source_of_the_registry_has_a_seed_and_makes():
    for source in SOURCES.values():
        assert "seed" in {field.name for field in fields(source)}
        assert list(inspect.signature(source.make).parameters) == ["self", "train", "judged"]


def test_sources_of_all_three_kinds_are_graded_together(tmp_path):
    with StoreWriter(tmp_path / "s.h5", SQUARE) as writer:
        for study in squares("a", "b"):
            writer.add(study)
    few = {"channels": (4, 8), "training": replace(TRAINING, steps=2)}
    sources = {
        "ladder": CnnLadder(SQUARE, rungs=1, steps=(2, 2), **few),
        "snapshots": Snapshots(SQUARE, count=1, first=1, **few),
        "noise": NoiseAttack(SQUARE, variances=(0.1,), **few),
    }
    found = grade(Store(tmp_path / "s.h5"), tmp_path / "g.h5", sources, folds=2)

    assert sorted(set(found.sources)) == ["ladder-01", "noise-0.1", "snapshots-2"]
    assert len(found) == 6
