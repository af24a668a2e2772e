"""Workers on one machine and in a Ray cluster make the same, whichever of them is killed."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from engine_work import COUNT, MADE

from semiqc.work.engines.base import Program
from semiqc.work.engines.processes import Processes
from semiqc.work.engines.registry import engine_of
from semiqc.work.engines.side import Side, side_by_side
from semiqc.work.engines.working import work_side_by_side
from semiqc.work.monitor import Silent
from semiqc.work.sharing import LOCKS, held_for_all, refuse_unless_held

WORKER, TASK = 1, 2
"""Columns of the log: process of a worker, and what began it."""


def work(engine, folder, workers=2):
    """What workers left, and what was noted of them."""
    said = []
    programs = [
        Program("engine_work", (str(n),), str(folder), 1, folder / f"said-{n}.log")
        for n in range(workers)
    ]
    heard = []
    work_side_by_side(engine, programs, said.append, lambda number, line: heard.append(line))
    assert {f"{index}\n" for index in range(COUNT)} <= set(heard)
    return {path.name: path.read_text() for path in folder.glob("*.txt")}, said


def kill_first(folder, column):
    """Kill what made the first stage, or what began it, in the middle of it."""
    log = folder / MADE
    while not log.exists() or not log.read_text().endswith("\n"):
        time.sleep(0.01)
    os.kill(int(log.read_text().split()[column]), signal.SIGKILL)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    here = Path(__file__).parent
    monkeypatch.setenv("PYTHONPATH", f"{here}:{here.parent}:{os.environ.get('PYTHONPATH', '')}")


WHOLE = {f"{index}.txt": str(index**2) for index in range(COUNT)}


def test_processes_make_everything_though_one_is_killed(tmp_path):
    killer = threading.Thread(target=kill_first, args=(tmp_path, WORKER))
    killer.start()
    with held_for_all(tmp_path):
        made, said = work(Processes(), tmp_path)
    killer.join()

    assert made == WHOLE
    assert len(said) == 1
    assert "ended early (-9); the others go on" in said[0]


def test_a_folder_whose_locks_do_not_reach_a_worker_is_refused(tmp_path):
    with held_for_all(tmp_path / "elsewhere"):
        refuse_unless_held(tmp_path / "elsewhere")
        with pytest.raises(ValueError, match="expected a folder that all machines share"):
            refuse_unless_held(tmp_path)


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("slurm", None, "expected one of processes, ray"),
        ("processes", "auto", "only --engine ray has one"),
    ],
)
def test_an_engine_that_is_none_is_refused(name, address, said):
    with pytest.raises(ValueError, match=said):
        engine_of(name, address)


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(ValueError, match=r"semiqc\[ray\]"):
        engine_of("ray")


def test_a_ray_cluster_makes_everything_though_a_task_is_killed(tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'semiqc[ray]'")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    engine = engine_of("ray")
    killer = threading.Thread(target=kill_first, args=(tmp_path, TASK))
    killer.start()
    try:
        with held_for_all(tmp_path):
            made, said = work(engine, tmp_path)
    finally:
        slots, threads = engine.slots, engine.threads(2)
        engine.close()
    killer.join()

    assert made == WHOLE
    assert said == []
    assert (slots, threads) == (2, 1)


@pytest.mark.parametrize(
    ("count", "visible", "given"),
    [(0, None, [None] * 3), (1, None, [None] * 3), (2, None, ["0", "1", "0"]),
     (2, "5,7", ["5", "7", "5"])],
)  # fmt: skip
def test_each_worker_has_a_gpu_of_its_own(monkeypatch, count, visible, given):
    begun = []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    monkeypatch.setattr(
        "semiqc.work.engines.processes.start", lambda program, **more: begun.append(more)
    )
    engine = Processes()
    for _ in given:
        engine.begin(Program("m", (), "", 1, Path("said")))

    assert [one.get("CUDA_VISIBLE_DEVICES") for one in begun] == given


@pytest.mark.parametrize(("gigabytes", "slots"), [(1, 1), (7, 3), (64, 8)])
def test_there_are_as_many_workers_as_cores_where_there_is_memory(monkeypatch, gigabytes, slots):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setattr("semiqc.work.engines.processes.cores", lambda: 8)
    monkeypatch.setattr("semiqc.work.engines.processes.memory", lambda: gigabytes << 30)

    assert Processes().slots == slots


def test_where_there_are_no_locks_no_worker_begins(tmp_path, monkeypatch):
    def refuse(*_):
        raise NotImplementedError("does not appear to support flock")

    told = Silent()
    told.note = said = [].append
    monkeypatch.setattr("semiqc.work.sharing.FileLock.acquire", refuse)
    side_by_side("nothing", "", tmp_path, Side(2), most=2, monitor=told)

    assert "no locks (flock) there" in said.__self__[-1]
    assert not (tmp_path / LOCKS).exists()
