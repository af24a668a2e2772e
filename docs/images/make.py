"""Take the pictures of the README: the report's first screen and the page of ``semiqc review``.

``make demo`` makes the run; ``python docs/images/make.py RUN`` then writes the pictures beside
this file. It needs ``pip install '.[dev]'`` and Chromium.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
SIZE = {"width": 1280, "height": 940}
WAIT_MS = 180_000
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


def take(browser: Browser, address: str, name: str, is_shown: str) -> None:
    """A picture of a page in each colour scheme.

    Args:
        browser: That shows it.
        address: Of the page.
        name: Of the pictures, before the scheme.
        is_shown: Text of an element, as a selector, that is there when all is drawn.
    """
    for scheme in SCHEMES:
        page = browser.new_page(viewport=SIZE, color_scheme=scheme)
        page.set_default_timeout(WAIT_MS)
        page.goto(address)
        page.locator(is_shown).first.wait_for()
        page.wait_for_timeout(1000)
        page.screenshot(path=HERE / f"{name}-{scheme}.png")
        page.close()


def main() -> None:
    """Take all pictures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="finished run of the phantom demo")
    run = parser.parse_args().run.resolve()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        take(browser, (run / "report.html").as_uri(), "report", ".answer")
        with reviewed(run) as address:
            take(browser, address, "review", "#place:has-text('slice')")
        browser.close()


if __name__ == "__main__":
    main()
