"""``semiqc predict`` and ``score`` leave the same with several workers, some of them killed."""

import io
from contextlib import suppress

import numpy as np
import pytest
from source_builders import FRAMES, heart, pixels, save
from test_predict_resumed import Command, page_in_short, unsuited
from test_scoring import Told, suite_of

from qc.suites.suite import Suite
from semiqc.experiment import new_studies, predict_worker, predicting
from semiqc.experiment.predict_asked import Asked as Predicting
from semiqc.schemes import SHORT_AXIS
from semiqc.scoring import score_images
from semiqc.scoring.score_asked import Asked as Scoring
from semiqc.scoring.score_worker import score_share
from semiqc.work import shares
from semiqc.work.engines.side import Side
from semiqc.work.events import Events
from semiqc.work.sharing import held_for_all

TWO = Side(2)


@pytest.fixture
def workers(monkeypatch):
    """In the place of processes: workers one after another, each killed at a study or none."""
    found = Workers()
    monkeypatch.setattr(shares, "side_by_side", found)
    return found


class Workers:
    def __init__(self):
        self.killed_at, self.then = (None,), None
        self.kill, self.modules, self.counted = None, [], 0

    def __call__(self, module, given, folder, side, *, most, monitor, on_done):
        self.modules.append(module)
        with held_for_all(folder):
            for number, study in enumerate(self.killed_at):
                self.kill(study)
                said = io.StringIO()
                with suppress(KeyboardInterrupt):
                    self.share(given, number, Events(said))
                self.counted += said.getvalue().count('"done"')
        self.kill(self.then)

    def share(self, given, number, events):
        raise NotImplementedError


@pytest.fixture
def command(tmp_path, monkeypatch, workers):
    monkeypatch.setattr("semiqc.scoring.page.write_page", page_in_short)
    found = Command(tmp_path, monkeypatch)
    monkeypatch.setattr(predict_worker, "find_learned", lambda *_: predicting.find_learned())
    workers.kill = lambda study: setattr(found.segmenter, "killed_at", study)
    workers.share = lambda given, *rest: predict_worker.predict_share(
        Predicting.of_line(given), *rest
    )
    return found


@pytest.mark.parametrize("killed", [(None,), ("c", None), ("a", "c"), ("c", "d")])
def test_studies_are_predicted_once_and_alike_whoever_is_killed(command, workers, killed):
    expected, found = command.unbroken(), command(command.folder / "serial")
    workers.killed_at = killed

    assert command(side=TWO) == found
    assert command.written() == expected
    assert sorted(set(command.segmenter.asked)) == ["a", "b", "c", "d"]
    assert len(command.segmenter.asked) == 4 + len([one for one in killed if one])
    assert workers.modules == [predicting.WORKER]


def test_what_cannot_be_predicted_is_left_out_alike(command, workers):
    suited = new_studies.suited

    def but_for_b(study, *rest):
        return (unsuited if study.name == "b" else suited)(study, *rest)

    command.patch.setattr(new_studies, "suited", but_for_b)
    expected, found = command.unbroken(), command(command.folder / "serial")

    assert command(side=TWO) == found
    assert command.written() == expected
    assert [name for name, _ in found.left_out] == ["b"]
    assert workers.counted == 4


def test_a_command_with_workers_goes_on_where_it_stood(command, workers):
    expected = command.unbroken()
    workers.killed_at, workers.then = ("c",), "d"
    command.killed(side=TWO)
    workers.killed_at, workers.then = (None,), None
    command(side=TWO)

    assert command.segmenter.asked == ["d"]
    assert command.written() == expected
    assert not command.told.notes


class Mortal(Told):
    """Judges by name; killed at a study."""

    killed_at = None

    def predict(self, predictions):
        if predictions[0].study == type(self).killed_at:
            raise KeyboardInterrupt
        return super().predict(predictions)


def page_of_all(report, worst, path):
    shown = [worst.get(one.study).film for one in report.studies]
    path.write_text(f"{[report.whole(one) for one in report.studies]} {shown}")


def scored_by(suite):
    def share(given, *rest):
        asked, named, folder = Scoring.of_line(given)
        assert str(named) == "suite"
        score_share(asked, suite, folder, *rest)

    return share


@pytest.mark.parametrize(("killed", "counted"), [((None,), 3), (("b", None), 3), (("a", "c"), 1)])
def test_studies_are_scored_alike_whoever_is_killed(
    tmp_path, monkeypatch, workers, killed, counted
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("semiqc.scoring.page.write_page", page_of_all)
    monkeypatch.setattr("semiqc.scoring.worst.MOST_FILMED", 1)
    for seed, name in enumerate("abcd"):
        save(tmp_path / "i" / f"{name}.nii.gz", pixels(seed))
        if name != "d":
            save(tmp_path / "s" / f"{name}.nii.gz", np.stack([heart()] * FRAMES, axis=-1))
    dice = {"a": 0.9, "b": 1 / 3, "c": 0.4}
    told = Mortal(SHORT_AXIS, dice, slices=True, error=0.25, erroneous=("c",))
    suite = suite_of(one=told, other=Mortal(SHORT_AXIS, dice, refused=("a",)))
    monkeypatch.setattr(Suite, "load", lambda *_: suite)
    workers.killed_at = killed
    workers.kill = lambda study: setattr(Mortal, "killed_at", study)
    workers.share = scored_by(suite)
    reports = {
        name: score_images("suite", "i", "s", name, side=side)
        for name, side in {"serial": None, "shared": TWO}.items()
    }

    assert files(tmp_path / "shared") == files(tmp_path / "serial")
    assert {"slices.csv", "report.html", "error_maps/b_LV.nii.gz"} <= files(
        tmp_path / "shared"
    ).keys()
    assert [one.name for one in reports["shared"].left_out] == ["d", "a"]
    assert not any(q.slice_dice for s in reports["shared"].studies for q in s.qualities.values())
    assert workers.counted == counted


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*") if path.is_file()
    }  # fmt: skip


def test_a_suite_in_memory_is_for_one_process_alone(tmp_path):
    with pytest.raises(ValueError, match="only the folder of a suite"):
        score_images(suite_of(), tmp_path, tmp_path, tmp_path / "out", side=TWO)
