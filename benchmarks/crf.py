"""Compare the dense CRF with pydensecrf2, which sums its kernels on a permutohedral lattice.

    pip install '.[crf]'
    python benchmarks/crf.py

Phantoms give the images; their references, blurred and broken by noise, the probabilities. Both
programs get the same kernels, weights and number of updates. Prints a table: how far
probabilities and labels lie apart, the Dice of each against the reference, and the time.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pydensecrf.densecrf as dense
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import ndimage

from segmenters.crf import CRF
from semiqc.phantom import short_axis_study
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Study

Refine = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]


def broken(reference: NDArray[np.int8], generator: np.random.Generator) -> NDArray[np.float32]:
    """Probabilities ``[C, Z, Y, X]`` of a segmenter unsure at edges, wrong in places."""
    one_hot = np.stack([reference == value for value in range(len(SHORT_AXIS.classes))])
    spread = (0, 0, 2.0, 2.0)
    scores = ndimage.gaussian_filter(one_hot.astype(np.float64), spread)
    patches = ndimage.gaussian_filter(generator.normal(size=scores.shape), (0, 0, 1.5, 1.5))
    raised = np.exp(6 * scores + 1.5 * patches / patches.std())
    return (raised / raised.sum(axis=0)).astype(np.float32)


def by_lattice(crf: CRF) -> Refine:
    """The same refinement by pydensecrf2."""

    def refine(
        image: NDArray[np.float32], probabilities: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        low, high = np.percentile(image, (1, 99))
        features = (image / ((high - low) * crf.intensity_sd)).astype(np.float32)
        slices = [
            _slice_by_lattice(crf, features[:, z], probabilities[:, z])
            for z in range(image.shape[1])
        ]
        return np.stack(slices, axis=1)

    return refine


def _slice_by_lattice(
    crf: CRF, features: NDArray[np.float32], probabilities: NDArray[np.float32]
) -> NDArray[np.float32]:
    classes, height, width = probabilities.shape
    field = dense.DenseCRF(height * width, classes)
    unary = -np.log(np.maximum(probabilities, 1e-6)).reshape(classes, -1)
    field.setUnaryEnergy(np.ascontiguousarray(unary))
    grid = np.mgrid[:height, :width].astype(np.float32).reshape(2, -1)
    kernels = (
        (grid / crf.smoothness_sd, crf.smoothness),
        (
            np.concatenate([grid / crf.appearance_sd, features.reshape(len(features), -1)]),
            crf.appearance,
        ),
    )
    for kernel, weight in kernels:
        if weight:
            field.addPairwiseEnergy(
                np.ascontiguousarray(kernel, dtype=np.float32),
                compat=weight,
                kernel=dense.DIAG_KERNEL,
                normalization=dense.NORMALIZE_SYMMETRIC,
            )
    found = np.array(field.inference(crf.iterations), dtype=np.float32)
    return found.reshape(classes, height, width)


def mean_dice(labels: NDArray[np.integer], reference: NDArray[np.int8]) -> float:
    """Over the structures."""
    return float(
        np.mean(
            [
                2 * (s.mask(labels) & s.mask(reference)).sum()
                / (s.mask(labels).sum() + s.mask(reference).sum())
                for s in SHORT_AXIS.structures
            ]
        )
    )  # fmt: skip


def compare(crf: CRF, studies: list[Study], seed: int) -> list[str]:
    """One row of the table."""
    generator = np.random.default_rng(seed)
    figures = []
    for study in studies:
        image, reference = study.image[:, 0], study.labels[0]
        given = broken(reference, generator)
        start = time.perf_counter()
        ours = crf(image, given)
        middle = time.perf_counter()
        theirs = by_lattice(crf)(image, given)
        end = time.perf_counter()
        apart = np.abs(ours - theirs)
        figures.append(
            [
                apart.mean(),
                apart.max(),
                (ours.argmax(axis=0) == theirs.argmax(axis=0)).mean(),
                *(mean_dice(p.argmax(axis=0), reference) for p in (given, ours, theirs)),
                1000 * (middle - start),
                1000 * (end - middle),
            ]
        )
    mean = np.mean(figures, axis=0)
    mean[1] = np.max(figures, axis=0)[1]
    digits = (4, 2, 4, 3, 3, 3, 0, 0)
    return [f"{value:.{places}f}" for value, places in zip(mean, digits, strict=True)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--studies", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    studies = [
        short_axis_study(chosen.seed + n, size=96, slices=7, frames=2)
        for n in range(chosen.studies)
    ]
    crf = CRF()
    table = Table(
        "kernels", "mean |difference|", "max", "same label", "Dice before", "ours",
        "pydensecrf2", "ms a frame, ours", "pydensecrf2",
        title=f"one frame of {chosen.studies} phantoms, seed {chosen.seed}, one thread",
    )  # fmt: skip
    for name, variant in (
        ("both", crf),
        ("smoothness", replace(crf, appearance=0.0)),
        ("appearance", replace(crf, smoothness=0.0)),
    ):
        table.add_row(name, *compare(variant, studies, chosen.seed))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
