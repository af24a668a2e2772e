r"""Do phantoms teach the curve classifier? Verdicts on real cines by three teachers.

    python benchmarks/phantom_curves.py runs/acdc --phantoms 30

The run is a finished `semiqc run` on real cines. All networks that its ladder left segment usual
phantoms, whose reference is known in every frame, and a simulated reader gives the verdicts: that
teaches one classifier. Another learns from the run's own qc studies, whose reference is known in
the labelled frames; a third from both. All judge what the run predicted of its other studies.
AUC is of telling erroneous from good predictions, rho is Spearman's with the mean Dice.
"""

import argparse
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from qc import Graded
from qc.estimators.curve.estimator import CurveClassifier
from qc.verdicts import SimulatedReader
from segmenters import SEGMENTERS, NetworkSegmenter, predict
from segmenters.weights import HEADER
from semiqc.experiment.evaluation import true_dice
from semiqc.experiment.finished import Finished
from semiqc.files.hdf5 import StoreError
from semiqc.files.predictions import predicted_labels
from semiqc.files.store.reader import Store
from semiqc.phantom import write_phantoms
from semiqc.study import Prediction, Study

LEFT = ("snapshot-*.safetensors", "last.safetensors", "weights.safetensors")
"""Files with weights that a training leaves."""


class Judged(NamedTuple):
    """What one teacher's classifier said, as the table shows it."""

    teacher: str
    taught_on: int
    auc: float
    rho: float


def networks(finished: Finished) -> Iterator[NetworkSegmenter]:
    """All networks of a run's ladder and first training, well and badly trained."""
    settings = finished.settings
    folders = sorted((finished.folder / "stages").glob("train-*"))
    for folder in folders:
        if "ladder" not in folder.name and "train-few" not in folder.name:
            continue
        for file in itertools.chain.from_iterable(sorted(folder.glob(left)) for left in LEFT):
            with safe_open(file, framework="pt") as opened:
                described = json.loads(opened.metadata()[HEADER])
            arguments = {**settings.segmenter.arguments, "channels": described["channels"]}
            blank = SEGMENTERS[settings.segmenter.kind](
                finished.scheme,
                len(finished.data["modalities"]),
                training=replace(settings.training, device="cpu"),
                **{**arguments, "channels": tuple(arguments["channels"])},
            )
            yield blank.load(file)


def phantoms(finished: Finished, count: int, seed: int) -> list[Study]:
    """Usual phantoms on the run's spacing, in memory."""
    spacing = finished.data["spacing_mm"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "phantoms.h5"
        write_phantoms(
            path, studies=count, seed=seed, size=int(96 * 1.5 / spacing) // 16 * 16,
            slices=6, frames=20, pixel_mm=spacing,
        )  # fmt: skip
        return [study.load() for study in Store(path)]


def taught_by_phantoms(
    finished: Finished, studies: Sequence[Study], reader: SimulatedReader
) -> list[Graded]:
    """Every network's segmentation of every phantom, with a verdict."""
    found = []
    for number, network in enumerate(networks(finished), start=1):
        for study in studies:
            prediction = predict(network, study)
            graded = Graded(prediction, study.labels, subject=study.name)
            found.append(replace(graded, is_good=reader(graded).is_good))
        print(f"network {number}: {len(found)} segmentations", flush=True)
    return found


def predictions(
    finished: Finished, reader: SimulatedReader, *, of_qc: bool
) -> tuple[list[Graded], NDArray[np.float64]]:
    """What a run predicted of real studies, with verdicts, and the mean Dice of each."""
    # What was spoilt stands in a store of its own, in place of the sound studies.
    spoilt = sorted((finished.folder / "stages").glob("dirty-*/*.h5"))
    stores = [Store(path) for path in (Path(str(finished.settings.data)), *spoilt)]
    store = {study.name: study for one in stores for study in one}
    graded, dice = [], []
    for file in sorted((finished.folder / "stages").glob("predict-*/predictions.h5")):
        if file.parent.name.startswith("predict-qc") != of_qc:
            continue
        for name in sorted(store):
            try:
                labels = predicted_labels(file, name)
            except StoreError:
                continue
            study = store[name]
            prediction = Prediction(name, study.image, labels, study.spacing)
            one = Graded(prediction, study.labels, subject=study.subject)
            graded.append(replace(one, is_good=reader(one).is_good))
            dice.append(true_dice(prediction, study, finished.scheme))
    return graded, np.array(dice)


def judged(
    teacher: str, lessons: Sequence[Graded], tested: Sequence[Graded], dice: NDArray[np.float64],
    finished: Finished,
) -> Judged:  # fmt: skip
    """Fit a classifier to lessons, and ask it about what is tested."""
    fitted = CurveClassifier(finished.scheme).fit(lessons)
    scores = [quality.score for quality in fitted.predict([one.prediction for one in tested])]
    is_good = [bool(one.is_good) for one in tested]
    rho = float(spearmanr(scores, dice, nan_policy="omit").statistic)
    return Judged(teacher, len(lessons), float(roc_auc_score(is_good, scores)), rho)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="Finished run on real cines.")
    parser.add_argument("--phantoms", type=int, default=30, help="To teach with.")
    parser.add_argument("--seed", type=int, default=0, help="Of the phantoms.")
    options = parser.parse_args()
    finished = Finished.read(options.run)
    bounds = finished.settings.qc.reader
    reader = SimulatedReader(finished.scheme, bounds.min_dice, bounds.max_ef_error)
    real, _ = predictions(finished, reader, of_qc=True)
    tested, dice = predictions(finished, reader, of_qc=False)
    studies = phantoms(finished, options.phantoms, options.seed)
    made = taught_by_phantoms(finished, studies, reader)
    good = sum(bool(one.is_good) for one in tested)
    print(f"\ntested on {len(tested)} predictions of the run, {good} of them good\n")
    print("| taught by | segmentations | AUC | rho with Dice |\n|---|---|---|---|")
    for teacher, lessons in (("qc studies", real), ("phantoms", made), ("both", [*real, *made])):
        row = judged(teacher, lessons, tested, dice, finished)
        print(f"| {row.teacher} | {row.taught_on} | {row.auc:.3f} | {row.rho:.3f} |", flush=True)


if __name__ == "__main__":
    main()
