"""Estimators and their consensus, let judge the same graded predictions."""

import time
from collections.abc import Callable, Mapping, Sequence

from qc.base import CONSENSUS, Graded, ProgressCallback, Quality, unobserved
from qc.consensus.blend import Blend
from qc.consensus.panel import Panel
from qc.evaluation.agreement import NAN
from qc.evaluation.judgement import Judgement, judgements_of
from qc.evaluation.truth import TrueQuality
from semiqc.images.frames import OneFrame
from semiqc.schemes import LabelScheme
from semiqc.study import Prediction

Timed = tuple[Quality, float]
"""A quality, and in how many ms it was found."""

Hearer = Callable[[str, int, Graded, Quality], None]
"""Told who says what of which prediction."""


def _unheard(name: str, item: int, one: Graded, quality: Quality) -> None:
    pass


def judge(
    panel: Panel,
    graded: Sequence[Graded],
    scheme: LabelScheme,
    *,
    observe: ProgressCallback = unobserved,
    hear: Hearer = _unheard,
) -> list[Judgement]:
    """Let all of a panel judge every prediction; voxels of one at a time stand in memory.

    True qualities are those that the graded predictions bring along, and worked out otherwise.

    Args:
        panel: Who cannot judge a prediction is passed over there.
        graded: Read once, from first to last.
        scheme: Whose structures are judged.
        observe: Told how many predictions are judged, and of how many.
        hear: Told each estimator's name, the number of the prediction, it, and what is said of it.

    Raises:
        ValueError: If there is no estimator or no graded prediction.
    """
    if not panel.estimators or not len(graded):
        raise ValueError(
            "an evaluation needs an estimator and a graded prediction, got"
            f" {len(panel.estimators)} and {len(graded)}"
        )
    stopwatch = _Stopwatch(panel)
    found: list[Judgement] = []
    for item, one in enumerate(graded):
        found += _judgements(stopwatch, one, scheme, item, hear)
        observe(item + 1, len(graded))
    return found


def _judgements(
    stopwatch: "_Stopwatch", one: Graded, scheme: LabelScheme, item: int, hear: Hearer
) -> list[Judgement]:
    """Rows of one prediction: of each estimator that can judge it, and of the consensus."""
    timed = stopwatch.judge_all(one.prediction)
    # Surface Dice takes long, and without an estimate nobody asks for it.
    with_nsd = any(quality.nsd for quality, _ in timed.values())
    true = TrueQuality.of(one, scheme, with_nsd=with_nsd)
    found: list[Judgement] = []
    for name, (quality, ms) in timed.items():
        hear(name, item, one, quality)
        found += judgements_of(quality, one, true, scheme, estimator=name, item=item, ms=ms)
    return found


class _Stopwatch:
    """Asks all of a panel, and takes their times.

    Args:
        panel: That is asked.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self._seen: set[tuple[str, str, int]] = set()

    def judge_all(self, prediction: Prediction) -> dict[str, Timed]:
        """As ``Panel.judge_all``; the time of whoever saw one of the images before is NaN.

        The consensus takes as long as all estimators.
        """
        found = {name: self._judge(name, prediction) for name in self.panel.able(prediction)}
        if self.panel.blend and found:
            found[CONSENSUS] = _blended(self.panel.blend, found, prediction)
        return found

    def _judge(self, name: str, prediction: Prediction) -> Timed:
        """The quality and its time; NaN for the time if a frame of the image was judged before."""
        image = prediction.image
        frames = [image.frame] if isinstance(image, OneFrame) else range(prediction.frames)
        images = {(name, prediction.study, frame) for frame in frames}
        quality, ms = _timed(lambda: self.panel.judge(name, prediction))
        is_new = images.isdisjoint(self._seen)
        self._seen.update(images)
        return quality, ms if is_new else NAN


def _blended(blend: Blend, timed: Mapping[str, Timed], prediction: Prediction) -> Timed:
    """The consensus of what was said; its time includes that of all estimators.

    It is NaN where an estimator's is, for a remembered image would make it look too fast.
    """
    qualities = {name: quality for name, (quality, _) in timed.items()}
    quality, ms = _timed(lambda: blend.judge(qualities, prediction))
    return quality, ms + sum(of_one for _, of_one in timed.values())


def _timed(work: Callable[[], Quality]) -> Timed:
    """What ``work`` gives, and the wall-clock time it took, in ms."""
    start = time.perf_counter()
    quality = work()
    return quality, 1000 * (time.perf_counter() - start)
