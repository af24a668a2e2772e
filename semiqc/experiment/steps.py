"""The steps of a run, as they are counted while it goes on."""

from collections.abc import Iterator

from semiqc.experiment.settings import Settings

FIRST = "first segmenter, from the few labels"
FIT = "quality estimators"
JUDGE = "unlabelled studies, segmented and judged"
REPORT = "tables, models and report"


def named(step: str, settings: Settings, seed: int) -> str:
    """A step's name; it has the seed where a run has several."""
    return f"{step}, seed {seed}" if len(settings.seeds) > 1 else step


def steps_of_seed(settings: Settings) -> Iterator[tuple[str, str | None]]:
    """Each step of one seed, and the scenario that it makes if it makes one."""
    compared = settings.compared()
    yield FIRST, None
    if any(one.gate != "none" for one in compared.values()):
        yield FIT, None
        yield JUDGE, None
    for name, scenario in compared.items():
        yield scenario.title, name
