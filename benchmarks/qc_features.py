"""Time the features of ``qc.estimators.svr.features`` and the estimator that reads them.

    OMP_NUM_THREADS=1 python benchmarks/qc_features.py

A phantom study of 30 frames, 10 slices of 100 x 100, is scored. Prints the shortest of several
runs in ms per frame: one frame at a time, eight at a time, each feature with what it alone needs,
and the whole ``FeatureSVR`` as a suite calls it.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from qc.base import Graded
from qc.estimators.frame_estimator import FRAMES_AT_ONCE
from qc.estimators.svr.estimator import FeatureSVR
from qc.estimators.svr.features import TABLE, features, features_of
from qc.estimators.svr.frame_batch import batch_of
from qc.frames import Frame, frame_of
from semiqc.phantom import short_axis_study
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction


def shortest_ms(work: Callable[[], object], frames: int, repeats: int) -> float:
    """Per frame, of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return 1000 * min(times) / frames


def trained(prediction: Prediction) -> FeatureSVR:
    """Taught by copies of the prediction that are moved further and further."""
    graded = []
    for shift in range(8):
        labels = np.roll(prediction.labels[:], shift, axis=3)
        moved = Prediction(f"moved{shift}", prediction.image, labels, prediction.spacing)
        some = np.ones((prediction.frames, len(SHORT_AXIS.structures)))
        graded.append(Graded(moved, prediction.labels, nsd=some))
    return FeatureSVR(SHORT_AXIS).fit(graded)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    study = short_axis_study(0, size=100, slices=10, frames=chosen.frames)
    prediction = Prediction(study.name, study.image, study.labels, study.spacing)
    frames = [frame_of(prediction, number) for number in range(study.frames)]
    together = frames[:FRAMES_AT_ONCE]
    estimator = trained(prediction)
    table = Table("what", "ms per frame", title=f"{chosen.frames} frames [10, 100, 100]")

    def row(name: str, work: Callable[[], object], count: int) -> None:
        table.add_row(name, f"{shortest_ms(work, count, chosen.repeats):.2f}")

    row("one at a time", lambda: [features(frame, SHORT_AXIS) for frame in frames], len(frames))
    row("eight at a time", lambda: features_of(together, SHORT_AXIS), len(together))
    row("FeatureSVR.predict", lambda: estimator.predict([prediction]), len(frames))
    for feature in TABLE:
        row(f"  {feature.name} alone", alone(feature.of, together), len(together))
    Console().print(table)


def alone(of: Callable[..., object], frames: list[Frame]) -> Callable[[], object]:
    """The feature from a stack on which nothing has been worked out yet."""
    return lambda: of(batch_of(frames, SHORT_AXIS))


if __name__ == "__main__":
    main()
