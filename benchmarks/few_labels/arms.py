"""What is compared: a loop from a start with some labelled patients, a draw and a seed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from loops.online.registry import METHODS
from semiqc.experiment.scenarios import SCENARIOS


@dataclass(frozen=True)
class Loop:
    """How a loop is run.

    Args:
        scenario: Whose segmenter is evaluated.
        changes: Settings that ask for it.
        first: Share of its steps that the supervised training has which it goes on from.
    """

    scenario: str
    changes: tuple[str, ...]
    first: float

    def steps(self, count: int) -> list[str]:
        """Settings that share out a number of steps to the first training and to its own."""
        first = max(1, round(self.first * count))
        own = [f"online.steps={count - first}"] if self.scenario in METHODS else []
        return [f"training.steps={first}", *own]


LOOPS: dict[str, Loop] = {
    "supervised": Loop("few", ("scenarios=[few]", "gates=[]"), first=1),
    "offline": Loop("gate-all", ("scenarios=[]", "gates=[all]"), first=0.5),
    **{name: Loop(name, (f"scenarios=[{name}]", "gates=[]"), first=0.25) for name in METHODS},
}
"""Loops by the name that arms have. All but the first go on from the supervised segmenter."""

OF_GATES = ("gate-all",)
"""Scenarios that settings of gates make, and that are known without being listed."""

DEFAULT = "default"

VARIANTS: dict[str, tuple[str, ...]] = {
    "residual": ("segmenter.kind=unet",),
    "instance-norm": ("segmenter.normalisation=instance",),
    "no-z-score": ("segmenter.standardise=false",),
    "rotation-30-no-mirror": (
        "training.augmentation.rotation=30",
        "training.augmentation.spatial_probability=0.3",
        "training.augmentation.mirror=false",
        "segmenter.mirror=false",
    ),
    "no-mirror": ("training.augmentation.mirror=false", "segmenter.mirror=false"),
    "no-mirror-at-prediction": ("segmenter.mirror=false",),
    "no-augmentation": (
        "training.augmentation.probability=0",
        "training.augmentation.spatial_probability=0",
    ),
    "whole-slices": ("segmenter.focus=false",),
    "background-in-dice": ("training.dice_background=true",),
    "foreground-0": ("training.foreground=0",),
    "foreground-100": ("training.foreground=1",),
    "deep-supervision": ("training.deep_supervision=true",),
    "no-average": ("training.ema=null",),
    "all-components": ("segmenter.clean=false",),
}
"""Changes of the supervised recipe, one at a time: settings by the variant's name."""


@dataclass(frozen=True)
class Arm:
    """One training to evaluate.

    Args:
        loop: One of ``LOOPS``.
        start: ``scratch``, ``phantom`` or a file with weights.
        labelled: Labelled patients.
        draw: Of these; 0 is the literature's.
        seed: Of the training.
        variant: Of the recipe, one of ``VARIANTS``, or ``DEFAULT``.
    """

    loop: str
    start: str
    labelled: int
    draw: int = 0
    seed: int = 0
    variant: str = DEFAULT

    @classmethod
    def of(cls, text: str) -> Self:
        """The arm of a text such as ``bcp:phantom:3``, ``bcp:phantom:3:DRAW:SEED:VARIANT``.

        Raises:
            ValueError: If it is none.
        """
        parts = text.split(":")
        variant = parts[5] if len(parts) == 6 else DEFAULT
        try:
            labelled, draw, seed = (int(part) for part in [*parts[2:5], "0", "0"][:3])
        except ValueError:
            labelled = 0
        if labelled < 1 or not 3 <= len(parts) <= 6:
            raise ValueError(f"{text}: expected LOOP:START:LABELLED[:DRAW[:SEED[:VARIANT]]]")
        return cls(parts[0], parts[1], labelled, draw, seed, variant)

    @property
    def cell(self) -> str:
        """What loops share that can use one supervised segmenter; names their run folder."""
        own = "" if self.variant == DEFAULT else f"-{self.variant}"
        return f"{Path(self.start).stem}-{self.labelled}-draw{self.draw}-seed{self.seed}{own}"

    @property
    def name(self) -> str:
        """Names what the arm leaves."""
        return f"{self.loop}-{self.cell}"

    def __str__(self) -> str:
        parts = (self.loop, self.start, self.labelled, self.draw, self.seed, self.variant)
        return ":".join(map(str, parts))

    def changes(self) -> list[str]:
        """Settings of ``semiqc run`` that ask for it, but for data, split and output."""
        return [
            *LOOPS[self.loop].changes,
            f"training.start={self.start}",
            f"seeds=[{self.seed}]",
            *VARIANTS.get(self.variant, ()),
        ]


def refuse_unknown(arms: Iterable[Arm], scenarios: Mapping[str, object] = SCENARIOS) -> None:
    """Refuse arms that this version of ``semiqc`` cannot run.

    Raises:
        ValueError: Naming the first of them and what is known.
    """
    able = [n for n, loop in LOOPS.items() if loop.scenario in (*scenarios, *OF_GATES)]
    for arm in arms:
        if arm.loop not in able:
            raise ValueError(f"{arm}: no loop {arm.loop!r} here; there are {', '.join(able)}")
        if arm.variant not in (DEFAULT, *VARIANTS):
            known = ", ".join((DEFAULT, *VARIANTS))
            raise ValueError(f"{arm}: no variant {arm.variant!r}; there are {known}")


STARTS = ("scratch", "phantom")
LABELLED = (3, 7)

GROUPS: dict[str, list[Arm]] = {
    "table": [
        Arm(loop, start, labelled)
        for labelled in LABELLED
        for loop in ("supervised", "bcp", "fixmatch", "cps", "offline")
        for start in STARTS
    ],
    "supervised": [Arm("supervised", start, n) for n in LABELLED for start in STARTS],
    "draws": [Arm("supervised", "phantom", 3, draw) for draw in (1, 2)],
    "ablation": [Arm("supervised", "scratch", 3, variant=one) for one in (DEFAULT, *VARIANTS)],
}
"""Arms by the name of a group."""


def arms_of(texts: Iterable[str]) -> list[Arm]:
    """The arms of groups and of texts as ``Arm.of`` reads them, each once, in order.

    Raises:
        ValueError: If one is neither.
    """
    found: dict[Arm, None] = {}
    for text in texts:
        found |= dict.fromkeys(GROUPS[text] if text in GROUPS else [Arm.of(text)])
    return list(found)
