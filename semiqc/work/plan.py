"""The steps of a long piece of work: which one it is at, and when the last one will be done."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

MINUTE = 60
HOUR = 3600

TRUST = 0.1
"""Share of all work that counts as done as expected, so that one quick step tells little."""


@dataclass
class Plan:
    """Steps in their order, some of which may be done side by side.

    How long the rest takes follows from the steps that were done so far: how much longer, or
    shorter, they took than was expected. Steps that had been done before tell nothing of that.

    Args:
        steps: Seconds that each is expected to take, by its name.
        clock: Seconds since some moment.
    """

    steps: Mapping[str, float]
    clock: Callable[[], float] = time.monotonic
    begun: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)
    _made: set[str] = field(default_factory=set)
    _start: float = field(init=False)

    def __post_init__(self) -> None:
        self._start = self.clock()

    def begin(self, name: str) -> bool:
        """Whether the step is begun for the first time."""
        is_new = name in self.steps and name not in self.begun
        self.begun.add(name)
        return is_new

    def end(self, name: str, *, is_made: bool) -> None:
        """A step is done; ``is_made`` says whether there was anything left to do in it."""
        if name in self.steps and name not in self.done:
            self.done.add(name)
            if is_made:
                self._made.add(name)

    def place(self, name: str) -> str:
        """Of a step among all, such as ``2 of 9``."""
        return f"{list(self.steps).index(name) + 1} of {len(self.steps)}"

    @property
    def seconds_left(self) -> float:
        """What all steps that are not done yet will take together, from their begin."""
        trust = TRUST * sum(self.steps.values())
        expected = sum(self.steps[name] for name in self._made) + trust
        spent = (self.clock() - self._start if self._made else 0.0) + trust
        pace = spent / expected if expected else 1.0
        return pace * sum(s for name, s in self.steps.items() if name not in self.done)


def duration(seconds: float) -> str:
    """A time in words, no finer than anybody needs: ``40 s``, ``12 min``, ``3.5 h``."""
    if seconds < MINUTE:
        return f"{max(1, round(seconds))} s"
    if seconds < HOUR:
        return f"{round(seconds / MINUTE)} min"
    return f"{seconds / HOUR:.1f} h"
