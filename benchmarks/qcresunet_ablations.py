r"""QCResUNet without its parts, and its paper's baselines, on the same graded segmentations.

    python benchmarks/qcresunet_ablations.py suite/graded.h5 suite/test.h5 -o ablations
    python benchmarks/qcresunet_ablations.py suite/graded.h5 suite/test.h5 -o ablations \
        --preset paper --set precision=bf16-mixed

Fits QCResUNet whole, without attention, without regression, without maps, and with scores that
begin anew instead of from the maps' Dice; and ResNet-50 and a U-Net of the same blocks. ResNet-34
is QCResUNet without maps. All are judged on the second set, whose subjects none may have seen.
The folder gets the page of `semiqc qc evaluate`, its tables, and the tests between all of them.
Qiu et al., Medical Image Analysis 2025, tables 4 to 6.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

from qc.estimators.registry import ESTIMATORS, make_estimator
from qc.evaluation import evaluate
from qc.evaluation.judgement import ALL
from qc.graded import GradedSet, balanced_subset
from qc.graded.store import store_of
from semiqc.files.store.reader import Store
from semiqc.suites.page import Judges, write_evaluation_page
from semiqc.suites.presets import PRESETS
from semiqc.work.arguments import checked_arguments

VARIANTS: dict[str, dict[str, Any]] = {
    "whole": {},
    "no attention": {"attention": False},
    "no regression": {"regression": False},
    "no maps (ResNet-34)": {"maps": False},
    "scores apart": {"from_maps": False},
    "scores from maps": {"from_maps": True},
    "ResNet-50": {"baseline": "resnet50"},
    "U-Net": {"baseline": "unet"},
}
"""What differs from the whole; the two ways to scores where the whole has the other."""


def arguments_of(given: argparse.Namespace) -> dict[str, Any]:
    """Of the whole network."""
    changes = dict(change.split("=", 1) for change in given.set)
    told = {name: yaml.safe_load(value) for name, value in changes.items()}
    usual = PRESETS[given.preset]["qcresunet"] if given.preset else {}
    return checked_arguments(ESTIMATORS["qcresunet"], {**usual, **told})


def refuse_shared_subjects(learned: GradedSet, judged: GradedSet) -> None:
    """Stop where a subject is in both."""
    subjects = [
        {one.store.study(name).subject for name in set(one.studies.tolist())}
        for one in (learned, judged)
    ]
    if both := sorted(subjects[0] & subjects[1]):
        raise SystemExit(f"subjects in both sets: {', '.join(both[:5])}")


def told_of(given: argparse.Namespace, learned: GradedSet, judged: GradedSet) -> str:
    """What teaches and is judged, with which arguments and seed, in a line above the table."""
    sets = [
        f"{len(one)} segmentations of {len(set(one.studies.tolist()))} studies ({path})"
        for one, path in ((learned, given.graded), (judged, given.test))
    ]
    drawn = ", as many of each tenth of the Dice" if given.balanced else ""
    changed = " ".join([*([given.preset] if given.preset else []), *given.set]) or "as usual"
    return (
        f"learned from {sets[0]}\njudged {sets[1]}{drawn}\narguments: {changed}; seed {given.seed}"
    )


def variants(whole: dict[str, Any], names: list[str]) -> dict[str, dict[str, Any]]:
    """Arguments of each that differs from the whole."""
    usual = ESTIMATORS["qcresunet"]
    found = {}
    for name in names:
        different = VARIANTS[name]
        same = all(whole.get(key, getattr(usual, key)) == v for key, v in different.items())
        if not different or not same:
            found[name] = {**whole, **different}
    return found


def main() -> None:
    """Fit, judge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("graded", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=[*VARIANTS], default=[*VARIANTS])
    parser.add_argument("--preset", choices=[*PRESETS])
    parser.add_argument("--set", nargs="+", default=[], metavar="ARGUMENT=VALUE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--balanced", action="store_true")
    given = parser.parse_args()
    learned, judged = (
        GradedSet(path, Store(store_of(path))) for path in (given.graded, given.test)
    )
    refuse_shared_subjects(learned, judged)
    if given.balanced:
        rng = np.random.default_rng(given.seed)
        judged = judged.subset(balanced_subset(judged.mean_dice, rng))
    scheme, modalities = learned.store.scheme, len(learned.store.modalities)
    console, fitted, sizes = Console(), {}, {}
    console.print(told_of(given, learned, judged), highlight=False)
    for name, arguments in variants(arguments_of(given), given.only).items():
        console.print(f"fit {name}", highlight=False)
        one: Any = make_estimator("qcresunet", scheme, modalities, given.seed, **arguments)
        fitted[name] = one.fit(learned)
        sizes[name] = sum(p.numel() for p in one.networks_[0].parameters()) / 1e6
    found = evaluate(fitted, judged, scheme)
    figures = found.write(given.output)
    judges = Judges([given.graded.parent], given.test, is_balanced=given.balanced)
    page = write_evaluation_page(found, figures, scheme, judges, given.output)
    table = Table("variant", "million parameters", "of", "n", "r", "MAE (SD)", "error maps (SD)")
    for row in figures:
        if row.by == row.structure == ALL and row.quality in ("dice", "nsd"):
            maps = f"{row.error_map_dice:.3f} ({row.error_map_sd:.3f})" if row.n_maps else ""
            table.add_row(
                *(row.estimator, f"{sizes[row.estimator]:.2f}", row.quality, str(row.n)),
                *(f"{row.pearson:.3f}", f"{row.mae:.3f} ({row.mae_sd:.3f})", maps),
            )
    console.print(table)
    console.print(f"tests between them: {page}", highlight=False)


if __name__ == "__main__":
    main()
