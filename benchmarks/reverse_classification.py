"""Reverse classification: registering to each reference by itself against one common space.

    semiqc qc fit store.h5 -o suite --test 21
    python benchmarks/reverse_classification.py suite store.h5 --queries 12 --references 100

The references are frames of ``suite/graded.h5``, as many of each study as of any other; the
queries are all segmentations in ``suite/test.h5`` of frames drawn evenly from it, so that no
subject is on both sides. All ways see the same; the one as published at full resolution and
without anything that the common space knows, by SimpleITK, which ``semiqc[pairwise]`` installs.
Seconds are those of registering one frame, which is nearly all; a study that is judged at
end-diastole and end-systole takes twice as many. Of each way the error is given as it comes, and
after a line per structure that is fitted, for every subject, to all the others'.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from plain_pairwise import PlainPairwise

from qc.estimators.reverse.atlas import Atlas
from qc.estimators.reverse.build import atlas_of
from qc.estimators.reverse.forest import ForestTransfer
from qc.estimators.reverse.pairwise import PairwiseTransfer
from qc.estimators.reverse.references import chosen_references
from qc.estimators.reverse.transfer import AtlasTransfer, Transfer
from qc.frames import GradedFrame, by_image, graded_frames
from qc.graded import GradedSet
from semiqc.files.store.reader import Store
from semiqc.measuring.masks import masks
from semiqc.schemes import LabelScheme

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Query:
    """Segmentations of one frame: ``[N]`` of them, their true Dice ``[N, S]``."""

    frames: list[GradedFrame]
    true: Array


def main() -> None:
    """Print the table."""
    asked = _arguments()
    store = Store(asked.store)
    graded = GradedSet(asked.suite / "graded.h5", store)
    start = time.perf_counter()
    references = chosen_references(_one_of_each(graded), asked.references)
    atlas = atlas_of(references, 48)
    print(
        f"{len(atlas.labels)} references brought into one space in"
        f" {time.perf_counter() - start:.0f} s"
    )
    queries = _queries(GradedSet(asked.suite / "test.h5", store), asked.queries)
    ways: dict[str, Transfer] = {
        "common space": AtlasTransfer(atlas, store.scheme),
        "forest, 8 nearest": ForestTransfer(atlas, store.scheme, 8, 0),
    }
    if not asked.skip_pairwise:
        ways["pairwise, from the common space"] = PairwiseTransfer(atlas, store.scheme)
        ways["pairwise, as published"] = PlainPairwise(references, store.scheme)
    print(f"{sum(len(query.frames) for query in queries)} segmentations of {len(queries)} frames")
    print(f"\n| way | s a frame | s, ED and ES | r | MAE | r, line | MAE, line |\n|{'---|' * 7}")
    for name, way in ways.items():
        atlas.lately.clear()
        print(_row(name, way, atlas, queries, store.scheme), flush=True)


def _row(
    name: str, way: Transfer, atlas: Atlas, queries: Sequence[Query], scheme: LabelScheme
) -> str:
    seconds, best = [], []
    allowed = np.ones(len(atlas.labels), np.bool_)
    for query in queries:
        frames = [one.frame() for one in query.frames]
        start = time.perf_counter()
        looked = way.prepare(frames[0], atlas.place(frames[0]), allowed)
        first = looked.overlaps(frames[0])
        seconds.append(time.perf_counter() - start)
        found = [first, *(looked.overlaps(frame) for frame in frames[1:])]
        predicted = np.stack([masks(f.labels, scheme).any(axis=(1, 2, 3)) for f in frames])
        best.append(np.nan_to_num(np.nanmax(np.stack(found), axis=1)) * predicted)
    true = [query.true for query in queries]
    subjects = [query.frames[0].study for query in queries]
    columns = [*_agreement(best, true), *_agreement(_lines(best, true, subjects), true)]
    times = [np.median(seconds), 2 * np.median(seconds)]
    cells = [name, *(f"{s:.2f}" for s in times), *(f"{n:.3f}" for n in columns)]
    return f"| {' | '.join(cells)} |"


def _agreement(found: Sequence[Array], true: Sequence[Array]) -> tuple[float, float]:
    """Correlation and mean absolute error over all structures whose Dice is known."""
    given, wanted = np.concatenate(found), np.concatenate(true)
    known = np.isfinite(wanted)
    r = np.corrcoef(given[known], wanted[known])[0, 1]
    return float(r), float(np.abs(given - wanted)[known].mean())


def _lines(best: Sequence[Array], true: Sequence[Array], subjects: Sequence[str]) -> list[Array]:
    """``best`` put through a line per structure, fitted to the other subjects; held in [0, 1]."""
    moved = []
    for query, subject in zip(best, subjects, strict=True):
        others = [n for n, other in enumerate(subjects) if other != subject]
        x, y = (np.concatenate([of[n] for n in others]) for of in (best, true))
        columns = []
        for structure in range(x.shape[1]):
            known = np.isfinite(y[:, structure])
            slope, height = np.polyfit(x[known, structure], y[known, structure], 1)
            columns.append(np.clip(slope * query[:, structure] + height, 0, 1))
        moved.append(np.stack(columns, axis=1))
    return moved


def _one_of_each(graded: GradedSet) -> list[GradedFrame]:
    """Of each frame one segmentation, for only its reference is used."""
    names = list(zip(graded.studies.tolist(), graded.frames.tolist(), strict=True))
    first = [names.index(name) for name in dict.fromkeys(names)]
    return graded_frames(graded.subset(first))


def _queries(graded: GradedSet, count: int) -> list[Query]:
    frames = graded_frames(graded)
    images = by_image(frames)
    chosen = np.unique(np.linspace(0, len(images) - 1, count).round().astype(int))
    return [
        Query([frames[n] for n in images[one]], graded.dice[np.array(images[one])])
        for one in chosen
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("suite", type=Path, help="folder of `semiqc qc fit`")
    parser.add_argument("store", type=Path)
    parser.add_argument("--queries", type=int, default=12, help="frames that are judged")
    parser.add_argument("--references", type=int, default=100)
    parser.add_argument("--skip-pairwise", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
