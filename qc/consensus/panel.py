"""Fitted estimators that judge the same predictions, and what blends their qualities."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from qc.base import CONSENSUS, Quality, QualityEstimator
from qc.consensus.blend import Blend
from semiqc.study import Prediction, Voxels


@dataclass(frozen=True, eq=False)
class Panel:
    """Several estimators asked as one: everyone who can judge a prediction, then their blend.

    Example:
        >>> panel = Panel({"svr": svr, "physiology": physiology}, blend)
        >>> panel.judge("svr", prediction).score
        >>> panel.judge_all(prediction)["consensus"].dice["LV"]

    Args:
        estimators: Fitted, by name.
        blend: Fitted on what these estimators say; None where there is no consensus.
    """

    estimators: Mapping[str, QualityEstimator]
    blend: Blend | None = None

    @property
    def names(self) -> list[str]:
        """Names that can be asked for; the consensus comes last."""
        return [*self.estimators, *([CONSENSUS] if self.blend else [])]

    def able(self, prediction: Prediction) -> list[str]:
        """Names of the estimators that can judge a prediction."""
        return [name for name, one in self.estimators.items() if one.can_judge(prediction)]

    def ask(self, prediction: Prediction, *, without: Collection[str] = ()) -> dict[str, Quality]:
        """What every estimator says that can judge the prediction, by name; not blended.

        Args:
            prediction: That is judged.
            without: Names of estimators that are not asked.
        """
        return {
            name: self.judge(name, prediction)
            for name in self.able(prediction)
            if name not in without
        }

    def judge(
        self, name: str, prediction: Prediction, *, without: Collection[str] = ()
    ) -> Quality:
        """What one estimator, or the consensus of all who can judge, says of a prediction.

        Args:
            name: One of ``names``.
            prediction: That is judged.
            without: Names of estimators that the consensus leaves out.

        Raises:
            ValueError: If nobody has the name, or the estimator cannot judge the prediction.
        """
        if name in self.estimators:
            (quality,) = self.estimators[name].predict([prediction])
            return quality
        return self.blend_of(name).judge(self.ask(prediction, without=without), prediction)

    def judge_all(self, prediction: Prediction) -> dict[str, Quality]:
        """What all say, by name: who can judge the prediction, and their consensus last.

        It is empty where no estimator can judge the prediction.
        """
        said = self.ask(prediction)
        if self.blend and said:
            said[CONSENSUS] = self.blend.judge(said, prediction)
        return said

    def error_maps(self, name: str, prediction: Prediction) -> Mapping[str, Voxels]:
        """Error maps of each structure by an estimator or the consensus; none if it gives none.

        For the consensus, estimators without error maps are not asked.
        """
        without = [n for n, one in self.estimators.items() if not one.gives_error_maps]
        if name in without or (name in self.estimators and name not in self.able(prediction)):
            return {}
        return self.judge(name, prediction, without=without).error_maps

    def blend_of(self, name: str) -> Blend:
        """The blend, which is asked for by the name of the consensus.

        Raises:
            ValueError: If there is none, or the name is another.
        """
        if name != CONSENSUS or self.blend is None:
            raise ValueError(f"no estimator '{name}'; known: {', '.join(self.names)}")
        return self.blend
