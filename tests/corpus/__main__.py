"""Prints what became of each bad input, by door."""

import itertools
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path

from .cases import all_cases
from .commands import COMMANDS, KINDS, command_cases
from .fuzzing import FUZZES, fuzz
from .running import answered


def table() -> list[str]:
    """Print how many inputs of each door were refused; what was answered wrongly."""
    counts: dict[str, Counter[str]] = {}
    most: dict[str, int] = {}
    faults = []
    marks: dict[tuple[str, str], str] = {}
    for case in chain(all_cases(), command_cases()):
        with tempfile.TemporaryDirectory() as folder:
            answer = answered(case, Path(folder))
        kind = "wrong" if answer.fault else "refused" if answer.said else "sound"
        counts.setdefault(case.door, Counter())[kind] += 1
        most[case.door] = max(most.get(case.door, 0), answer.taken_bytes)
        mark = (case.door, case.name.partition(",")[0])
        marks[mark] = "".join(sorted({*marks.get(mark, ""), kind[0]}))
        if answer.fault:
            faults.append(f"{case.door}, {case.name}: {answer.fault}")
    print(f"{'door':16}{'refused':>9}{'sound':>9}{'wrong':>9}{'most MiB':>9}")
    for door, found in counts.items():
        numbers = (found["refused"], found["sound"], found["wrong"], most[door] >> 20)
        print(f"{door:16}" + "".join(f"{n:9}" for n in numbers))
    print(f"{sum(map(Counter.total, counts.values()))} inputs")
    _print_matrix(marks)
    return faults


def _print_matrix(marks: Mapping[tuple[str, str], str]) -> None:
    """What each command said to each kind of path: refused, sound or wrong."""
    print(f"\n{'command':20}" + "".join(f"{kind:>16}" for kind in KINDS))
    for command in COMMANDS:
        cells = (marks.get((f"semiqc {command}", kind), "-") for kind in KINDS)
        print(f"{command:20}" + "".join(f"{cell:>16}" for cell in cells))


def fuzzed(seconds: float, doors: list[str]) -> list[str]:
    """Damage files of doors, each so long; what was answered wrongly."""
    faults = []
    for door in doors or FUZZES:
        # Other damages each time: the number tells which.
        numbers = itertools.count(time.time_ns() >> 20)
        found = fuzz(door, numbers, seconds)
        print(f"{door:16}{next(numbers) - 1:12}")
        faults += [f"{door}, {number}: {fault}" for number, fault in found.items()]
    return faults


def main() -> int:
    """1 where an input was answered wrongly."""
    seconds, doors = sys.argv[1:2], sys.argv[2:]
    faults = fuzzed(float(seconds[0]), doors) if seconds else table()
    print("\n".join(faults))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
