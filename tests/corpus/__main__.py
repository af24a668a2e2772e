"""Prints what became of each bad input, by door."""

import sys
import tempfile
from collections import Counter
from pathlib import Path

from .cases import all_cases
from .running import answered


def main() -> int:
    """The table; 1 where an input was answered wrongly."""
    counts: dict[str, Counter[str]] = {}
    faults = []
    for case in all_cases():
        with tempfile.TemporaryDirectory() as folder:
            answer = answered(case, Path(folder))
        kind = "wrong" if answer.fault else "refused" if answer.said else "sound"
        counts.setdefault(case.door, Counter())[kind] += 1
        if answer.fault:
            faults.append(f"{case.door}, {case.name}: {answer.fault}")
    print(f"{'door':16}{'refused':>9}{'sound':>9}{'wrong':>9}")
    for door, found in counts.items():
        print(f"{door:16}{found['refused']:9}{found['sound']:9}{found['wrong']:9}")
    print(f"{sum(map(Counter.total, counts.values()))} inputs")
    print("\n".join(faults))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
