"""Other segmentations of the unlabelled studies, of which the best may be kept."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from segmenters import CRF, NetworkSegmenter
from segmenters.starts import digest, start_of
from segmenters.training import PHANTOM
from semiqc.experiment.qc_settings import Rung
from semiqc.experiment.rungs import WHOLE
from semiqc.experiment.trained import Trained, TrainedEnsemble
from semiqc.study import Prediction, Study
from semiqc.work.stages import Stage

VIEWS = 4
"""Of an image, by whose mean it is segmented for the source ``views``."""

Found = Mapping[str, Sequence[Prediction]]
"""Segmentations of all studies, in order, by what made them."""


class Predicting(Protocol):
    """What sources ask of a trainer; see ``StagedTrainer``, which settings cannot import."""

    def blank(self, rung: Rung, member: int = 0, **changes: Any) -> NetworkSegmenter:  # noqa: ANN401
        """A segmenter that is not yet fitted."""
        ...

    def predict(
        self,
        name: str,
        ensemble: TrainedEnsemble,
        studies: Sequence[Study],
        *,
        crf: CRF | None = None,
        uncertainty: bool = True,
        views: int | None = None,
    ) -> list[Prediction]:
        """The studies segmented."""
        ...


@dataclass(frozen=True, eq=False)
class Asked:
    """Of what a source makes segmentations.

    Args:
        trainer: Predicts.
        name: Of the stages.
        model: That segments the studies usually.
        studies: Without labels.
        before: What was kept of studies in earlier rounds, by name.
    """

    trainer: Predicting
    name: str
    model: TrainedEnsemble
    studies: Sequence[Study]
    before: Mapping[str, Prediction] = field(default_factory=dict)


def of_members(asked: Asked) -> Found:
    """Each network of an ensemble alone; nothing of a single one."""
    members = asked.model.members if len(asked.model.members) > 1 else ()
    return {
        f"member {number}": asked.trainer.predict(
            f"{asked.name}-member-{number}",
            TrainedEnsemble((member,)),
            asked.studies,
            uncertainty=False,
        )
        for number, member in enumerate(members, start=1)
    }


def of_views(asked: Asked) -> Found:
    """The first network on several views of the image: turned, shifted, recoloured."""
    model = asked.model.alone
    name = f"{asked.name}-views"
    return {"views": asked.trainer.predict(name, model, asked.studies, views=VIEWS)}


def of_crf(asked: Asked) -> Found:
    """The usual probabilities, refined by a dense CRF."""
    name = f"{asked.name}-crf"
    return {"crf": asked.trainer.predict(name, asked.model, asked.studies, crf=CRF())}


def of_before(asked: Asked) -> Found:
    """What was kept in the round before; nothing in the first round."""
    kept = [asked.before.get(study.name) for study in asked.studies]
    found = [one for one in kept if one is not None]
    return {"before": found} if found and len(found) == len(kept) else {}


def of_phantom(asked: Asked) -> Found:
    """The weights that only phantoms taught.

    Raises:
        ValueError: If none are shipped for the label scheme and the network.
    """
    trainer = asked.trainer
    blank = trainer.blank(WHOLE, start=PHANTOM)
    path = start_of(blank, asked.studies)
    if path is None:
        raise ValueError("candidates: phantom needs weights that are shipped")
    # No training of the run stands behind them, whose key would tell how they segment.
    how = (*blank.training.patch, blank.training.precision)
    stage = Stage(path.parent, "-".join(map(str, (digest(path), *how))))
    model = TrainedEnsemble((Trained(stage, path.name, lambda: trainer.blank(WHOLE)),))
    return {"phantom": trainer.predict("phantom", model, asked.studies, uncertainty=False)}


CANDIDATES: dict[str, Callable[[Asked], Found]] = {
    "members": of_members,
    "views": of_views,
    "crf": of_crf,
    "before": of_before,
    "phantom": of_phantom,
}
"""Sources that settings may name."""


def found_by(sources: Sequence[str], asked: Asked) -> dict[str, Sequence[Prediction]]:
    """What all sources make, without the uncertainty that some have."""
    return {
        source: [replace(one, uncertainty=None) for one in predictions]
        for name in sources
        for source, predictions in CANDIDATES[name](asked).items()
    }
