"""What the latent dimension and beta do to the manifold search, how long it takes, and its paths.

    semiqc qc fit store.h5 -o suite --test 21
    python benchmarks/manifold.py ablation suite store.h5     # MAE and r, by m and beta
    python benchmarks/manifold.py default suite store.h5      # per structure, default settings
    python benchmarks/manifold.py speed suite store.h5        # a cine of 30 frames, 10 slices
    python benchmarks/manifold.py paths suite store.h5 -o paths.png

The ablation learns from four fifths of the subjects that the suite learned from and judges
segmentations of the others; ``default`` judges those of the subjects that ``--test`` held out,
every fourth of them. ``--steps`` shortens the training, ``--latent`` and ``--beta`` choose rows
of the ablation, ``--set name=value`` changes other arguments of the estimator.
"""

import argparse
import ast
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray

from qc.base import Graded
from qc.estimators.manifold.estimator import ManifoldSearch
from qc.estimators.manifold.pairs import pairs_of, region_of
from qc.evaluation.agreement import absolute_error, finite_pairs
from qc.frames import GradedFrame, frame_of
from qc.graded import GradedSet, balanced_subset
from semiqc.files.store.reader import Store
from semiqc.phantom import short_axis_study
from semiqc.schemes import UNLABELLED
from semiqc.study import Prediction

LATENTS = (2, 4, 8, 16)
BETAS = (0.0, 1e-3, 1e-2, 1e-1)
PATHS = 5
"""Segmentations whose search is drawn."""
TITLES = ("judged", "start", "half way", "surrogate", "reference")


def ablation(options: argparse.Namespace, store: Store) -> None:
    """Errors over latent dimensions and betas, on subjects held out of the suite's own."""
    taught, judged = parted(GradedSet(options.suite / "graded.h5", store))
    print(f"{'m':>4}{'beta':>8}{'MAE':>8}{'r':>8}{'fit s':>8}")
    for latent in options.latent:
        for beta in options.beta:
            start = time.perf_counter()
            arguments = {**options.set, "latent": latent, "beta": beta}
            estimator = fitted(taught, store, arguments)
            seconds = time.perf_counter() - start
            true, found = judgements(estimator, judged)
            mae = absolute_error(true.ravel(), found.ravel()).mean
            r = np.mean([correlation(*columns) for columns in zip(true.T, found.T, strict=True)])
            print(f"{latent:4}{beta:8g}{mae:8.3f}{r:8.3f}{seconds:8.0f}", flush=True)


def default(options: argparse.Namespace, store: Store) -> None:
    """Errors for each structure on every fourth segmentation of the held-out subjects."""
    taught = GradedSet(options.suite / "graded.h5", store)
    start = time.perf_counter()
    estimator = fitted(taught, store, options.set)
    print(f"fit: {time.perf_counter() - start:.0f} s")
    judged = GradedSet(options.suite / "test.h5", store)[::4]
    start = time.perf_counter()
    true, found = judgements(estimator, judged)
    ms = (time.perf_counter() - start) / len(judged) * 1000
    names = [*(structure.name for structure in store.scheme.structures), "mean"]
    columns = [*zip(true.T, found.T, strict=True), (judged.mean_dice, found.mean(axis=1))]
    print(f"{'':8}{'n':>6}{'r':>8}{'MAE':>8}")
    for name, pair in zip(names, columns, strict=True):
        error = absolute_error(*pair)
        print(f"{name:8}{error.n:6}{correlation(*pair):8.3f}{error.mean:8.3f}")
    print(f"{ms:.0f} ms a frame")


def speed(options: argparse.Namespace, store: Store) -> None:
    """Seconds to judge a cine, after a training that is as short as can be."""
    study = short_axis_study(0, frames=30, slices=10, size=96)
    taught = GradedSet(options.suite / "graded.h5", store)[:34]
    estimator = fitted(taught, store, {**options.set, "steps": options.set.get("steps", 50)})
    labels = np.asarray(study.labels[:])
    prediction = Prediction(study.name, study.image, labels, study.spacing)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        estimator.predict([prediction])
        seconds.append(time.perf_counter() - start)
    middle = statistics.median(seconds)
    print(f"30 frames, 10 slices: {middle:.2f} s ({min(seconds):.2f} to {max(seconds):.2f})")


def paths(options: argparse.Namespace, store: Store) -> None:
    """A picture of searches in two latent dimensions, with pairs along them."""
    taught, judged = parted(GradedSet(options.suite / "graded.h5", store))
    estimator = fitted(taught, store, {**options.set, "latent": 2})
    ways = [way_of(judged[int(n)], estimator) for n in np.linspace(0, len(judged) - 1, PATHS)]
    figure = plt.figure(figsize=(14, 2.1 * PATHS), layout="constrained")
    latent_space, shown = figure.subfigures(1, 2, width_ratios=(4, 10))
    draw_latents(latent_space.subplots(), ways)
    grid = shown.subplots(PATHS, len(TITLES), squeeze=False)
    for axes, title in zip(grid[0], TITLES, strict=True):
        axes.set_title(title)
    for number, (row, way) in enumerate(zip(grid, ways, strict=True), start=1):
        draw_pairs(row, way, estimator)
        row[0].text(3, 12, str(number), color="white")
    figure.savefig(options.output, dpi=110)
    print(f"wrote {options.output}")


@dataclass(frozen=True, eq=False)
class Way:
    """The search for the middle slice of a segmentation.

    Args:
        image: ``[Y, X]``.
        labels: That are judged, ``[Y, X]``.
        reference: Likewise.
        latents: That were passed, the last being where the search ended, ``[N, 2]``.
    """

    image: NDArray[np.float32]
    labels: NDArray[np.int8]
    reference: NDArray[np.int8]
    latents: NDArray[np.float32]


def way_of(graded: Graded, estimator: ManifoldSearch) -> Way:
    """Search for one slice."""
    frame = frame_of(graded.prediction, 0)
    region = region_of(frame.image, frame.labels, estimator.size)
    middle = len(region.labels) // 2
    pairs = pairs_of([region]).of(torch.tensor([middle]))
    latents: list[NDArray[np.float32]] = []
    end = estimator.searched(pairs, lambda items, passed: latents.extend(passed.cpu().numpy()))
    reference = region.box.cut(GradedFrame(graded, 0).reference(), UNLABELLED)
    return Way(
        region.images[middle, 0].astype(np.float32),
        region.labels[middle],
        reference[middle].astype(np.int8),
        np.concatenate([latents, end.cpu().numpy()]),
    )


def draw_latents(axes: Axes, ways: Sequence[Way]) -> None:
    """Where the searches went, from green to red."""
    for number, way in enumerate(ways, start=1):
        axes.plot(*way.latents.T, ".-", color="0.5", linewidth=0.8, markersize=3)
        axes.plot(*way.latents[0], "o", color="tab:green")
        axes.plot(*way.latents[-1], "o", color="tab:red")
        axes.annotate(str(number), way.latents[0], xytext=(4, 4), textcoords="offset points")
    axes.set(xlabel="first latent dimension", ylabel="second latent dimension", aspect="equal")


def draw_pairs(row: Sequence[Axes], way: Way, estimator: ManifoldSearch) -> None:
    """What was judged, what the manifold has on the way, and what is true."""
    stops = way.latents[[0, len(way.latents) // 2, -1]]
    images, labels = estimator.decoded(torch.from_numpy(stops))
    shown = [
        (way.image, way.labels),
        *zip(images[:, 0], labels, strict=True),
        (way.image, way.reference),
    ]
    for axes, (image, segmentation) in zip(row, shown, strict=True):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1)
        axes.imshow(np.ma.masked_less(segmentation, 1), alpha=0.4, vmin=1, vmax=4)
        axes.set_axis_off()


def parted(graded: GradedSet) -> tuple[GradedSet, GradedSet]:
    """All of four fifths of the studies, and of the others as many of each tenth of Dice."""
    names = np.random.default_rng(0).permutation(sorted(set(graded.studies)))
    fifth = max(1, len(names) // 5)
    others = graded.of_studies(names[:fifth].tolist())
    judged = others.subset(balanced_subset(others.mean_dice, np.random.default_rng(0)))
    return graded.of_studies(names[fifth:].tolist()), judged


def fitted(taught: GradedSet, store: Store, arguments: Mapping[str, Any]) -> ManifoldSearch:
    """An estimator with these arguments, fitted."""
    modalities = taught[0].prediction.image.shape[0]
    return ManifoldSearch(store.scheme, **{"modalities": modalities, **arguments}).fit(taught)


def judgements(
    estimator: ManifoldSearch, judged: GradedSet
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True and estimated Dice, ``[N, S]`` both."""
    qualities = estimator.predict([one.prediction for one in judged])
    return judged.dice, np.array([list(quality.dice.values()) for quality in qualities])


def correlation(true: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    """Pearson's r of the pairs whose numbers are known; NaN where either is always the same."""
    known = finite_pairs(true, found)
    if min(np.ptp(column) for column in known) == 0:
        return float("nan")
    return float(np.corrcoef(*known)[0, 1])


def main() -> None:
    """Run the table that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tables = {"ablation": ablation, "default": default, "speed": speed, "paths": paths}
    parser.add_argument("table", choices=tables)
    parser.add_argument("suite", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=Path("manifold_paths.png"))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--latent", type=int, nargs="+", default=LATENTS)
    parser.add_argument("--beta", type=float, nargs="+", default=BETAS)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    changes = (change.partition("=") for change in options.set)
    options.set = {name: value_of(text) for name, _, text in changes}
    if options.steps is not None:
        options.set["steps"] = options.steps
    tables[options.table](options, Store(options.store))


def value_of(text: str) -> object:
    """A number, truth value or tuple as Python writes it; else the text."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


if __name__ == "__main__":
    main()
