"""How a suite judges what it was not taught, mends slices, and how long it takes.

    semiqc qc fit store.h5 -o suite --test 21
    python benchmarks/qc_suite.py unseen suite store.h5       # forest and noise attack
    python benchmarks/qc_suite.py shifted suite store.h5      # another scanner's images
    python benchmarks/qc_suite.py shifted suite store.h5 other.h5   # those of the same subjects
    python benchmarks/qc_suite.py correction suite store.h5   # a damaged slice in each study
    python benchmarks/qc_suite.py taught suite store.h5       # a network that RCA has taught
    python benchmarks/qc_suite.py learning suite store.h5 learning.png   # share of the studies
    python benchmarks/qc_suite.py missing suite store.h5      # one modality after the other
    python benchmarks/qc_suite.py speed suite                 # a cine of 30 frames, 10 slices

All but the last look at the subjects that ``--test`` held out, as ``suite/split.csv`` names them.
"""

import cProfile
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom
from sklearn.base import clone
from slice_correction import DAMAGES, Volumes, print_corrections, volumes_of

from qc.base import Graded, QualityEstimator
from qc.estimators.reverse.estimator import ReverseClassification
from qc.evaluation import (
    evaluate,
    learning_curve,
    learning_curves,
    save,
)
from qc.evaluation.markdown import markdown_of
from qc.graded import (
    CnnLadder,
    ForestSource,
    GradedSet,
    NoiseAttack,
    balanced_subset,
    grade_held_out,
)
from qc.graded.by_estimator import graded_by
from qc.graded.models import default_training
from qc.suites.suite import Suite
from segmenters import TrainingSettings, UNet, segment
from semiqc.files.store.reader import Store
from semiqc.files.store.writer import StoreWriter
from semiqc.files.tables import SplitRow, read_rows
from semiqc.phantom import short_axis_study
from semiqc.study import Prediction, Study

REPEATS = 4
"""Of what is timed; the first does not count."""
SHARES = (0.1, 0.25, 0.5, 1.0)
"""Of the studies that teach, for the curve of learning."""
CHANNELS, DROPOUT, SAMPLES = (16, 32, 64, 128), 0.1, 8
"""Of the networks whose segmentations are judged; samples of dropout give them uncertainty."""
PROFILED = 4
"""Functions that a profile names, those with most time of their own."""
STEPS = 400
"""Of the network that the noise attack attacks."""


def unseen(suite: Suite, folder: Path, store: Store) -> None:
    """The table on segmentations by kinds of model that taught nothing."""
    train, test = (_names(folder, role) for role in ("labelled", "test"))
    sources = {
        "forest": ForestSource(trees=100, depths=(2, 4, 6, 8, 12, 16, 24, 40)),
        "noise": NoiseAttack(
            store.scheme,
            channels=CHANNELS,
            dropout=DROPOUT,
            samples=SAMPLES,
            training=replace(default_training(), steps=STEPS, batch_size=8),
        ),
    }
    with tempfile.TemporaryDirectory() as temporary:
        graded = grade_held_out(store, Path(temporary) / "unseen.h5", sources, train, test)
        _print_table(suite, graded)


def shifted(suite: Suite, folder: Path, store: Store, other: Store | None = None) -> None:
    """The table on what a ladder of networks makes of another scanner's images.

    Neither the networks nor the estimators have seen that scanner. Its images are those in
    ``other``, of subjects of the same names; without, the suite's own are altered.
    """
    train, test = (_names(folder, role) for role in ("labelled", "test"))
    ladder = CnnLadder(
        store.scheme, rungs=8, steps=(40, 400), channels=CHANNELS, dropout=DROPOUT, samples=SAMPLES
    )
    with tempfile.TemporaryDirectory() as temporary:
        elsewhere = Path(temporary) / "elsewhere.h5"
        with StoreWriter(elsewhere, store.scheme, store.modalities) as writer:
            for name in train:
                writer.add(store.study(name))
            for study in ((other or store).study(name) for name in test):
                image = study.image if other else other_scanner(np.asarray(study.image[:]))
                writer.add(replace(study, image=image))
        path = Path(temporary) / "shifted.h5"
        graded = grade_held_out(Store(elsewhere), path, {"ladder": ladder}, train, test)
        _print_table(suite, graded)


def other_scanner(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Coarser by 1.6, darker in the middle tones, with a bias field from left to right."""
    size = image.shape[-2:]
    coarse = zoom(
        gaussian_filter(image, (0, 0, 0, 0.8, 0.8)), (1, 1, 1, 1 / 1.6, 1 / 1.6), order=1
    )
    back = [1, 1, 1, *(n / m for n, m in zip(size, coarse.shape[-2:], strict=True))]
    smooth = zoom(coarse, back, order=1)
    field = np.linspace(0.75, 1.25, size[1], dtype=np.float32)
    found: NDArray[np.float32] = np.clip(smooth, 0, None) ** 1.4 * field
    return found.astype(np.float32)


def correction(suite: Suite, folder: Path, store: Store) -> None:
    """Relative volume errors with a mid-slice of each frame damaged, and with it replaced.

    Beside the estimators that judge slices stands a judge who knows nothing, ``nobody``: what is
    corrected then is what the rule does by itself, which fills lost slices.
    """
    train = [store.study(name) for name in _names(folder, "labelled")]
    training = TrainingSettings(steps=2 * STEPS, batch_size=12, report_every=100)
    segmenter = UNet(store.scheme, channels=(16, 32, 64, 128, 256), training=training).fit(train)
    judges = {n: e for n, e in suite.estimators.items() if e.estimates_slices}
    found: list[Volumes] = []
    for number, name in enumerate(_names(folder, "test")):
        kind = DAMAGES[number % len(DAMAGES)]
        found += volumes_of(store.study(name), segmenter, judges, kind)
    print_corrections(found)


def taught(suite: Suite, folder: Path, store: Store) -> None:
    """A network that learns from reverse classification, beside its teacher and true Dice.

    Robinson et al., MICCAI 2018, experiment 2. The teacher knows the references of some frames
    and no Dice; the pupil what the teacher says of the suite's graded segmentations. The network
    of the suite itself has learned from the true Dice of the same segmentations.
    """
    graded, test = (GradedSet(folder / name, store) for name in ("graded.h5", "test.h5"))
    teacher = ReverseClassification(suite.scheme, calibrate=False).fit(graded)
    lessons = list(graded_by(teacher, (one.prediction for one in graded)))
    found: dict[str, QualityEstimator] = {
        "reverse classification": teacher,
        "network, its pupil": clone(suite.estimators["cnn"]).fit(lessons),
        "network, true Dice": suite.estimators["cnn"],
    }
    held = test.subset(balanced_subset(test.mean_dice, np.random.default_rng(0)))
    print(markdown_of(evaluate(found, held, suite.scheme).table()))


def missing(suite: Suite, folder: Path, store: Store) -> None:
    """The held-out segmentations judged with each modality of the images missing in turn."""
    held = GradedSet(folder / "test.h5", store)
    held = held.subset(balanced_subset(held.mean_dice, np.random.default_rng(0)))
    print(f"{'without':12}{'estimator':14}{'n':>5}{'MAE':>8}{'r':>8}{'error map':>12}")
    for lost, name in enumerate(("nothing", *store.modalities), start=-1):
        graded = [_without(one, lost) for one in held]
        for row in evaluate(suite.panel, graded, suite.scheme).table():
            if (row.by, row.quality, row.structure) == ("all", "dice", "all"):
                figures = f"{row.mae:8.3f}{row.pearson:8.3f}{row.error_map_dice:12.3f}"
                print(f"{name:12}{row.estimator:14}{row.n:5}{figures}", flush=True)


def _without(graded: Graded, modality: int) -> Graded:
    """With a modality of the image all zero; -1 leaves all."""
    image = np.array(graded.prediction.image[:])
    if modality >= 0:
        image[modality] = 0
    return replace(graded, prediction=replace(graded.prediction, image=image))


def learning(suite: Suite, folder: Path, store: Store, picture: Path) -> None:
    """Error after learning from ever more of the suite's studies, and a picture of it.

    Each estimator is taught anew with the settings that it has in the suite.
    """
    train, test = (GradedSet(folder / name, store) for name in ("graded.h5", "test.h5"))
    rows = {
        name: learning_curve(partial(clone, estimator), train, test, suite.scheme, SHARES)
        for name, estimator in suite.estimators.items()
    }
    print(f"{'mean of structures':20}{'studies':>8}{'MAE':>8}{'95 % CI':>16}{'r':>8}")
    for name, found in rows.items():
        for row in found:
            if (row.quality, row.structure) == ("dice", "all"):
                interval = f"{row.mae_low:.3f} to {row.mae_high:.3f}"
                print(f"{name:20}{row.studies:8}{row.mae:8.3f}{interval:>16}{row.pearson:8.3f}")
    save(learning_curves(rows), picture)


def speed(suite: Suite) -> None:
    """Seconds to segment a cine of 30 frames and 10 slices, and to judge it.

    Each time another one, for some estimators remember images that they have seen.
    """
    studies = [short_axis_study(seed, frames=30, slices=10, size=96) for seed in range(REPEATS)]
    training = TrainingSettings(steps=1, batch_size=2)
    segmenter = UNet(suite.scheme, training=training).fit(studies[:1])
    predictions = [
        Prediction(study.name, study.image, np.asarray(study.labels[:]), study.spacing)
        for study in studies
    ]
    jobs: dict[str, list[Callable[[], object]]] = {
        "U-Net 16..256 segments": [partial(_segment, segmenter, study) for study in studies]
    }
    for name, estimator in suite.estimators.items():
        if estimator.can_judge(predictions[0]):
            jobs[f"{name} judges"] = [partial(estimator.predict, [one]) for one in predictions]
    print(f"{'30 frames, 10 slices':28}{'s':>8}{'min':>8}{'max':>8}   of which")
    for name, of_one in jobs.items():
        profile = cProfile.Profile()
        profile.runcall(of_one[0])
        seconds = [_seconds(job) for job in of_one[1:]]
        middle = statistics.median(seconds)
        print(f"{name:28}{middle:8.2f}{min(seconds):8.2f}{max(seconds):8.2f}   {_most(profile)}")


def _most(profile: cProfile.Profile) -> str:
    """The functions in which most time was spent, and the share of it."""
    timed = pstats.Stats(profile).get_stats_profile()
    spent = sorted(timed.func_profiles.items(), key=lambda item: -item[1].tottime)[:PROFILED]
    return ", ".join(f"{name} {one.tottime / timed.total_tt:.0%}" for name, one in spent)


def _segment(segmenter: UNet, study: Study) -> None:
    for _ in segment(segmenter, study):
        pass


def _seconds(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _names(folder: Path, role: str) -> list[str]:
    return [row.study for row in read_rows(folder / "split.csv", SplitRow) if row.role == role]


def _print_table(suite: Suite, graded: Sequence[Graded]) -> None:
    found = evaluate(suite.panel, graded, suite.scheme)
    print(markdown_of(found.table()))


if __name__ == "__main__":
    table, folder = sys.argv[1], Path(sys.argv[2])
    if table == "speed":
        speed(Suite.load(folder))
    elif table == "learning":
        learning(Suite.load(folder), folder, Store(Path(sys.argv[3])), Path(sys.argv[4]))
    elif table == "shifted":
        shifted(Suite.load(folder), folder, *(Store(Path(path)) for path in sys.argv[3:5]))
    else:
        {"unseen": unseen, "correction": correction, "taught": taught, "missing": missing}[table](
            Suite.load(folder), folder, Store(Path(sys.argv[3]))
        )
