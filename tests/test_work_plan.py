import io
import json

from rich.console import Console

from semiqc.work.events import Events, tell
from semiqc.work.monitor import Silent, step
from semiqc.work.plan import Plan, duration
from semiqc.work.terminal import Terminal


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def log(clock, **how):
    """A monitor of a log, and what it wrote."""
    out = io.StringIO()
    return Terminal(Console(file=out, width=200, markup=False), clock=clock, **how), out


def test_the_rest_takes_as_long_as_what_was_done_tells():
    clock = Clock()
    plan = Plan({"a": 10, "b": 20, "c": 30}, clock)
    assert plan.seconds_left == 60

    plan.begin("a")
    clock.now = 20
    plan.end("a", is_made=True)

    pace = (20 + 6) / (10 + 6)
    assert plan.seconds_left == pace * (20 + 30)


def test_steps_that_were_done_before_tell_nothing_of_the_time():
    clock = Clock()
    plan = Plan({"a": 10, "b": 20}, clock)
    clock.now = 1
    plan.end("a", is_made=False)

    assert plan.seconds_left == 20


def test_a_step_is_begun_once_however_often_it_is_told():
    plan = Plan({"a": 1, "b": 1})

    assert plan.begin("b")
    assert not plan.begin("b")
    assert not plan.begin("of no plan")
    assert plan.place("b") == "2 of 2"


def test_durations_are_as_fine_as_anybody_needs():
    assert [duration(s) for s in (0.2, 40, 720, 12600)] == ["1 s", "40 s", "12 min", "3.5 h"]


def test_a_log_has_the_time_the_step_and_what_is_left():
    clock = Clock()
    monitor, out = log(clock)
    monitor.plan({"train": 60, "report": 60})
    with step(monitor, "train"):
        monitor.stage("train-few", False)
        clock.now = 120
    with step(monitor, "report"):
        pass
    first, stage, last = out.getvalue().splitlines()

    assert first[:4].isdigit()
    assert first.endswith("step 1 of 2: train (about 2 min left)")
    assert stage.endswith("  stage train-few")
    assert last.endswith("step 2 of 2: report (about 2 min left)")


def test_a_long_training_writes_a_line_a_minute_with_its_validation_dice():
    clock = Clock()
    monitor, out = log(clock)
    with monitor.progress("few, seed 0", 100) as tick:
        for second in range(0, 130, 10):
            clock.now = second
            tick(second // 2, {"dice_loss": 0.5, **({"validation_dice": 0.8} if second else {})})
    lines = out.getvalue().splitlines()

    assert len(lines) == 2
    said = "few, seed 0: 30 of 100, validation dice 0.800  dice loss 0.500, about 2 min left"
    assert lines[0].endswith(said)


def test_work_of_unknown_length_is_counted():
    clock = Clock()
    monitor, out = log(clock)
    with monitor.progress("predict", 0) as tick:
        clock.now = 70
        tick(6, {})

    assert out.getvalue().rstrip().endswith("predict: 6 done")


def test_a_note_is_told_once_however_many_processes_make_it():
    monitor, out = log(Clock())
    for message in ("left out: a", "left out: b", "left out: a"):
        monitor.note(message)

    assert [line[-1] for line in out.getvalue().splitlines()] == ["a", "b"]


def test_stages_that_were_found_are_told_on_demand():
    for is_verbose, count in ((False, 0), (True, 1)):
        monitor, out = log(Clock(), is_verbose=is_verbose)
        monitor.stage("train-few", True)
        assert len(out.getvalue().splitlines()) == count


def test_what_a_worker_did_is_told_by_who_began_it():
    class Told(Silent):
        def __init__(self):
            self.said = []

        def begin_step(self, name):
            self.said.append(("begin", name))

        def end_step(self, name, is_made=None):
            self.said.append(("end", name, is_made))

        def stage(self, name, found):
            self.said.append(("stage", name))

    out, told = io.StringIO(), Told()
    events = Events(out)
    with step(events, "few"):
        events.stage("train-few", False)
    with step(events, "random"):
        events.stage("train-random", True)
    print("a library says something", json.dumps([1]), file=out, sep="\n")
    for line in out.getvalue().splitlines():
        tell(line, told, "worker 1")

    assert told.said == [
        ("begin", "few"),
        ("stage", "train-few (worker 1)"),
        ("end", "few", True),
        ("begin", "random"),
        ("end", "random", False),
    ]
