"""Suites that only phantoms teach: made, shipped, found by name, and asked."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from qc.base import Quality
from qc.graded import GradedSet, SegGen, grade_held_out
from qc.suites import shipped
from qc.suites.card import suite_digest
from qc.suites.shipped import CARD, SUITE, SuiteCard, suite_folder
from qc.suites.suite import Suite
from segmenters.pretrained import card_of
from semiqc.cli import main
from semiqc.experiment.learned import find_learned
from semiqc.experiment.settings_file import read_settings, with_whole_paths
from semiqc.files import staying
from semiqc.files.checksums import damages
from semiqc.files.store.reader import Store
from semiqc.phantom import write_phantoms
from semiqc.suites.pretraining import SuitePretraining, pretrain_suite
from semiqc.work.monitor import Silent

LARGEST_BYTES = 10_000_000
TINY = SuitePretraining(
    phantoms=4,
    slices=2,
    size=32,
    spacing=6,
    estimators=("physiology",),
    sources=("seggen",),
    changes=("seggen.times=1",),
    calibrate=1,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shipped")
    pretrain_suite(TINY, folder / "short-axis", Silent(), command="semiqc qc pretrain")
    return folder


@pytest.fixture
def tiny(made, monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "FOLDER", made)
    monkeypatch.chdir(tmp_path)
    return made / "short-axis"


def test_a_suite_and_its_card_are_left_and_nothing_else(made):
    folder = made / "short-axis"
    card = SuiteCard.read(folder / CARD)
    suite = Suite.load(folder)

    assert [path.name for path in made.iterdir()] == ["short-axis"]
    assert suite.names == ["physiology", "consensus"]
    assert card.sha256 == suite_digest(suite, folder)
    assert (card.phantoms["studies"], card.phantoms["variety"]) == (4, "random")
    assert card.suite["changes"] == ["seggen.times=2", "seggen.times=1"]
    assert card.patients.startswith("none")
    assert suite.training.directions == ()


def test_without_phantoms_to_weigh_by_the_first_decides_alone(tmp_path, monkeypatch):
    settings = TINY.model_copy(update={"calibrate": 0, "estimators": ("physiology", "svr")})
    # The folder is a volume, which is filled.
    (tmp_path / "a").mkdir()
    (tmp_path / "mounts").write_text(f"22 26 0:21 / {tmp_path}/a rw - tmpfs none rw")
    monkeypatch.setattr(staying, "MOUNTS", tmp_path / "mounts")
    pretrain_suite(settings, tmp_path / "a", Silent(), command="semiqc qc pretrain")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "mounts"]
    assert not list((tmp_path / "a").glob(".*"))
    suite = Suite.load(tmp_path / "a")
    blend = suite.blend
    dice = {part.name: 0.3 + 0.2 * at for at, part in enumerate(blend.scheme.structures)}

    low = Quality("one", 0.1, dice=dict.fromkeys(dice, 0.1))
    told = blend.combine({"svr": low, "physiology": Quality("one", 0.5, dice=dice)}, absent=())

    assert suite.names == ["physiology", "svr", "consensus"]
    assert told.dice == pytest.approx(dice)
    assert set(told.interval.values()) == {(0.0, 1.0)}


def test_a_killed_command_goes_on_behind_its_phantoms(made, tmp_path, monkeypatch):
    def killed(*_arguments, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("qc.estimators.physiology.estimator.Physiology.fit", killed)
        with pytest.raises(KeyboardInterrupt):
            pretrain_suite(TINY, tmp_path / "a", Silent(), command="")
    stages = []

    class Told(Silent):
        def stage(self, name, found):
            stages.append((name, found))

    again = pretrain_suite(TINY, tmp_path / "a", Told(), command="")
    assert stages[:2] == [("phantoms", True), ("graded", True)]
    assert again.sha256 == SuiteCard.read(made / "short-axis" / CARD).sha256


def test_a_command_killed_while_it_tidied_up_ends_as_done(made, tmp_path):
    suite = tmp_path / "short-axis"
    shutil.copytree(made / "short-axis", suite)
    (tmp_path / "short-axis.unfinished" / "stages").mkdir(parents=True)
    command = SuiteCard.read(suite / CARD).command

    with pytest.raises(FileExistsError, match="not empty"):
        pretrain_suite(TINY, suite, Silent(), command="another")
    card = pretrain_suite(TINY, suite, Silent(), command=command)

    assert card.sha256 == suite_digest(Suite.load(suite), suite)
    assert [path.name for path in tmp_path.iterdir()] == ["short-axis"]


def test_what_is_there_is_kept(tmp_path):
    (tmp_path / "mine.txt").touch()

    with pytest.raises(FileExistsError, match="not empty"):
        pretrain_suite(TINY, tmp_path, Silent(), command="")


def test_options_of_the_command_are_settings(tiny, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(
        "semiqc.suites.pretraining.pretrain_suite",
        lambda settings, output, monitor, command: (
            told.append((settings, command)) or SuiteCard.read(suite_folder("phantom") / CARD)
        ),
    )
    options = ["--phantoms", "7", "--estimators", "svr", "--set", "svr.folds=3", "--seed", "2"]

    assert main(["qc", "pretrain", "-o", str(tmp_path / "s"), *options]) == 0
    [(settings, command)] = told
    assert (settings.phantoms, settings.estimators, settings.seed) == (7, ("svr",), 2)
    assert settings.changes[-1] == "svr.folds=3"
    assert command == (
        "semiqc qc pretrain --phantoms 7 --seed 2 --estimators svr --set svr.folds=3 -o s"
    )


@pytest.fixture
def files(tmp_path):
    for folder in ("images", "segmentations"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    labels = np.zeros((32, 32, 2), np.uint8)
    labels[10:20, 10:20], labels[12:18, 12:18], labels[4:9, 10:18] = 2, 3, 1
    affine = np.diag([6.0, 6, 9, 1])
    image = rng.random(labels.shape, dtype=np.float32) + labels
    nibabel.save(nibabel.Nifti1Image(image, affine), tmp_path / "images" / "a.nii.gz")
    nibabel.save(nibabel.Nifti1Image(labels, affine), tmp_path / "segmentations" / "a.nii.gz")


@pytest.mark.parametrize(
    "named",
    [
        ["--suite", "phantom", "images", "segmentations"],
        ["phantom", "images", "segmentations"],
        ["images", "segmentations", "--suite", "phantom:short-axis"],
    ],
)
def test_files_are_scored_by_the_suite_that_is_shipped(tiny, files, tmp_path, named):
    assert main(["score", *named, "-o", "out"]) == 0
    found = json.loads((tmp_path / "out" / "quality.json").read_text())
    assert [one["study"] for one in found["studies"]] == ["a"]


@pytest.mark.parametrize("named", [["images", "segmentations"], ["--suite", "p", "a", "b", "c"]])
def test_a_suite_too_few_or_too_many_is_told_in_one_line(tiny, named, capsys):
    assert main(["score", *named, "-o", "out"]) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "expected a suite, images and segmentations" in line


def test_a_folder_of_that_name_is_itself(tiny, tmp_path):
    (tmp_path / "phantom").mkdir()

    with pytest.raises(ValueError, match="phantom: holds no suite"):
        Suite.load("phantom")


def test_a_scheme_without_a_suite_names_those_that_have_one(tiny):
    with pytest.raises(
        ValueError, match=r"'aorta' \(there is one for short-axis\); make one with"
    ):
        suite_folder("phantom:aorta")


@pytest.fixture
def own(tiny, tmp_path):
    """A user's studies and their graded segmentations."""
    write_phantoms(tmp_path / "a.h5", studies=2, size=32, slices=2, frames=2, pixel_mm=6)
    store = Store(tmp_path / "a.h5")
    names = [study.name for study in store]
    grade_held_out(
        store, tmp_path / "graded.h5", {"seggen": SegGen(times=1)}, names[:1], names[1:]
    )
    return store


def test_a_users_own_phantoms_are_strangers(own):
    assert not any(Suite.load("phantom").training.has_seen(study) for study in own)
    assert main(["qc", "evaluate", "phantom", "graded.h5"]) == 0


def bias_of(suite, store):
    """Of the consensus, over what a user has graded."""
    graded = GradedSet(Path("graded.h5"), store)
    told = [suite.panel.judge("consensus", one.prediction).score for one in graded]
    return np.mean(told - graded.mean_dice)


def test_a_suite_is_calibrated_by_a_few_subjects(tiny, own, capsys):
    assert main(["qc", "calibrate", "phantom", "graded.h5", "-o", "mine"]) == 0
    shipped, mine = Suite.load("phantom"), Suite.load("mine")

    assert mine.names == shipped.names
    assert not damages(Path("mine"))
    [seen] = [study for study in own if mine.training.has_seen(study)]
    assert mine.training.weighing == (seen.name,)
    assert abs(bias_of(mine, own)) < 0.7 * abs(bias_of(shipped, own))
    assert main(["qc", "evaluate", "mine", "graded.h5"]) == 2
    assert "the suite learned from all 1 studies" in capsys.readouterr().err
    assert main(["qc", "calibrate", "phantom", "graded.h5", "-o", "mine"]) == 2
    assert "mine: holds a suite already" in capsys.readouterr().err


def test_a_suite_of_other_pixels_does_not_judge_what_the_shipped_weights_segment(tiny):
    assert find_learned(Path("phantom"), "").panel.names == []


def test_a_settings_file_may_name_it(tmp_path):
    (tmp_path / "settings.yaml").write_text("data: a.h5\nqc: {suite: phantom}\n")
    settings = with_whole_paths(read_settings(tmp_path / "settings.yaml"))

    assert str(settings.qc.suite) == "phantom"


def shipped_suites():
    return sorted(path.parent for path in shipped.FOLDER.glob(f"*/{CARD}"))


@pytest.mark.parametrize("folder", shipped_suites(), ids=lambda path: path.name)
def test_shipped_suites_are_whole_small_and_of_phantoms_alone(folder):
    suite, card = Suite.load(folder), SuiteCard.read(folder / CARD)

    assert not damages(folder)
    assert card.sha256 == suite_digest(suite, folder)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LARGEST_BYTES
    assert all(name.startswith("phantom-") for name in suite.training.names)
    assert suite.training.spacing_mm == card_of(card.scheme).spacing_mm
    assert card.command.startswith("semiqc qc pretrain")
    assert {path.suffix for path in folder.iterdir()} == {".json", ".safetensors"}
    assert (folder / SUITE).exists()
    assert find_learned(Path(f"phantom:{folder.name}"), "").panel.names == suite.names
