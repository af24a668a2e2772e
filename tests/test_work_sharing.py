"""Several processes in one run folder: each stage is made once, and a dead worker's by another."""

import threading
import time
from functools import partial

import pytest
from filelock import FileLock

from semiqc.work.sharing import LOCKS, Alone, Busy, Worker
from semiqc.work.stages import RunFolder


def folder_of(tmp_path, number=0):
    return RunFolder(tmp_path, sharing=Worker(tmp_path, number, poll=0.01))


def lock_of(tmp_path, folder, name):
    """The lock of a stage, as another worker has it."""
    key = RunFolder(tmp_path / "elsewhere").stage(name, {}, lambda f: None).folder.name
    (folder / LOCKS).mkdir(exist_ok=True)
    return FileLock(folder / LOCKS / f"{key}.lock")


def makes(folder, made, name, wait=0.0):
    def make(unfinished):
        time.sleep(wait)
        made.append(name)
        (unfinished / "result").write_text(name)

    return folder.stage(name, {}, make).folder.name


def test_two_workers_make_each_stage_once_and_both_get_all(tmp_path):
    made, got = [], {}

    def work(number):
        folder = folder_of(tmp_path, number)
        names = "abcdef"
        got[number] = folder.each([partial(makes, folder, made, n, 0.02) for n in names])

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(made) == list("abcdef")
    assert got[0] == got[3]
    assert [name[0] for name in got[0]] == list("abcdef")


def test_a_worker_turns_to_what_nobody_makes(tmp_path):
    made = []
    folder = folder_of(tmp_path)
    with lock_of(tmp_path, tmp_path, "a"):
        release = threading.Timer(0.2, lambda: None)
        release.start()
        thread = threading.Thread(
            target=folder.each, args=([partial(makes, folder, made, n) for n in "ab"],)
        )
        thread.start()
        release.join()
        assert made == ["b"]
    thread.join(10)

    assert made == ["b", "a"]


def test_nested_tasks_leave_for_other_tasks(tmp_path):
    made = []
    folder = folder_of(tmp_path)

    def first():
        return folder.each([partial(makes, folder, made, "a")])

    with lock_of(tmp_path, tmp_path, "a"):
        thread = threading.Thread(
            target=folder.each, args=([first, partial(makes, folder, made, "b")],)
        )
        thread.start()
        time.sleep(0.2)
        assert made == ["b"]
    thread.join(10)

    assert made == ["b", "a"]


def test_outside_of_tasks_a_worker_waits(tmp_path):
    made = []
    folder = folder_of(tmp_path)
    with lock_of(tmp_path, tmp_path, "a"):
        thread = threading.Thread(target=makes, args=(folder, made, "a"))
        thread.start()
        time.sleep(0.1)
        assert not made
    thread.join(10)

    assert made == ["a"]


def test_what_fails_in_a_task_is_raised_and_its_stage_is_free(tmp_path):
    folder, other, made = folder_of(tmp_path), folder_of(tmp_path, 1), []

    def fail(unfinished):
        raise ValueError("no such study")

    with pytest.raises(ValueError, match="no such study"):
        folder.each([lambda: folder.stage("a", {}, fail)])

    assert other.each([partial(makes, other, made, "a")])
    assert made == ["a"]


def test_busy_names_the_stage():
    assert "train" in str(Busy(FileLock("locks/train-1.lock")))


def test_a_process_alone_does_everything_in_its_order():
    done = []
    tasks = [partial(done.append, "a"), lambda: "second", partial(done.append, "b")]

    assert Alone().each(tasks) == [None, "second", None]
    assert done == ["a", "b"]
