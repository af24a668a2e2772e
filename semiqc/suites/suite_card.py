"""The card of a suite: what its estimators learned from, and what they may be asked about."""

from collections.abc import Iterator
from pathlib import Path

from qc.suites.suite import Suite
from semiqc import __version__
from semiqc.files.atomic import write_text
from semiqc.pages.table import number_text

CARD = "CARD.md"

USE = (
    "It estimates how far segmentations would agree with the experts it learned from. Research"
    " only: it is not a medical device. Ask it about images and programs like those below, and"
    " compare with references on some studies of your own first: `semiqc qc evaluate`."
)


def write_card(suite: Suite, folder: Path) -> None:
    """Write the card of a suite into its folder."""
    write_text(folder / CARD, "\n".join(_lines(suite)) + "\n")


def _lines(suite: Suite) -> Iterator[str]:
    learned = suite.training
    yield f"# A suite of quality estimators for {suite.scheme.name}\n"
    yield f"{USE}\n"
    yield "## What it learned from\n"
    yield f"- {learned.segmentations} graded segmentations of {learned.studies} studies"
    for source, count in sorted(learned.sources.items()):
        yield f"- {count} of them made by {source}"
    if learned.weighing:
        yield f"- weights of the consensus from {len(learned.weighing)} other studies"
    yield f"- labels: {', '.join(suite.scheme.classes[1:])}"
    yield f"- modalities: {learned.modalities}"
    yield f"- in plane {learned.spacing_mm:.3g} mm, slices {_range(learned.slice_mm)} mm apart"
    if learned.slices:
        yield f"- slices: {_range(learned.slices)}"
    yield "\n## Estimators\n"
    for name, estimator in suite.estimators.items():
        figures = ", ".join(f"{k} {number_text(v, 2)}" for k, v in estimator.measured().items())
        held_out = f"; on studies held out while fitting: {figures}" if figures else ""
        yield f"- {name} ({type(estimator).__name__}){held_out}"
    yield "- consensus of these" if suite.blend else "- no consensus: their scores are averaged"
    yield f"\nMade by semiqc {__version__}."


def _range(ends: tuple[float, float]) -> str:
    low, high = (f"{end:.3g}" for end in ends)
    return low if low == high else f"{low} to {high}"
