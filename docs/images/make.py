"""Take the pictures of the documentation: report, a study in it, scores, and the review page.

``make demo`` makes the run, and ``semiqc predict RUN STORE -o SCORES`` the page of scores;
``python docs/images/make.py RUN SCORES`` then writes the pictures beside this file. It needs
``pip install '.[dev]'`` and Chromium.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
SIZE = {"width": 1280, "height": 940}
WAIT_MS = 180_000
COLOURS = 96
"""Of a picture, which takes a third of the room then."""

SCHEMES = ("light", "dark")
"""The README shows the one that its reader prefers."""


@contextmanager
def reviewed(run: Path) -> Iterator[str]:
    """Address of the page of ``semiqc review``; it runs as long as the picture is taken."""
    command = [sys.executable, "-m", "semiqc", "review", str(run), "--open", "--order", "given"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            yield next(line.split()[1] for line in server.stdout if line.startswith("review: "))
        finally:
            server.terminate()


def take(browser: Browser, address: str, name: str, is_shown: str, *, at: bool = False) -> None:
    """A picture of a page in each colour scheme; films stand still, unless a script draws them.

    Args:
        browser: That shows it.
        address: Of the page.
        name: Of the pictures, before the scheme.
        is_shown: Text of an element, as a selector, that is there when all is drawn.
        at: Whether the picture begins with that element, which is unfolded.
    """
    for scheme in SCHEMES:
        page = browser.new_page(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce")
        page.set_default_timeout(WAIT_MS)
        page.goto(address)
        shown = page.locator(is_shown).first
        shown.wait_for()
        if at:
            shown.evaluate("one => { one.open = true; one.scrollIntoView(); }")
        page.wait_for_timeout(1000)
        path = HERE / f"{name}-{scheme}.png"
        page.screenshot(path=path)
        with Image.open(path) as taken:
            taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(
                path, optimize=True
            )
        page.close()


def main() -> None:
    """Take all pictures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="finished run of the phantom demo")
    parser.add_argument("scores", type=Path, help="what `semiqc predict` or `score` wrote")
    given = parser.parse_args()
    run, scores = given.run.resolve(), given.scores.resolve()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        report = (run / "report.html").as_uri()
        take(browser, report, "report", ".answer")
        take(browser, report, "study", ".case", at=True)
        take(browser, (scores / "report.html").as_uri(), "scores", "details", at=True)
        with reviewed(run) as address:
            take(browser, address, "review", "#place:has-text('slice')")
        browser.close()


if __name__ == "__main__":
    main()
