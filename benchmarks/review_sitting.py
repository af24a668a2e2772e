r"""How long does a reader wait for the next film, and does memory stay as it was?

    python benchmarks/review_sitting.py cines.h5 --studies 40

Somebody sits before the page of `semiqc review` in Chromium and judges the labels of a store by
keyboard, a study every few seconds. Printed are the waits from the key to the next film on the
screen, as the page measures them; the processor time that all of Chromium and the server took
meanwhile, which does not depend on what else the machine does; and the memory of both every few
studies. Needs Linux, Chromium and Playwright.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

EVERY = 8
"""Studies from one look at the memory to the next."""

SHOWN = "performance.getEntriesByName('verdict to film')"
UNTIL = f"""count => new Promise(resolve => {{
  const look = () => {SHOWN}.length >= count ? resolve() : setTimeout(look, 5);
  look();
}})"""
MIB = 2**20


@dataclass
class Sitting:
    """What was measured.

    Args:
        waits_ms: From the key of a verdict to the next film.
        processor_ms: Of all processes meanwhile.
        memory: Studies judged; MiB of the server, of the page's heap, and of Chromium's processes.
    """

    waits_ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)
    memory: list[tuple[int, float, float, float]] = field(default_factory=list)


@contextmanager
def served(store: Path, verdicts: Path) -> Iterator[tuple[int, str]]:
    """The server of a review: its process and the address of its page."""
    command = [sys.executable, "-m", "semiqc", "review", str(store), "--verdicts", str(verdicts)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            said = (line.split()[1] for line in server.stdout if line.startswith("review: "))
            yield server.pid, next(said)
        finally:
            server.terminate()


def family(process: int) -> list[int]:
    """A process and all that it started and they started."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *(one for child in children for one in family(int(child)))]


def processor_ms(processes: list[int]) -> float:
    """Time on a processor of all their threads so far."""
    tasks = (task for one in processes for task in Path(f"/proc/{one}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


def resident_mib(process: int) -> float:
    """Memory that a process holds and shares with no other."""
    pages = Path(f"/proc/{process}/statm").read_text().split()
    return (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE") / MIB


def sit(page: Page, server: int, studies: int, pace_s: float) -> Sitting:
    """Judge so many studies, each after a look at it."""
    found = Sitting()
    chromium = [one for one in family(os.getpid()) if one not in family(server)]
    for done in range(1, studies + 1):
        time.sleep(pace_s)
        before = processor_ms([*chromium, server])
        if done % 3 == 0:
            page.keyboard.press("d")
        page.keyboard.press("e" if done % 3 == 0 else "g")
        page.evaluate(UNTIL, done)
        found.processor_ms.append(processor_ms([*chromium, server]) - before)
        if done % EVERY == 0:
            heap = page.evaluate("performance.memory.usedJSHeapSize") / MIB
            browser = sum(map(resident_mib, chromium))
            found.memory.append((done, resident_mib(server), heap, browser))
    found.waits_ms = page.evaluate(f"{SHOWN}.map(one => one.duration)")
    return found


def told(found: Sitting) -> str:
    """The figures as Markdown."""
    waits = sorted(found.waits_ms)
    lines = [
        "| verdicts | wait, median (ms) | 90 % below | longest | processor, median (ms) |",
        "|---|---|---|---|---|",
        f"| {len(waits)} | {statistics.median(waits):.0f} | {waits[int(0.9 * len(waits))]:.0f} |"
        f" {waits[-1]:.0f} | {statistics.median(found.processor_ms):.0f} |",
        "",
        "| verdicts | server (MiB) | page's heap (MiB) | Chromium (MiB) |",
        "|---|---|---|---|",
        *(f"| {n} | {s:.0f} | {h:.0f} | {c:.0f} |" for n, s, h, c in found.memory),
    ]
    return "\n".join(lines)


def _main() -> None:
    parser = argparse.ArgumentParser(description="A sitting before the page of `semiqc review`.")
    parser.add_argument("store", type=Path, help="Store of labelled cines.")
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--pace", type=float, default=3.0, help="Seconds that a study is seen.")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(given.store, Path(folder) / "verdicts.sqlite") as (server, address),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address)
        page.locator("#place", has_text="slice").wait_for()
        print(told(sit(page, server, given.studies, given.pace)))
        browser.close()


if __name__ == "__main__":
    _main()
