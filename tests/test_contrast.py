"""What the pages write and draw can be told from its ground; see WCAG 2.2, 1.4.3 and 1.4.11."""

import re
from pathlib import Path

import pytest

from semiqc.pages.drawing import structure_colours
from semiqc.schemes import SCHEMES

ROOT = Path(__file__).parents[1] / "semiqc"
STYLES = (ROOT / "pages/style.css", ROOT / "review/page/review.css")
TEXT, DRAWN = 4.5, 3.0


def luminance(colour):
    digits = colour.removeprefix("#")
    digits = digits if len(digits) == 6 else "".join(2 * one for one in digits)
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(*colours):
    dark, light = sorted(map(luminance, colours))
    return (light + 0.05) / (dark + 0.05)


def palettes(path):
    """Colours by name: in light, in dark, and where there are some in print."""
    blocks = re.findall(r":root \{(.*?)\}", path.read_text(encoding="utf-8"), re.DOTALL)
    return [dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block)) for block in blocks]


def test_the_measure_is_that_of_the_guidelines():
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_text_can_be_read_in_light_and_dark(path):
    found = palettes(path)
    assert len(found) >= 2
    for colours in found:
        grounds = [
            colours[name] for name in ("page", "card", "lead", "back", "panel") if name in colours
        ]
        written = [colours[n] for n in ("ink", "soft", "good", "bad", "mark") if n in colours]
        assert len(grounds) >= 2
        assert len(written) >= 2
        assert min(contrast(one, ground) for one in written for ground in grounds) >= TEXT


def test_structures_are_told_from_white_and_from_the_dark_panel():
    panels = ["#ffffff", *(palette["panel"] for palette in palettes(STYLES[1]))]
    for scheme in SCHEMES.values():
        for colour in structure_colours(scheme).values():
            assert min(contrast(colour, panel) for panel in panels) >= DRAWN
