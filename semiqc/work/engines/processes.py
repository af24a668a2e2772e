"""Workers as processes of this machine."""

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass

from semiqc.work.engines.base import MEMORY, Program
from semiqc.work.machine import cores, memory


def start(program: Program, **environment: str) -> subprocess.Popen[str]:
    """Start a program with a line on its input, which stays open; it ends with this process.

    Args:
        program: To start.
        environment: Variables beside those of this process.
    """
    with program.said.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", program.module, *program.arguments],
            stdin=subprocess.PIPE,
            stdout=said,
            # Ctrl-C is for the process that began it, which then ends it.
            start_new_session=True,
            text=True,
            encoding="utf-8",
            env=os.environ | {"OMP_NUM_THREADS": str(program.threads)} | environment,
        )
    assert process.stdin
    process.stdin.write(program.given + "\n")
    process.stdin.flush()
    return process


@dataclass
class Process:
    """A worker on this machine."""

    process: subprocess.Popen[str]

    def code(self) -> int | None:
        return self.process.poll()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdin:
            with suppress(OSError):
                self.process.stdin.close()


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


class Processes:
    """This machine."""

    def __init__(self) -> None:
        self._begun = 0

    @property
    def slots(self) -> int:
        return _gpus() or max(1, min(cores(), (memory() or sys.maxsize) // MEMORY))

    def threads(self, jobs: int) -> int:
        return max(1, cores() // jobs)

    def begin(self, program: Program) -> Process:
        gpus = _gpus()
        named = os.environ.get("CUDA_VISIBLE_DEVICES") or ",".join(map(str, range(gpus)))
        # Left to itself, each worker would take the first of them.
        own = {"CUDA_VISIBLE_DEVICES": named.split(",")[self._begun % gpus]} if gpus > 1 else {}
        self._begun += 1
        return Process(start(program, **own))

    def close(self) -> None:
        pass
