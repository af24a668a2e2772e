"""What a search may change: settings by their keys, each with a range or a list."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from semiqc.doors.regular import UnusableError
from semiqc.doors.yaml_file import parse_yaml

if TYPE_CHECKING:
    import optuna

RANGE = re.compile(r"^(?P<kind>log|uniform|int)\((?P<low>[^,()]+),(?P<high>[^,()]+)\)$")
EXPECTED = "log(LOW,HIGH), uniform(LOW,HIGH), int(LOW,HIGH) or [A, B, ...]"


@dataclass(frozen=True)
class Dimension:
    """One setting that is searched over.

    Args:
        key: Of the setting, sections parted by dots.
        kind: ``log``, ``uniform``, ``int`` or ``choice``.
        low: The least value of a range.
        high: The largest one.
        choices: JSON texts of the values of a choice.
    """

    key: str
    kind: str
    low: float = math.nan
    high: float = math.nan
    choices: Sequence[str] = ()

    @classmethod
    def of(cls, text: str) -> "Dimension":
        """The dimension of a text such as ``training.learning_rate=log(1e-4,1e-2)``.

        Raises:
            ValueError: If it is none.
        """
        key, equals, values = (part.strip() for part in text.partition("="))
        if not (key and equals):
            raise ValueError(f"--over {text}: expected KEY={EXPECTED}")
        if found := RANGE.match(values.replace(" ", "")):
            low, high = _ends(text, found["low"], found["high"], found["kind"])
            return cls(key, found["kind"], low, high)
        return cls(key, "choice", choices=_choices(text, values))

    def suggested(self, trial: "optuna.Trial") -> str:
        """The value that a trial takes, as a text in JSON."""
        match self.kind:
            case "choice":
                return str(trial.suggest_categorical(self.key, list(self.choices)))
            case "int":
                return str(trial.suggest_int(self.key, int(self.low), int(self.high)))
            case _:
                is_log = self.kind == "log"
                return repr(trial.suggest_float(self.key, self.low, self.high, log=is_log))


def _ends(text: str, low: str, high: str, kind: str) -> tuple[float, float]:
    try:
        ends = float(low), float(high)
    except ValueError:
        raise ValueError(f"--over {text}: expected numbers, got {low} and {high}") from None
    if not all(map(math.isfinite, ends)) or ends[0] >= ends[1]:
        raise ValueError(f"--over {text}: the first must be below the second")
    if kind == "log" and ends[0] <= 0:
        raise ValueError(f"--over {text}: log needs values above 0")
    if kind == "int" and not all(end.is_integer() for end in ends):
        raise ValueError(f"--over {text}: int needs whole numbers")
    return ends


def _choices(text: str, values: str) -> list[str]:
    try:
        found: Any = parse_yaml(values, f"--over {text}")
    except UnusableError as error:
        raise ValueError(str(error)) from error
    if not isinstance(found, list) or len(found) < 2:
        raise ValueError(f"--over {text}: expected {EXPECTED}")
    return [json.dumps(one) for one in found]
