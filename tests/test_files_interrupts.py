"""An interrupt that Python ignores, because it fell where something is cleaned up."""

import os
import signal
import sys
import time
import weakref
from contextlib import suppress

import h5py
import pytest

from semiqc.cli.app import main
from semiqc.files.atomic import whole_file, whole_folder
from semiqc.files.interrupts import heard as listening
from semiqc.files.sink import hdf5_written
from semiqc.work.stages import RunFolder

LONG_S = 20


class Cleaned:
    """Calls a function where it is cleaned up."""

    def __init__(self, called):
        self.called = called

    def __del__(self):
        self.called()


def interrupt():
    raise KeyboardInterrupt


def ignored_while_writing(path):
    with whole_file(path) as part, hdf5_written(part) as file:
        file["x"] = [1, 2]
        Cleaned(interrupt)
        file["y"] = [3]


def swallowed():
    """An interrupt of which a library makes an error of its own."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise ValueError("a.safetensors: not a readable safetensors file") from None


def goes_on():
    """Goes on after an error, as a batch does behind a study that cannot be read."""
    with suppress(ValueError):
        swallowed()


def wait():
    """Wait as a command does that did not hear of the interrupt."""
    end = time.monotonic() + LONG_S
    while time.monotonic() < end:
        time.sleep(LONG_S / 100)


def wait_interrupted():
    with listening():
        signal.raise_signal(signal.SIGINT)
        wait()


def test_a_file_in_which_an_interrupt_was_ignored_takes_no_place(tmp_path):
    path = tmp_path / "a.h5"

    with pytest.raises(KeyboardInterrupt):
        ignored_while_writing(path)
    assert list(tmp_path.iterdir()) == []

    with whole_file(path) as part, hdf5_written(part) as file:
        file["x"] = [1, 2]
    with h5py.File(path) as file:
        assert list(file["x"]) == [1, 2]


def test_hdf5_does_not_hear_of_an_interrupt_while_it_writes(tmp_path, monkeypatch):
    path, put = tmp_path / "a.h5", os.pwrite

    def interrupted_put(*given):
        monkeypatch.setattr(os, "pwrite", put)
        signal.raise_signal(signal.SIGINT)
        return put(*given)

    def write():
        with hdf5_written(path) as file:
            file["x"] = range(10000)
            monkeypatch.setattr(os, "pwrite", interrupted_put)

    with pytest.raises(KeyboardInterrupt):
        write()
    assert os.pwrite is put
    with h5py.File(path) as file:
        assert list(file["x"][-2:]) == [9998, 9999]


def test_other_ignored_exceptions_are_told_as_before(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", lambda one: told.append(one.exc_type))

    with listening(), hdf5_written(tmp_path / "a.h5") as file:
        file["x"] = [1]
        Cleaned(lambda: 1 / 0)

    assert told == [ZeroDivisionError]


def test_an_ignored_interrupt_is_sent_again_until_it_is_heard():
    heard = []

    def ignored_twice(*_):
        heard.append(time.monotonic())
        if len(heard) > 2:
            raise KeyboardInterrupt
        Cleaned(interrupt)

    before = signal.signal(signal.SIGINT, ignored_twice)
    try:
        with pytest.raises(KeyboardInterrupt):
            wait_interrupted()
    finally:
        signal.signal(signal.SIGINT, before)

    assert len(heard) == 3
    assert heard[-1] - heard[0] < LONG_S / 2


def test_a_command_ends_whose_interrupt_fell_into_a_clean_up(monkeypatch, capsys):
    class Held:
        pass

    def study_in_vain(*_):
        held = Held()
        weak = weakref.ref(held, lambda _: interrupt())
        del held
        assert weak() is None
        wait()

    monkeypatch.setattr("rich.console.Console.print", study_in_vain)

    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "semiqc: interrupted\n"


def test_what_ended_in_time_is_not_interrupted_later():
    with listening():
        Cleaned(interrupt)

    time.sleep(0.1)


def test_an_error_that_a_library_made_of_an_interrupt_is_no_mistake(monkeypatch, capsys):
    monkeypatch.setattr("rich.console.Console.print", lambda *_, **__: swallowed())

    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "semiqc: interrupted\n"


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_nothing_takes_its_place_after_an_interrupt_that_a_library_swallowed(tmp_path, whole):
    def written(path, called):
        with listening(), whole(path) as part:
            (part / "file" if part.is_dir() else part).write_text("half")
            called()

    with pytest.raises(KeyboardInterrupt):
        written(tmp_path / "a", goes_on)
    assert list(tmp_path.iterdir()) == []

    written(tmp_path / "a", lambda: None)
    assert (tmp_path / "a").exists()


def test_a_stage_that_seems_damaged_after_an_interrupt_stays(tmp_path):
    folder = RunFolder(tmp_path)
    stage = folder.stage("train", {}, lambda unfinished: (unfinished / "weights").touch())
    (stage.folder / "weights").unlink()

    def found():
        with listening():
            goes_on()
            folder.stage("train", {}, lambda _: None)

    with pytest.raises(KeyboardInterrupt):
        found()
    assert stage.folder.exists()


def test_an_interrupt_counts_until_the_command_ends(tmp_path):
    with pytest.raises(ValueError, match="safetensors"), listening():
        swallowed()

    with listening(), whole_file(tmp_path / "a") as part:
        part.touch()
    assert (tmp_path / "a").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
