"""What to do after a run, by what it showed: the next command, and why."""

import shlex
from dataclasses import dataclass

from semiqc.report.answer import HELPED, HURT, TOO_FEW, UNKNOWN, answers
from semiqc.report.data import ReportData


@dataclass(frozen=True)
class Step:
    """A command and what it is for.

    Args:
        why: In words.
        command: As it is typed.
    """

    why: str
    command: str


def next_steps(data: ReportData) -> list[Step]:
    """The one or two commands that follow from the answers of a run, the first most so.

    None where the page is not of a run's own test studies.
    """
    if not data.folder:
        return []
    control, gain = (one.word for one in answers(data))
    again = f"semiqc run {_quoted(data.folder, 'settings.yaml')} -o {_quoted(data.folder)}"
    if UNKNOWN in (control, gain) and not data.overlap:
        return [_use(data)]
    steps = []
    if TOO_FEW in (control, gain):
        steps.append(Step("Test more subjects", f"{again} --set split.test=20"))
    elif HURT in (control, gain):
        steps.append(
            Step("Admit fewer pseudo-labels", f"{again} --set gate.rule=best --set gate.k=5")
        )
    elif len(data.seeds) == 1 and (control, gain) != (HELPED, HELPED):
        why = "See whether it depends on the seed (finished stages are not repeated)"
        steps.append(Step(why, f"{again} --set 'seeds=[0, 1, 2]'"))
    if control == UNKNOWN:
        why = "Add what quality control is compared with"
        steps.append(Step(why, f"{again} --set 'gates=[all, random, consensus]'"))
    return [*steps, _use(data)]


def _use(data: ReportData) -> Step:
    run, key = _quoted(data.folder), shlex.quote(data.reference_scenario)
    return Step(
        "Segment new studies", f"semiqc predict {run} IMAGES -o segmented --scenario {key}"
    )


def _quoted(folder: str, file: str = "") -> str:
    return shlex.quote(f"{folder}/{file}" if file else folder)
