"""How the processes of the command and its workers end, whenever Ctrl-C comes."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, os, signal, sys, types

signal.signal(signal.SIGINT, signal.{handler})

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

class Last:
    def __del__(self, kill=os.kill, number=os.getpid(), interrupt=signal.SIGINT):
        kill(number, interrupt)

def main():
    {does}
    return 3

sys.modules["semiqc.cli"] = types.SimpleNamespace(main=main)
from semiqc.__main__ import program
program()
"""


def ended(does, handler="default_int_handler"):
    """Exit code and what was written on standard error of a process whose command does this."""
    program = PROGRAM.format(does=does, handler=handler)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("does", "expected"),
    [
        ("pass", (3, "")),
        ("interrupt()", (130, "semiqc: interrupted\n")),
        ("atexit.register(interrupt)", (3, "")),
        ("sys.last = Last()", (3, "")),
    ],
    ids=["never", "before the end", "at the end", "when Python has ended"],
)
def test_an_interrupt_leaves_one_line_at_most_and_an_exit_code(does, expected):
    assert ended(does) == expected


def test_what_runs_in_the_background_is_not_interrupted():
    does = "interrupt(); atexit.register(print, 'the end', file=sys.stderr)"

    assert ended(f"{does}; atexit.register(interrupt)", "SIG_IGN") == (3, "the end\n")


def test_a_worker_that_is_interrupted_ends_without_a_traceback():
    worker = """
from semiqc.work.engines.working import as_worker

def work(given, number):
    raise KeyboardInterrupt

as_worker(work)
"""
    with subprocess.Popen(
        [sys.executable, "-c", worker, "0", "1"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stderr
        # A worker ends with its input.
        process.stdin.write("given\n")
        process.stdin.flush()
        assert (process.wait(timeout=60), process.stderr.read()) == (130, "")
