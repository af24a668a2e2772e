"""What the parts of a run take on this machine: a few of each are done on phantoms."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from qc import ESTIMATORS, Graded
from qc.estimators.registry import make_estimator
from qc.graded import SOURCES
from qc.graded.registry import make_source
from qc.graded.source import Made
from segmenters import CRF, SEGMENTERS, NetworkSegmenter, segment
from segmenters.training import SCRATCH
from semiqc.experiment.evaluation import clinical_rows, overlap_rows
from semiqc.experiment.qc_settings import LADDER
from semiqc.experiment.settings import Settings
from semiqc.pages.drawing import as_svg, blank
from semiqc.phantom.dataset import PhantomRecipe
from semiqc.phantom.scanner import PROFILES
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction, Study
from semiqc.work.arguments import GIVEN, checked_arguments, parameters_of

FEW, MORE = 1, 3
"""Steps of two trainings, whose difference is what a step takes."""

PHANTOMS, FRAMES = 3, 2
"""How many are made, and frames of each, all labelled."""

SHIFT = 3
"""Pixels by which a segmentation is made worse."""

LARGEST_PHANTOM = 512
"""Rows and columns; larger studies are timed by smaller phantoms."""

NOTHING = (0.0, 0.0, 0.0, 0.0)

STEPS = "steps"
"""Argument of an estimator that learns in so many steps, however much it is given."""


@dataclass(frozen=True)
class Rates:
    """Seconds, of one processor core or with a GPU as they pass.

    Args:
        step: Of a training.
        frame: Segmented by one network.
        refined_frame: Refined by a dense CRF.
        fit: Of all estimators, but for what follows from how much is graded.
        graded_frame: That follows.
        judged_frame: By all estimators.
        weights: Parameters of a network.
        estimator_bytes: Of all estimators, as they are kept.
        source: Of what all sources beside the ladder learn.
        made_frame: Of all that they make of a frame.
        made: Segmentations that they make of a frame.
        measured_frame: Compared with a reference in every figure, and measured.
        figure: Of the report, drawn.
        phantom_frame: Made.
    """

    step: float
    frame: float
    refined_frame: float
    fit: float
    graded_frame: float
    judged_frame: float
    weights: int
    estimator_bytes: float
    source: float = 0
    made_frame: float = 0
    made: float = 0
    measured_frame: float = 0
    figure: float = 0
    phantom_frame: float = 0


def rates_of(settings: Settings, size: tuple[int, int, int]) -> Rates:
    """What the parts of a run take.

    Args:
        settings: Of the run.
        size: Slices, rows and columns of a study on the segmenters' grid.
    """
    studies: list[Study] = []
    phantom_frame = _seconds(lambda: studies.extend(_phantoms(size))) / (PHANTOMS * FRAMES)
    step, segmenter = _step(settings, studies)
    frame = _seconds(lambda: list(segment(segmenter, studies[0], clean=settings.segmenter.clean)))
    compared = settings.compared().values()
    refined = 0.0
    if any(one.refine for one in compared):
        refined = _seconds(lambda: list(segment(segmenter, studies[0], refine=CRF()))) - frame
    is_fitted = any(one.gate != "none" for one in compared) and settings.qc.suite is None
    names = settings.estimators if is_fitted else ()
    judges = np.array([NOTHING, *(_estimator(name, settings, studies) for name in names)])
    fit, graded, judged, kept = judges.sum(axis=0).tolist()
    weights = sum(one.numel() for one in segmenter.network_.parameters())
    each = frame / FRAMES, max(0.0, refined) / FRAMES
    sources = [name for name in settings.qc.sources if is_fitted and name != LADDER]
    told = np.array([NOTHING[:3], *(_source(name, settings, studies) for name in sources)])
    source, made_frame, made = told.sum(axis=0).tolist()
    return Rates(
        step,
        *each,
        fit,
        graded,
        judged,
        weights,
        kept,
        source,
        made_frame,
        made,
        measured_frame=_measured(settings, studies[0]),
        figure=_drawn(),
        phantom_frame=phantom_frame,
    )


def _phantoms(size: tuple[int, int, int]) -> list[Study]:
    """A few hearts of about that size."""
    slices, rows, columns = size
    edge = min(max(32, round((rows * columns) ** 0.5)), LARGEST_PHANTOM)
    recipe = PhantomRecipe(
        "short-axis", edge, slices, FRAMES, tuple(PROFILES), 0.25, "usual", None, seed=0
    )
    return [recipe.study(number) for number in range(PHANTOMS)]


def _step(settings: Settings, studies: Sequence[Study]) -> tuple[float, NetworkSegmenter]:
    """Seconds of a step, and the segmenter that was trained a little."""
    network = settings.segmenter

    def trained(steps: int) -> NetworkSegmenter:
        training = replace(settings.training, steps=steps, start=SCRATCH, checkpoint=None)
        blank = SEGMENTERS[network.kind](SHORT_AXIS, 1, **network.arguments, training=training)
        return blank.fit(studies)

    segmenter = trained(FEW)
    few = _seconds(lambda: trained(FEW))
    more = _seconds(lambda: trained(MORE))
    return max(0.0, more - few) / (MORE - FEW), segmenter


def _estimator(
    name: str, settings: Settings, studies: Sequence[Study]
) -> tuple[float, float, float, float]:
    """Seconds of a fit, of each frame that it learns from and that is judged; bytes that are kept.

    Those that judge the uncertainty of segmenters by a few numbers take next to nothing. So does
    what cannot learn from the phantoms' two frames: a judge of curves.
    """
    kind = ESTIMATORS[name]
    if kind.needs_uncertainty:
        return NOTHING
    known, new = [_graded(s, shift) for s in studies[:2] for shift in (0, SHIFT)], studies[2]
    arguments = settings.qc.arguments.get(name, {})
    parameters = parameters_of(kind, GIVEN)

    def fitted(graded: Sequence[Graded], **changes: Any) -> Any:  # noqa: ANN401
        return make_estimator(name, SHORT_AXIS, 1, **arguments | changes).fit(graded)

    steps = {STEPS: FEW} if STEPS in parameters else {}
    # Far apart, for a clock is not exact.
    some, many = known[:2], known * 2
    try:
        estimator = fitted(some, **steps)
        less = _seconds(lambda: fitted(some, **steps))
        much = _seconds(lambda: fitted(many, **steps))
    except ValueError:
        return NOTHING
    judged = _seconds(lambda: estimator.predict([_graded(new, SHIFT).prediction])) / FRAMES
    # What is graded costs little beside what a fit takes whatever it is given.
    each = max(0.0, much - less) / (FRAMES * (len(many) - len(some)))
    kept = float(sum(array.nbytes for array in estimator.arrays().values()))
    always = max(0.0, less - each * FRAMES * len(some))
    if not steps:
        return always, each, judged, kept
    step = max(0.0, _seconds(lambda: fitted(some, **{STEPS: MORE})) - less) / (MORE - FEW)
    count = arguments.get(STEPS, parameters[STEPS].default)
    return max(0.0, always - step * FEW) + step * count, each, judged, kept


def _source(name: str, settings: Settings, studies: Sequence[Study]) -> tuple[float, float, float]:
    """Seconds of what a source learns and of what it makes of a frame; how much that is."""
    arguments = checked_arguments(SOURCES[name], settings.qc.arguments.get(name, {}))
    source = make_source(name, SHORT_AXIS, seed=0, **arguments)

    def made(steps: int) -> list[Made]:
        return list(source.with_training_steps(steps).make(studies[:2], studies[2:]))

    per_frame = len(made(FEW)) / FRAMES
    few = _seconds(lambda: made(FEW))
    if not source.training_steps:
        return 0.0, few / FRAMES, per_frame
    step = max(0.0, _seconds(lambda: made(MORE)) - few) / (MORE - FEW)
    return step * source.training_steps, max(0.0, few - step * FEW) / FRAMES, per_frame


def _measured(settings: Settings, study: Study) -> float:
    """Seconds to compare a frame with its reference, and to measure both."""
    moved = np.roll(np.asarray(study.labels), SHIFT, axis=-1)
    prediction = Prediction(study.name, study.image, moved, study.spacing)
    asked = settings.evaluation

    def measured() -> None:
        overlap_rows(
            prediction, study, SHORT_AXIS, tolerance_mm=asked.nsd_tolerance_mm, grid=asked.grid
        )
        for labels in (moved, study.labels):
            clinical_rows(labels, study, SHORT_AXIS, scenario="", seed=0)

    return _seconds(measured) / FRAMES


def _drawn() -> float:
    """Seconds of a figure of the report."""

    def drawn() -> None:
        figure, axes = blank(4, 3)
        axes.plot([0, 1], [0, 1], label="line")
        axes.legend()
        as_svg(figure)

    # The first one loads what draws.
    drawn()
    return _seconds(drawn)


def _graded(study: Study, shift: int) -> Graded:
    """A study's own labels, or the same moved aside."""
    labels = np.roll(np.asarray(study.labels), shift, axis=-1)
    prediction = Prediction(study.name, study.image, labels, study.spacing)
    return Graded(prediction, study.labels, not shift, "", study.group, subject=study.subject)


def _seconds(work: Callable[[], object]) -> float:
    """What some work takes: of one core where it runs on the processor, else as it passes."""
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    begin = clock()
    work()
    return clock() - begin
