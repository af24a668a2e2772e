"""Draw a figure for each estimator and loop: what goes in, what is done, what comes out.

``generate.py`` writes them to ``docs/images/methods/`` and shows each on its method's page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

HIGH, GAP, LINE = 46, 22, 15
"""Of a box, between two, and of a line of text, in pixels."""

LETTER = 6.4
"""Width of a letter, about."""

STYLE = """
  text { font: 12px system-ui, "DejaVu Sans", sans-serif; text-anchor: middle; fill: #1f2328; }
  rect { fill: #f1eee7; stroke: #5c6470; } .out { fill: #d7e9f7; stroke: #0067a3; }
  path { fill: none; stroke: #5c6470; stroke-width: 1.5; } .tip { fill: #5c6470; stroke: none; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e7e5e1; } rect { fill: #23262d; stroke: #a2a9b4; }
    .out { fill: #123450; stroke: #6cc4ff; } path { stroke: #a2a9b4; } .tip { fill: #a2a9b4; }
  }
"""


@dataclass(frozen=True)
class Flow:
    """Boxes from left to right.

    Args:
        boxes: What stands in each; lines are parted by ``|``.
        again: Where the way goes on after the last but one box, from 0; None where it ends.
    """

    boxes: tuple[str, ...]
    again: int | None = None


FLOWS = {
    "estimators/curve": Flow(
        ("volumes of all frames", "curves on|one cycle", "forest, learned|from verdicts",
         "P(good)")),
    "estimators/svr": Flow(
        ("image and|segmentation", "shape, intensity,|texture features",
         "support vector|regression", "Dice, NSD|per structure")),
    "estimators/cnn": Flow(
        ("image and|labels, crop", "residual network|on every slice", "mean over|slices",
         "Dice per|structure")),
    "estimators/slicewise": Flow(
        ("each slice and|its labels", "2-D network", "Dice and volume|similarity of slices",
         "Dice of the|whole")),
    "estimators/qcresunet": Flow(
        ("image and|labels", "residual encoder", "decoder with|attention",
         "Dice, and a map|of errors")),
    "estimators/manifold": Flow(
        ("image and|labels", "place in the|VAE's latent space",
         "search for the|nearest good pair", "Dice with|the surrogate")),
    "estimators/rca": Flow(
        ("image and|labels", "register to images|with a reference",
         "carry the labels|along", "best Dice with|a reference")),
    "estimators/second_opinion": Flow(
        ("image", "another segmenter", "its labels as|the reference", "Dice with|the labels")),
    "estimators/physiology": Flow(
        ("labels of|all frames", "volumes, lengths,|walls, parts",
         "rules with the ranges|of good labels", "Dice lost,|and reasons")),
    "estimators/agreement": Flow(
        ("labels of several|segmenters", "Dice of each|pair", "monotone curve|per structure",
         "Dice per|structure")),
    "estimators/uncertainty": Flow(
        ("probabilities of|several segmenters", "entropy of|each voxel",
         "features of the map,|forest", "Dice, and a map|of errors")),
    "estimators/mahalanobis": Flow(
        ("image", "features of|the segmenter", "distance to its|training set", "Dice")),
    "loops/supervised": Flow(("labelled studies", "train the|segmenter", "segmenter")),
    "loops/offline": Flow(
        ("train on labels and|pseudo-labels", "segment the|unlabelled",
         "estimators judge,|gate admits", "segmenter"), again=0),
    "online/bcp": Flow(
        ("a labelled and an|unlabelled slice", "paste each into|the other",
         "student learns labels|and teacher's labels", "teacher: averaged|student"), again=0),
    "online/fixmatch": Flow(
        ("weak and strong view|of an unlabelled slice", "labels of the weak view,|where sure",
         "learn the strong view|by them", "segmenter"), again=0),
    "online/cps": Flow(
        ("one unlabelled slice", "two networks|segment it", "each learns the|other's labels",
         "segmenters"), again=0),
    "online/admt": Flow(
        ("an unlabelled slice", "two teachers, averaged|from the student in turn",
         "student learns what|they agree on", "segmenter"), again=0),
}  # fmt: skip
"""By kind and name of the method; loops that an online method trains show the method's."""
FLOWS |= {f"loops/{name}": FLOWS[f"online/{name}"] for name in ("bcp", "fixmatch", "cps", "admt")}


def figure(flow: Flow) -> str:
    """A flow as SVG, which follows the light or dark of its reader."""
    widths = [_width(one) for one in flow.boxes]
    lefts = [GAP + sum(widths[:n]) + n * 2 * GAP for n in range(len(widths))]
    wide = lefts[-1] + widths[-1] + GAP
    high = HIGH + 2 * GAP + (GAP if flow.again is not None else 0)
    drawn = "\n".join(_drawn(flow, lefts, widths))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" width="{wide}"'
        f' height="{high}" role="img">\n<title>{escape(told(flow))}</title>\n'
        f"<style>{STYLE}</style>\n{drawn}\n</svg>\n"
    )


def told(flow: Flow) -> str:
    """The same in words, for who does not see it."""
    said = ", then ".join(one.replace("|", " ") for one in flow.boxes)
    return said if flow.again is None else f"{said}; repeated"


def _width(box: str) -> int:
    return round(max(map(len, box.split("|"))) * LETTER) + 18


def _drawn(flow: Flow, lefts: list[int], widths: list[int]) -> Iterator[str]:
    middle = GAP + HIGH // 2
    for place, (box, left, width) in enumerate(zip(flow.boxes, lefts, widths, strict=True)):
        kind = ' class="out"' if place == len(lefts) - 1 else ""
        yield f'<rect{kind} x="{left}" y="{GAP}" width="{width}" height="{HIGH}" rx="6"/>'
        lines = box.split("|")
        for number, line in enumerate(lines):
            y = middle + 4 + round((number - (len(lines) - 1) / 2) * LINE)
            yield f'<text x="{left + width // 2}" y="{y}">{escape(line)}</text>'
        if place:
            yield _arrow(f"M{left - 2 * GAP + 3},{middle}H{left - 10}", left - 4, middle, 0)
    if flow.again is not None:
        start = lefts[-2] + widths[-2] // 2
        end = lefts[flow.again] + widths[flow.again] // 2
        below = HIGH + 2 * GAP + 6
        way = f"M{start},{GAP + HIGH + 3}V{below}H{end}V{GAP + HIGH + 12}"
        yield _arrow(way, end, GAP + HIGH + 4, -90)


def _arrow(way: str, x: int, y: int, turned: int) -> str:
    """A line and its tip, which points right unless it is turned."""
    return (
        f'<path d="{way}"/>'
        f'<path class="tip" d="M0,0L-9,-5V5Z" transform="translate({x},{y}) rotate({turned})"/>'
    )
