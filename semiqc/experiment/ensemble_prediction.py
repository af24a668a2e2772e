"""How an ensemble of a run segments studies."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segmenters import (
    CRF,
    DropoutSamples,
    Ensemble,
    FeatureSpace,
    Members,
    TestTimeAugmentation,
    segment,
    segment_with_uncertainty,
)
from semiqc.experiment.trained import TrainedEnsemble, image_file
from semiqc.files.predictions import (
    PredictedFrame,
    PredictionWriter,
    predicted_labels,
    predicted_uncertainty,
)
from semiqc.files.store.reader import Store
from semiqc.study import Prediction, Study
from semiqc.work.monitor import Tick


@dataclass(frozen=True, eq=False)
class EnsemblePrediction:
    """Segments by the mean of an ensemble, or by its first member with samples or views.

    Predictions carry uncertainty maps where there are several members, samples or views.

    Args:
        ensemble: That segments.
        samples: Of the dropout of a single member; 0 for none.
        views: Of the image, for test-time augmentation of a single member; 0 for none.
        clean: Keep only the largest connected component of each class.
        crf: Refines the probabilities; None leaves them.
        seed: Of samples and views.
    """

    ensemble: TrainedEnsemble
    samples: int
    views: int
    clean: bool
    crf: CRF | None
    seed: int

    def identity(self, studies: Sequence[Study], store: Store) -> dict[str, Any]:
        """All that the predictions of studies of a store, or of stages, depend on."""
        members = self.ensemble.members
        elsewhere = {
            study.name: path.parent.name
            for study in studies
            if (path := image_file(study)) != store.path
        }
        return {
            "trained": [one.stage.key for one in members],
            "weights": [one.weights for one in members],
            "samples": self.samples,
            "views": self.views,
            "studies": [study.name for study in studies],
            "store": store.fingerprint(),
            "crf": asdict(self.crf) if self.crf else None,
            "clean": self.clean,
            "focus": members[0].blank().focus,
            "mirror": members[0].blank().mirror,
            **({"elsewhere": elsewhere} if elsewhere else {}),
        }

    def write(self, studies: Sequence[Study], path: Path, tick: Tick) -> None:
        """Segment studies into a file.

        Args:
            studies: Their labels are not looked at.
            path: Of the file.
            tick: Told the number of each study that is done.
        """
        members = self._members()
        with PredictionWriter(path) as writer:
            for number, study in enumerate(studies, start=1):
                writer.add(study, self._frames(members, study))
                tick(number, {})

    def _frames(self, members: Members | None, study: Study) -> Iterable[PredictedFrame]:
        """What is segmented of a study, frame by frame; with uncertainty maps of ``members``."""
        if members is None:
            alone = self.ensemble.first.segmenter
            return segment(alone, study, clean=self.clean, refine=self.crf)
        return segment_with_uncertainty(members, study, clean=self.clean, refine=self.crf)

    def _members(self) -> Members | None:
        """Whose differences are the uncertainty; None where a single network segments once."""
        segmenters = [one.segmenter for one in self.ensemble.members]
        if len(segmenters) == 1 and not self.samples and not self.views:
            return None
        first, seed = segmenters[0], self.seed
        space = FeatureSpace.of(first, self.ensemble.first.experts)
        if self.samples:
            return DropoutSamples(first, self.samples, seed=seed, space=space)
        if self.views:
            return TestTimeAugmentation(first, self.views, seed=seed, space=space)
        return Ensemble(segmenters, space=space)


def read_predictions(path: Path, studies: Sequence[Study]) -> list[Prediction]:
    """What stands in a file of predictions of studies, read when it is looked at."""
    return [
        Prediction(
            study.name,
            study.image,
            predicted_labels(path, study.name),
            study.spacing,
            uncertainty=predicted_uncertainty(path, study.name),
        )
        for study in studies
    ]
