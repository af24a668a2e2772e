import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from segmenters import SEGMENTERS
from segmenters.pretrained import Card, card_of, pretrained_weights, shipped, shipped_cards
from segmenters.pretrained.card import card_file
from segmenters.weights import read_weights
from semiqc.files.checksums import sha256_of

DESCRIBED = {"kind": "Some", "classes": ["a", "b"], "modalities": 1, "channels": [4, 8]}
LARGEST_BYTES = 10_000_000


def card(weights, **changes):
    made = Card(
        scheme="aorta",
        segmenter={"kind": "unet"},
        network=DESCRIBED,
        spacing_mm=1.5,
        sha256=sha256_of(weights),
        command="semiqc pretrain",
        phantoms={"studies": 3},
        training={"steps": 2},
        versions={"torch": "2"},
    )
    return replace(made, **changes)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    file = tmp_path / "aorta.safetensors"
    file.write_bytes(b"weights")
    card(file).write(card_file(file))
    return file


def test_weights_are_found_by_scheme_and_network(weights):
    assert pretrained_weights("aorta", {**DESCRIBED, "channels": (4, 8)}) == weights
    assert card_of("aorta").spacing_mm == 1.5


def test_no_weights_are_found_for_another_scheme_or_network(weights):
    assert pretrained_weights("tumour", DESCRIBED) is None
    assert pretrained_weights("aorta", {**DESCRIBED, "channels": [4, 16]}) is None


def test_damaged_weights_are_refused_in_one_line(weights):
    weights.write_bytes(b"weight5")

    with pytest.raises(ValueError, match=r"aorta\.safetensors: damaged, its SHA-256") as raised:
        pretrained_weights("aorta", DESCRIBED)
    assert "\n" not in str(raised.value)


def test_missing_weights_are_refused(weights):
    weights.unlink()

    with pytest.raises(ValueError, match=r"aorta\.safetensors: missing"):
        pretrained_weights("aorta", DESCRIBED)


def test_a_scheme_without_weights_names_those_that_have_some(weights):
    with pytest.raises(ValueError, match=r"'tumour' \(there are some for aorta\); make some with"):
        card_of("tumour")


def test_a_card_comes_back_as_it_was_written(weights, tmp_path):
    written = card(weights, measured=({"data": "phantoms", "dice": 0.9},))
    written.write(tmp_path / "other.json")

    assert Card.read(tmp_path / "other.json") == written


def test_a_file_that_is_no_card_is_named(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([1]))

    with pytest.raises(ValueError, match=r"a\.json: not the card of weights"):
        Card.read(tmp_path / "a.json")


@pytest.mark.parametrize("scheme", shipped_cards())
def test_shipped_weights_are_whole_small_and_of_a_known_network(scheme):
    shown = card_of(scheme)
    found = pretrained_weights(scheme, shown.network)
    assert found is not None
    assert found.stat().st_size <= LARGEST_BYTES
    assert read_weights(found, shown.network)
    assert shown.segmenter["kind"] in SEGMENTERS
    assert shown.patients.startswith("none")
    assert shown.command.startswith("semiqc pretrain")


def test_the_wheel_holds_the_weights(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    root = Path(__file__).parents[1]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (built,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(built) as wheel:
        names = set(wheel.namelist())
    here = {f"segmenters/pretrained/{path.name}" for path in shipped.FOLDER.glob("*.*")}

    assert here <= names
