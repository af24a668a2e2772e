"""The benchmark of few labels: who is labelled, what is run, and what its tables say."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_settings import KEPT, TINY

ROOT = Path(__file__).parents[1]
SPLITS = ROOT / "examples" / "acdc_few_labels"
sys.path.insert(0, str(ROOT))

from benchmarks.few_labels import arms, fitting, queue, work  # noqa: E402
from benchmarks.few_labels.arms import GROUPS, VARIANTS, Arm, arms_of, refuse_unknown  # noqa: E402
from benchmarks.few_labels.split import read, roles  # noqa: E402
from benchmarks.few_labels.table import ArmRow, write_tables  # noqa: E402
from semiqc.experiment import read_settings  # noqa: E402
from semiqc.files.rows import read_rows, write_rows  # noqa: E402
from semiqc.files.store.reader import Store  # noqa: E402
from semiqc.files.tables import OverlapRow  # noqa: E402
from semiqc.phantom import write_phantoms  # noqa: E402


def labelled(found):
    return {name for name, role in found.items() if role == "labelled"}


def test_the_splits_of_the_examples_are_those_of_the_benchmark():
    standard = read(SPLITS / "3.csv")

    for name, count, draw in (("7", 7, 0), ("3_draw1", 3, 1), ("3_draw2", 3, 2)):
        found = read(SPLITS / f"{name}.csv")
        assert list(found.items()) == list(roles(standard, count, draw).items())
        assert len(labelled(found)) == count
        assert {n for n, role in found.items() if role in ("test", "unused")} == {
            n for n, role in standard.items() if role in ("test", "unused")
        }
    assert labelled(standard) == {"patient099", "patient038", "patient050"}
    assert sorted(standard.values()).count("test") == 20
    assert "patient076" not in standard


def test_draws_share_no_labelled_patient():
    standard = read(SPLITS / "3.csv")
    draws = [labelled(roles(standard, 3, draw)) for draw in range(4)]

    assert len(set.union(*draws)) == 12
    with pytest.raises(ValueError, match="draw 40 of 3: only 69 patients to train on"):
        roles(standard, 3, 40)


def test_an_arm_is_named_in_short():
    assert Arm.of("bcp:phantom:7") == Arm("bcp", "phantom", 7)
    arm = Arm.of("supervised:scratch:3:1:2:residual")
    assert (arm.draw, arm.seed, arm.variant) == (1, 2, "residual")
    assert Arm.of(str(arm)) == arm
    for text in ("bcp", "bcp:phantom", "bcp:phantom:x", "bcp:phantom:0", "a:b:1:2:3:d:e"):
        with pytest.raises(ValueError, match="expected LOOP:START:LABELLED"):
            Arm.of(text)


def test_steps_are_shared_out_to_the_first_training_and_the_loops_own():
    shares = {loop: arms.LOOPS[loop].steps(400) for loop in ("supervised", "offline", "bcp")}

    assert shares == {
        "supervised": ["training.steps=400"],
        "offline": ["training.steps=200"],
        "bcp": ["training.steps=100", "online.steps=300"],
    }


def test_groups_and_arms_are_taken_once():
    found = arms_of(["supervised", "supervised:phantom:3", "bcp:phantom:3"])

    assert found == [*GROUPS["supervised"], Arm("bcp", "phantom", 3)]


def test_what_this_version_does_not_know_is_refused_in_one_line():
    known = {"few": None, "bcp": None}
    refuse_unknown([Arm("bcp", "scratch", 3), Arm("offline", "scratch", 3)], known)

    with pytest.raises(ValueError, match="no loop 'cps' here; there are supervised, offline, bcp"):
        refuse_unknown([Arm("cps", "scratch", 3)], known)
    with pytest.raises(ValueError, match="no variant 'residul'; there are default, residual"):
        refuse_unknown([Arm("bcp", "scratch", 3, variant="residul")], known)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_changes_settings_that_there_are(variant):
    plain = read_settings(work.SETTINGS, Arm("supervised", "scratch", 3).changes())
    arm = Arm("supervised", "scratch", 3, variant=variant)

    assert read_settings(work.SETTINGS, arm.changes()) != plain


def left(output, arm, dice, *, hd95_mm=4.0, seconds=120.0):
    """What an arm leaves: Dice by patient, the same of all structures of both frames."""
    folder = output / "arms" / arm.name
    rows = [
        OverlapRow(arm.seed, "few", name, "", frame, part, {"dice": value, "hd95_mm": hd95_mm})
        for name, value in dice.items()
        for frame in (0, 1)
        for part in ("LV", "MYO", "RV")
    ]
    write_rows(folder / "overlap.csv", OverlapRow, rows)
    described = {
        "arm": str(arm), "changes": [], "steps": "9", "batch_size": 2, "device": "a card",
        "training_seconds": seconds, "all_seconds": 2 * seconds,
    }  # fmt: skip
    (folder / "arm.json").write_text(json.dumps(described))


CONTROL = Arm("supervised", "scratch", 3)


def test_the_table_has_a_row_for_each_arm(tmp_path):
    left(tmp_path, CONTROL, {"a": 0.8, "b": 0.6, "c": 0.0}, hd95_mm=12.0)
    write_tables(tmp_path, None, "")

    [row] = read_rows(tmp_path / "table.csv", ArmRow)
    assert row.dice == pytest.approx(1.4 / 3)
    assert row.of_structure["LV"] == pytest.approx(1.4 / 3)
    assert (row.patients, row.missed, row.hd95_mm, row.training_minutes) == (3, 6, 12, 2)


def test_the_page_compares_with_the_supervised_training_and_with_what_is_published(tmp_path):
    dice = {name: 0.7 + 0.01 * number for number, name in enumerate("abcdefgh")}
    left(tmp_path, CONTROL, dice)
    better = {name: value + 0.02 for name, value in dice.items()}
    left(tmp_path, Arm("bcp", "scratch", 3), better)
    left(tmp_path, Arm("bcp", "phantom", 3, seed=1), better)
    left(tmp_path, Arm("supervised", "scratch", 3, variant="residual"), better)
    write_tables(tmp_path, tmp_path / "page.md", "the /a/b/command docs/c --arms bcp:/d/e:3")

    page = (tmp_path / "page.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| bcp | scratch")]
    assert "| 0.755 (0.024) |" in lines[0]
    assert "| +0.020 (+0.020 to +0.020) |" in lines[0]
    assert "Written by `the command docs/c --arms bcp:e:3`" in page
    assert "BCP, best checkpoint 0.876: -0.121" in page
    assert "3 labelled patients: one change of the recipe at a time" in page
    assert "| supervised | scratch | residual | 9 | 1 |" in page


def test_several_seeds_are_one_row(tmp_path):
    for seed, dice in enumerate((0.70, 0.74, 0.78)):
        left(tmp_path, Arm("bcp", "scratch", 3, seed=seed), {"a": dice, "b": dice + 0.1})
    write_tables(tmp_path, tmp_path / "page.md", "")

    [line] = [one for one in (tmp_path / "page.md").read_text().splitlines() if "bcp |" in one]
    assert "| 3 (0.750, 0.790, 0.830) | 0.790 (0.071) |" in line


@pytest.fixture
def queued(tmp_path, monkeypatch):
    """A queue whose processes note when they begin and end; those named bad fail."""
    log = tmp_path / "log"

    def process(self, arm):
        code = (
            f"import time; f = open({str(log)!r}, 'a')"
            f"; print('+', {arm.cell!r}, file=f, flush=True)"
            f"; time.sleep({30 if arm.start == 'long' else 0.3})"
            f"; print('-', {arm.cell!r}, file=f); raise SystemExit({arm.start == 'bad'})"
        )
        return subprocess.Popen([sys.executable, "-c", code])

    def made(*arms, minutes=1.0, **options):
        monkeypatch.setattr(queue.Queue, "_process", process)
        monkeypatch.setattr(queue, "PAUSE", 0.05)
        ends = time.monotonic() + 60 * minutes
        how = queue.How(tmp_path / "s.h5", tmp_path, 2, ends, **options)
        found = queue.Queue(how, arms, lambda arm: [])
        for arm in arms:
            file = queue.log_file(tmp_path, arm)
            file.parent.mkdir(exist_ok=True)
            file.write_text("first\nwhat went wrong\n")
        found.work()
        return found, [tuple(line.split()) for line in log.read_text().splitlines()]

    return made


def test_arms_of_one_run_folder_wait_for_each_other(queued):
    alike = [Arm(loop, "scratch", 3) for loop in ("supervised", "bcp")]
    other = Arm("supervised", "phantom", 3)
    _, said = queued(*alike, other)

    assert len(said) == 6
    own = [what for what, cell in said if cell == alike[0].cell]
    assert own == ["+", "-", "+", "-"]
    # The other run folder's did not wait.
    assert said.index(("+", other.cell)) < said.index(("-", alike[0].cell))


def test_arms_with_run_folders_of_their_own_do_not_wait(queued):
    _, said = queued(Arm("supervised", "a", 3), Arm("bcp", "a", 3), is_apart=True)

    assert [what for what, _ in said] == ["+", "+", "-", "-"]


def test_an_arm_that_fails_is_told_and_the_rest_is_run(queued, capsys):
    found, said = queued(Arm("supervised", "bad", 3), Arm("bcp", "bad", 3), CONTROL)

    assert [arm.loop for arm in found.failed] == ["supervised", "bcp"]
    assert ("-", CONTROL.cell) in said
    assert "failed supervised:bad:3:0:0:default: what went wrong" in capsys.readouterr().out


def test_when_time_is_up_what_runs_is_ended(queued, capsys):
    arms = [Arm("supervised", "long", 3), Arm("bcp", "long", 3)]
    _, said = queued(*arms, minutes=0.02)

    assert [what for what, _ in said] == ["+"]
    assert "time is up: 1 arms cut off, 1 not begun" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
@pytest.mark.slow
def test_an_arm_is_run_and_measured_and_not_run_again(tmp_path, monkeypatch):
    write_phantoms(tmp_path / "s.h5", studies=8, size=32, slices=3, frames=2)
    names = Store(tmp_path / "s.h5").names
    parts = ["labelled"] * 2 + ["unlabelled"] * 4 + ["test"] * 2
    lines = ["study,role", *(f"{name},{role}" for name, role in zip(names, parts, strict=True))]
    lines.append("left out,unused")
    (tmp_path / "split.csv").write_text("\n".join(lines))
    monkeypatch.setattr(work, "STANDARD", tmp_path / "split.csv")
    tiny = [one for one in (*TINY, KEPT) if one.startswith(("segmenter", "training"))]
    tiny += ["training.ema=0.9", "online.steps=5", "online.batch_size=4"]
    found = {loop: Arm(loop, "scratch", 2) for loop in ("supervised", "offline", "bcp")}
    for arm in found.values():
        work.work(tmp_path / "s.h5", tmp_path / "out", arm, tiny)

    for loop, scenario in (("supervised", "few"), ("offline", "gate-all"), ("bcp", "bcp")):
        arm = found[loop]
        folder = tmp_path / "out" / "arms" / arm.name
        rows = read_rows(folder / "overlap.csv", OverlapRow)
        assert {row.scenario for row in rows} == {scenario}
        assert {row.study for row in rows} == set(names[6:])
        assert queue.is_done(tmp_path / "out", arm, tiny)
        assert not queue.is_done(tmp_path / "out", arm, [*tiny, "training.steps=13"])
    work.probe(
        tmp_path / "s.h5", tmp_path / "probe", found["supervised"], [*tiny, "training.steps=25"]
    )
    rates = json.loads(
        (tmp_path / "probe" / "rates" / f"{found['supervised'].name}.json").read_text()
    )
    assert rates["step"] > 0
    assert not list(tmp_path.glob("probe/cells/*/stages/predict*"))
    times = json.loads((tmp_path / "out/seconds" / f"{arm.cell}.json").read_text())
    described = json.loads(
        (tmp_path / "out/arms" / found["offline"].name / "arm.json").read_text()
    )
    assert described["steps"] == "12+12"
    trained = times["train-few-seed0"] + times["train-gate-all-round-1-seed0"]
    assert described["training_seconds"] == pytest.approx(trained)
    with (tmp_path / "out" / "splits" / "2-draw0.csv").open() as file:
        assert [row["role"] for row in csv.DictReader(file)].count("unlabelled") == 4


@pytest.mark.parametrize(
    ("left", "expected"), [(10_000, 30_000), (200, 5_480), (80, 200), (1, 200)]
)
def test_as_many_steps_are_taken_as_fit(left, expected):
    # .93 of the time, less 75 s for the evaluation and 1.4 s for all else, at 20 ms a step.
    assert fitting.fitted_steps(0.02, 1.4, left, 30_000) == expected


def test_a_training_that_goes_on_adds_to_its_time(tmp_path):
    file = tmp_path / "seconds.json"
    file.write_text(json.dumps({"train-few-seed0": 100.0}))
    for first, expected in ((20, 100.0), (10, 0.0)):
        watch = work.Stopwatch(file, report_every=10)
        watch.stage("train-few-seed0", False)
        with watch.progress("few, seed 0", 30) as tick:
            tick(first, {})
        assert watch.seconds["train-few-seed0"] == pytest.approx(expected, abs=1.0)
