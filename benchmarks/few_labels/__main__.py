r"""Few labels on ACDC's standard split: loops, starts, numbers of labels, draws, seeds.

    semiqc import PATH/TO/acdc/training acdc_full.h5 --spacing 1.5
    python -m benchmarks.few_labels acdc_full.h5 runs/few_labels --arms table --jobs 2 \
        --markdown docs/results/few_labels.md
    python -m benchmarks.few_labels acdc_full.h5 runs/few_labels --arms bcp:phantom:3:1 draws
    python -m benchmarks.few_labels acdc_full.h5 runs/few_labels --arms ablation
    python -m benchmarks.few_labels acdc_full.h5 runs/few_labels      # only the table anew

An arm is LOOP:START:LABELLED[:DRAW[:SEED[:VARIANT]]], or a group of them: `table` (every loop,
from both starts, with 3 and 7 labels), `supervised`, `draws` (two more draws of three patients),
`ablation` (one change of the supervised recipe at a time; `VARIANTS` in arms.py). Each is a
process of its own with one thread. What is done is not done again; what was killed goes on where
it stood. Settings of `semiqc run` are changed for all arms by --set, such as --set
training.steps=3000. The tables are written after every arm: table.csv, and Markdown where
--markdown names a file.

Loops that can use one supervised segmenter share a run folder, in which one works at a time;
with --apart each has its own, so that all run side by side. --fit STEPS trains for as many steps,
or as few as the --minutes allow: short trainings tell first how fast each arm is. An online loop
spends a quarter of them on the supervised training that it goes on from, the offline loop half.
"""

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.few_labels.arms import GROUPS, LOOPS, arms_of, refuse_unknown
from benchmarks.few_labels.fitting import steps_that_fit
from benchmarks.few_labels.queue import How, Queue
from benchmarks.few_labels.table import write_tables


def tables(options: argparse.Namespace) -> None:
    """Write the tables of all that is done."""
    command = " ".join(["python -m benchmarks.few_labels", *sys.argv[1:]])
    write_tables(options.output, options.markdown, command)


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.few_labels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("store", type=Path, help="Of `semiqc import`.")
    parser.add_argument("output", type=Path, help="Folder of runs, figures and tables.")
    parser.add_argument("--arms", nargs="*", default=[], help=f"Arms; groups: {', '.join(GROUPS)}")
    parser.add_argument("--seeds", nargs="*", type=int, help="In place of the arms' own seed.")
    parser.add_argument("--jobs", type=int, default=1, help="Processes side by side.")
    parser.add_argument("--apart", action="store_true", help="Share no run folder.")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="When to stop.")
    parser.add_argument("--fit", type=int, metavar="STEPS", help="At most, as time allows.")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--markdown", type=Path, help="File for the table in Markdown.")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the arms that are asked for, and write the tables."""
    options = parsed(arguments)
    # Without it, processes would outlive a command that is ended.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        arms = arms_of(options.arms)
        refuse_unknown(arms)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if options.seeds:
        arms = [replace(arm, seed=seed) for seed in options.seeds for arm in arms]
    ends = time.monotonic() + 60 * options.minutes
    how = How(options.store, options.output, options.jobs, ends, options.apart)
    steps = steps_that_fit(how, arms, options.set, options.fit) if options.fit else {}
    changes = {
        arm: [*options.set, *(LOOPS[arm.loop].steps(steps[arm]) if steps else [])] for arm in arms
    }
    queue = Queue(how, arms, changes.__getitem__, lambda: tables(options))
    queue.work()
    tables(options)
    return 1 if queue.failed else 0


if __name__ == "__main__":
    sys.exit(main())
