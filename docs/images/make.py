"""Take the pictures of the documentation: report, a study in it, scores, and the review page.

``make demo`` makes the run, and ``semiqc predict RUN STORE -o SCORES`` the page of scores;
``python docs/images/make.py RUN SCORES`` then writes the pictures beside this file. It needs
``pip install '.[dev]'`` and Chromium.
"""

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
SIZE = {"width": 1280, "height": 940}
WAIT_MS = 180_000
QUALITY = 82
"""Of a picture, as WebP counts it: a fifth of a PNG, and outlines keep their colours."""

JUDGED = 6
"""Studies that the picture of the review page comes after."""

SCHEMES = {"light": "ann", "dark": "bob"}
"""The README shows the one that its reader prefers. Each has its reader before the review page."""


@contextmanager
def reviewed(run: Path) -> Iterator[str]:
    """Address of the page of ``semiqc review``; it runs as long as the picture is taken."""
    command = [sys.executable, "-m", "semiqc", "review", str(run), "--open", "--order", "given"]
    with tempfile.TemporaryDirectory() as folder:
        command += ["--verdicts", str(Path(folder) / "verdicts.sqlite")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                said = (line.split()[1] for line in server.stdout or () if "review: " in line)
                yield next(said)
            finally:
                server.terminate()


def take(
    browser: Browser,
    address: str,
    name: str,
    is_shown: str,
    *,
    at: bool = False,
    judged: int = 0,
) -> None:
    """A picture of a page in each colour scheme; films stand still, unless a script draws them.

    Args:
        browser: That shows it.
        address: Of the page.
        name: Of the pictures, before the scheme.
        is_shown: Text of an element, as a selector, that is there when all is drawn.
        at: Whether the picture begins with that element, which is unfolded.
        judged: Studies that are judged before, on the page of a review.
    """
    for scheme, reader in SCHEMES.items():
        page = browser.new_page(viewport=SIZE, color_scheme=scheme, reduced_motion="reduce")
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{address}?reader={reader}" if judged else address)
        shown = page.locator(is_shown).first
        shown.wait_for()
        if at:
            shown.evaluate("one => { one.open = true; one.scrollIntoView(); }")
        page.wait_for_timeout(1000)
        if judged:
            for number in range(judged):
                page.locator("#where", has_text=f"Study {number + 1} of").wait_for()
                page.locator("main[aria-busy=false]").wait_for()
                page.keyboard.press("g")
            page.locator("#where", has_text=f"Study {judged + 1} of").wait_for()
            page.wait_for_timeout(1000)
        with Image.open(io.BytesIO(page.screenshot())) as taken:
            path = HERE / f"{name}-{scheme}.webp"
            taken.convert("RGB").save(path, quality=QUALITY, method=6)
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
        take(browser, (scores / "report.html").as_uri(), "scores", "h1")
        with reviewed(run) as address:
            take(browser, address, "review", "#place:has-text('slice')", judged=JUDGED)
        browser.close()


if __name__ == "__main__":
    main()
