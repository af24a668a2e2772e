"""A worker that makes six small stages, for tests of engines; knows nothing of segmentation."""

import os
import sys
import time
from functools import partial
from pathlib import Path

from semiqc.work.engines.working import given_line
from semiqc.work.sharing import Worker, refuse_unless_held

COUNT = 6
MADE = "made.log"


def make(worker, folder, index):
    with worker.claim(f"stage-{index}"):
        target = folder / f"{index}.txt"
        if target.exists():
            return
        with (folder / MADE).open("a") as log:
            log.write(f"{index} {os.getpid()} {os.getppid()}\n")
        print(index, flush=True)
        time.sleep(0.2)
        target.write_text(f"{index**2}")


def main():
    folder = Path(given_line())
    refuse_unless_held(folder)
    worker = Worker(folder, int(sys.argv[1]), poll=0.02)
    worker.each([partial(make, worker, folder, index) for index in range(COUNT)])


if __name__ == "__main__":
    main()
