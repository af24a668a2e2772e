"""How many steps of each arm fit into the time there is, all arms side by side."""

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.few_labels.arms import LOOPS, Arm
from benchmarks.few_labels.queue import How, Queue

STEPS = 200
"""By which arms tell how fast they are: of the first training and of their own together."""

FOR_EVALUATION = 75.0
"""Seconds kept free for prediction, measures and report of an arm."""

RESERVE = 0.93
"""Share of the time that is left which is planned for."""


def fitted_steps(step: float, other: float, left: float, asked: int) -> int:
    """Steps that fit, at most those asked for and at least ``STEPS``.

    Args:
        step: Seconds.
        other: Seconds that an arm takes beside its steps and its evaluation.
        left: Seconds until the end.
        asked: Steps.
    """
    able = (left * RESERVE - other - FOR_EVALUATION) / step
    return max(min(STEPS, asked), min(asked, int(able)))


def steps_that_fit(
    how: How, arms: Sequence[Arm], changes: Sequence[str], asked: int
) -> dict[Arm, int]:
    """Steps of each arm, of all its trainings together, from short trainings of all arms.

    Args:
        how: Arms will be run; ``ends`` is when all must be done.
        arms: That all run side by side.
        changes: Of settings.
        asked: Steps of a training, where there is time.
    """
    folder = how.output / "probe"

    def short(arm: Arm) -> list[str]:
        return [*changes, *LOOPS[arm.loop].steps(min(STEPS, asked))]

    Queue(replace(how, output=folder, is_probe=True), arms, short).work()
    found = {}
    for arm in arms:
        told = _told(folder / "rates" / f"{arm.name}.json")
        left = how.ends - time.monotonic()
        found[arm] = fitted_steps(*told, left, asked) if told else asked
        shown = f"{1000 * told[0]:.0f} ms a step" if told else "no step was timed"
        print(f"{arm}: {shown}, {found[arm]} steps", flush=True)
    return found


def _told(file: Path) -> tuple[float, float] | None:
    if not file.exists():
        return None
    rates = json.loads(file.read_text(encoding="utf-8"))
    return rates["step"], rates["other"]
