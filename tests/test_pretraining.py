import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from segmenters.pretrained import Card, shipped
from segmenters.pretrained.card import card_file
from semiqc.cli import main
from semiqc.experiment import predict_images, pretrain, read_pretraining
from semiqc.experiment.learned import find_learned
from semiqc.experiment.pretraining import PretrainingSettings
from semiqc.files.checksums import sha256_of
from semiqc.files.store.writer import StoreWriter
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Study
from semiqc.work.changes import SettingsError
from semiqc.work.monitor import Silent

TINY = (
    "phantoms=3",
    "slices=2",
    "size=32",
    "spacing=6",
    "segmenter.channels=[4, 8]",
    "training.steps=2",
    "training.batch_size=2",
    "training.patch=[32, 32]",
)


def made(folder, *changes, monitor=None, **arguments):
    weights = folder / "short-axis.safetensors"
    settings = read_pretraining([*TINY, *changes])
    monitor = monitor or Silent()
    return weights, pretrain(settings, weights, monitor, command="semiqc pretrain", **arguments)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return made(tmp_path_factory.mktemp("weights"))[0]


def test_weights_and_a_card_are_left_and_nothing_else(weights):
    card = Card.read(card_file(weights))

    assert {path.name for path in weights.parent.iterdir()} == {weights.name, "short-axis.json"}
    card.check(weights)
    assert (card.scheme, card.spacing_mm) == ("short-axis", 6)
    assert card.phantoms["variety"] == "random"
    assert card.phantoms["studies"] == 3
    assert card.training["steps"] == 2
    assert {"torch", "numpy", "semiqc"} <= set(card.versions)


def test_the_same_command_makes_the_same_weights_and_another_seed_others(weights, tmp_path):
    again, _ = made(tmp_path)
    (tmp_path / "other").mkdir()
    other, _ = made(tmp_path / "other", "seed=1")

    assert again.read_bytes() == weights.read_bytes()
    assert other.read_bytes() != weights.read_bytes()


def test_a_killed_command_goes_on_behind_its_phantoms(weights, tmp_path, monkeypatch):
    def killed(*_arguments, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("segmenters.unet.UNet.fit", killed)
        patched.setattr("segmenters.network.NetworkSegmenter.fit", killed)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path)
    stages = []

    class Told(Silent):
        def stage(self, name, found):
            stages.append((name, found))

    again, _ = made(tmp_path, monitor=Told())
    assert stages == [("phantoms-0", True), ("pretraining", False)]
    assert again.read_bytes() == weights.read_bytes()


def test_weights_killed_beside_their_card_are_gone_on_with(weights, tmp_path, monkeypatch):
    def killed(source, target):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("semiqc.experiment.pretraining.move", killed)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path)
    again, card = made(tmp_path)

    assert Card.read(card_file(again)).sha256 == card.sha256 == sha256_of(again)
    assert again.read_bytes() == weights.read_bytes()


def test_a_command_killed_while_it_tidied_up_ends_as_done(weights, tmp_path, monkeypatch):
    def killed(folder):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("semiqc.experiment.pretraining.shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path)
    with pytest.raises(FileExistsError, match="--overwrite"):
        pretrain(
            read_pretraining([*TINY, "seed=1"]), tmp_path / weights.name, Silent(), command="other"
        )
    _, card = made(tmp_path)

    assert card == Card.read(card_file(weights))
    assert {path.name for path in tmp_path.iterdir()} == {weights.name, "short-axis.json"}
    with pytest.raises(FileExistsError, match="--overwrite"):
        made(tmp_path)


def test_a_card_takes_the_place_of_no_other_file(tmp_path):
    (tmp_path / "short-axis.json").write_text('{"mine": 1}')
    with pytest.raises(FileExistsError, match=r"short-axis\.json: is no card"):
        made(tmp_path, overwrite=True)

    assert (tmp_path / "short-axis.json").read_text() == '{"mine": 1}'


@pytest.mark.parametrize("scheme", ["aorta", "tumour"])
def test_any_scheme_with_a_phantom_can_be_taught(tmp_path, scheme):
    _, card = made(tmp_path, f"scheme={scheme}", "phantoms=1")

    assert card.scheme == scheme
    assert card.phantoms["variety"] == "usual"


def test_weights_that_are_there_are_kept(weights):
    with pytest.raises(FileExistsError, match="say --overwrite"):
        made(weights.parent)


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"named \*\.safetensors"):
        pretrain(PretrainingSettings(), tmp_path / "a.pt", Silent(), command="")


def test_a_change_leaves_the_other_defaults_as_they_are():
    changed = read_pretraining(["training.batch_size=8"]).training

    assert changed.batch_size == 8
    assert changed.foreground == PretrainingSettings().training.foreground == 0.6


def test_a_wrong_setting_is_named():
    with pytest.raises(SettingsError, match=r"phantom: .*did you mean 'phantoms'"):
        read_pretraining(["phantom=3"])
    with pytest.raises(SettingsError, match=r"scheme: unknown 'brain'"):
        read_pretraining(["scheme=brain"])


def test_options_of_the_command_are_settings(tmp_path):
    weights = tmp_path / "w.safetensors"
    options = [word for change in TINY[1:] for word in ("--set", change)]
    code = main(["pretrain", "-o", str(weights), *options, "--phantoms", "1", "--seed", "4"])

    card = json.loads(card_file(weights).read_text())
    assert code == 0
    assert (card["phantoms"]["studies"], card["phantoms"]["seed"]) == (1, 4)
    assert card["training"]["seed"] == 4
    assert card["command"].startswith("semiqc pretrain --set phantoms=1 --set seed=4")


@pytest.fixture
def images(tmp_path):
    path = tmp_path / "images.h5"
    rng = np.random.default_rng(0)
    image = rng.random((1, 2, 3, 40, 36), dtype=np.float32)
    labels = np.zeros(image.shape[1:], dtype=np.int8)
    with StoreWriter(path, SHORT_AXIS, ("cine",)) as store:
        store.add(Study("stranger", image, labels, (8.0, 6.0, 6.0)))
    return path


def test_a_stranger_is_segmented_by_what_phantoms_taught(weights, images, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", weights.parent)
    monkeypatch.chdir(tmp_path)

    code = main(["predict", "phantom", str(images), "-o", "out"])

    assert code == 0
    assert (tmp_path / "out" / "stranger.nii.gz").exists()
    assert "phantom" in (tmp_path / "out" / "measures.csv").read_text()


def test_a_scheme_without_weights_is_told_in_one_line(images, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)

    code = main(["predict", "phantom:aorta", str(images), "-o", str(tmp_path / "out")])

    assert code == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "no weights are shipped for the label scheme 'aorta'" in said[0]


def test_a_run_named_phantom_is_a_run(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", weights.parent)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "phantom").mkdir()

    with pytest.raises(ValueError, match="not a run folder"):
        find_learned(Path("phantom"), "semiqc")


def test_a_store_of_another_spacing_is_resampled_and_back(weights, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", weights.parent)
    monkeypatch.chdir(tmp_path)
    with StoreWriter(tmp_path / "b.h5", SHORT_AXIS, ("cine",)) as store:
        image = np.random.default_rng(0).normal(size=(1, 1, 2, 32, 32)).astype(np.float32)
        store.add(Study("b", image, np.zeros((1, 2, 32, 32), np.int8), (8.0, 1.5, 1.5)))
        store.add(Study("c", image[..., :3], np.zeros((1, 2, 32, 3), np.int8), (8.0, 1.5, 0.01)))

    found = predict_images(
        Path("phantom"), tmp_path / "b.h5", tmp_path / "out", scenario="semiqc", monitor=Silent()
    )

    written = nibabel.load(tmp_path / "out" / "b.nii.gz")
    assert written.shape == (32, 32, 2)
    np.testing.assert_allclose(written.header.get_zooms(), (1.5, 1.5, 8))
    [(name, reason)] = found.left_out
    assert name == "c"
    assert "is the spacing in mm" in reason
