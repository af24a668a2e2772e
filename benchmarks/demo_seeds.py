r"""The demo with other seeds: is what it shows more than luck?

    python benchmarks/demo_seeds.py runs/demo --seeds 0 1 2 3 4 5 6 7 8 9 --jobs 2 \
        --markdown demo_seeds.md
    python benchmarks/demo_seeds.py runs/demo --markdown demo_seeds.md   # only the table

Each seed makes other phantoms, another split, other spoilt studies and other trainings. A run has
one thread. What is done is not done again, and what was killed goes on where it stood. Settings of
`semiqc run` are changed for all by --set.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from semiqc.experiment.finished import Finished
from semiqc.files.atomic import write_text
from semiqc.measuring.statistics import compare, summarise
from semiqc.report import ReportData

SEEDED = ("phantom.seed={0}", "split.seed={0}", "dirty.seed={0}", "seeds=[{0}]")
"""Settings that follow the seed."""


POOR = 0.5
"""True Dice below which a segmentation is of no use."""


@dataclass(frozen=True)
class Admitted:
    """What a gate admitted in its last round.

    Args:
        studies: How many.
        spoilt: Of these, how many were spoilt.
        poor: How many segmentations had a true Dice below ``POOR``, of spoilt studies or not.
        dice: Mean true Dice.
    """

    studies: int
    spoilt: int
    poor: int
    dice: float


@dataclass(frozen=True)
class Row:
    """What the demo found with one seed.

    Args:
        seed: Of everything.
        dice: Mean over the test studies, by scenario.
        admitted: By scenario with a gate.
    """

    seed: int
    dice: Mapping[str, float]
    admitted: Mapping[str, Admitted]


def run(folder: Path, seed: int, changes: Sequence[str]) -> int:
    """Run the demo with one seed; its return code."""
    settings = [*changes, *(one.format(seed) for one in SEEDED)]
    command = [sys.executable, "-m", "semiqc", "run", "--output", str(folder)]
    command += [part for one in settings for part in ("--set", one)]
    with (folder.parent / f"{folder.name}.log").open("w", encoding="utf-8") as log:
        threads = {"OMP_NUM_THREADS": "1"}
        return subprocess.run(command, stdout=log, stderr=log, env=os.environ | threads).returncode


def row_of(seed: int, data: ReportData) -> Row:
    """What a finished run found."""
    dice = {key: summarise(data.overlap_of(key).values()).mean for key, _ in data.scenarios}
    gates = {row.scenario for row in data.judgements}
    last = {key: max(r.round for r in data.judgements if r.scenario == key) for key in gates}
    return Row(seed, dice, {key: _admitted(data, key, last[key]) for key in dice if key in last})


def _admitted(data: ReportData, key: str, number: int) -> Admitted:
    """What the gate of a scenario admitted in a round."""
    spoilt = {row.study for row in data.dirty}
    rows = [r for r in data.judgements if (r.scenario, r.round) == (key, number) and r.admitted]
    dice = [row.true_dice for row in rows]
    return Admitted(
        len(rows),
        sum(row.study in spoilt for row in rows),
        sum(one < POOR for one in dice),
        summarise(dice).mean,
    )


def table(rows: Sequence[Row], titles: Mapping[str, str], reference: str) -> Iterable[str]:
    """Lines of Markdown: Dice of every seed, what the gates admitted, and the comparisons."""
    gates = list(rows[0].admitted)
    yield "Mean Dice over the test studies:"
    yield ""
    yield from _header(["seed", *titles.values()])
    for row in rows:
        yield _line([str(row.seed), *(f"{row.dice[key]:.3f}" for key in titles)])
    means = [summarise(row.dice[key] for row in rows).mean for key in titles]
    yield _line(["mean", *(f"{mean:.3f}" for mean in means)])
    yield ""
    yield (
        f"Admitted studies, by the gate's last choice: spoilt, of a true Dice below {POOR:g}, all;"
        " and their mean true Dice:"
    )
    yield ""
    yield from _header(["seed", *(titles[key] for key in gates)])
    for row in rows:
        found = [row.admitted[key] for key in gates]
        cells = [f"{a.spoilt}, {a.poor}, {a.studies}; {a.dice:.3f}" for a in found]
        yield _line([str(row.seed), *cells])
    yield ""
    yield f"{titles[reference]} less another, over {len(rows)} seeds:"
    yield ""
    yield from _header(["less", "mean difference", "95 % interval", "seeds in which it is higher"])
    for key, title in titles.items():
        if key != reference:
            yield _line([title, *_compared(rows, reference, key)])


def _compared(rows: Sequence[Row], reference: str, key: str) -> list[str]:
    """Mean difference, its interval, and in how many seeds it is above zero."""
    pairs = [{str(row.seed): row.dice[one] for row in rows} for one in (reference, key)]
    found = compare(*pairs)
    higher = sum(row.dice[reference] > row.dice[key] for row in rows)
    low, high = found.interval
    return [f"{found.mean_difference:+.3f}", f"{low:+.3f} to {high:+.3f}",
            f"{higher} of {len(rows)}"]  # fmt: skip


def _header(names: Sequence[str]) -> list[str]:
    return [_line(names), "|" + "---|" * len(names)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def write_table(folder: Path, markdown: Path | None) -> None:
    """Print the table of all finished runs in a folder, and write it."""
    finished = {
        int(path.parents[1].name.removeprefix("seed-")): Finished.read(path.parents[1])
        for path in folder.glob("seed-*/results/data.json")
    }
    if not finished:
        print(f"{folder}: no run is finished")
        return
    found = {seed: run.report_data() for seed, run in sorted(finished.items())}
    data = next(iter(found.values()))
    rows = [row_of(seed, one) for seed, one in found.items()]
    lines = table(rows, dict(data.scenarios), data.reference_scenario)
    command = "python benchmarks/demo_seeds.py runs/demo --seeds " + " ".join(map(str, found))
    text = "\n".join(["```sh", command, "```", "", *lines, ""])
    print(text)
    if markdown:
        write_text(markdown, f"# The demo, seed by seed\n\n{text}")


def main() -> int:
    """Run the seeds that are asked for, and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="Folder of the runs.")
    parser.add_argument("--seeds", nargs="*", type=int, default=[])
    parser.add_argument("--jobs", type=int, default=1, help="Runs side by side.")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--markdown", type=Path, help="File for the table.")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(options.jobs) as pool:
        codes = pool.map(
            lambda seed: run(options.output / f"seed-{seed}", seed, options.set), options.seeds
        )
        failed = [seed for seed, code in zip(options.seeds, codes, strict=True) if code]
    write_table(options.output, options.markdown)
    for seed in failed:
        print(f"seed {seed} failed, see {options.output}/seed-{seed}.log", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
