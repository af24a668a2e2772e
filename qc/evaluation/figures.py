"""One row of figures: how well one estimator estimates one quality of one structure."""

from dataclasses import dataclass

from qc.evaluation.agreement import NAN


@dataclass(frozen=True)
class FigureRow:
    """How well one estimator estimates one quality of one structure, over some predictions.

    What is called a figure of rank tells the order alone, and is all that an estimator gets that
    gives only a score, which is then compared with the true Dice. NaN is what cannot be told.

    Args:
        estimator: Its name.
        quality: ``dice``, ``nsd`` or ``score``; of ``all`` structures, where there are several,
            also ``multi_class``, which compares the mean of the estimated Dice with the true Dice
            of all classes at once, Qiu et al.'s.
        structure: Name, or ``all`` for the mean over structures.
        by: ``all`` predictions, or those of one ``group`` or one ``source``.
        stratum: Which group or source; the latter is the part of its name before the first ``-``.
        n: Predictions with a true and an estimated quality.
        missing: Predictions with a true quality and no estimate.
        studies: Studies that the ``n`` are of.
        threshold: From which a quality is good.
        mae: Mean absolute error.
        mae_low: Lower end of its 95 % interval, by bootstrap over subjects.
        mae_high: Upper end.
        mae_sd: Standard deviation of the absolute error.
        bias: Mean of estimate less truth.
        n_below: Of ``n``, those whose true quality is below .5.
        mae_below: Of those.
        mae_below_sd: Of those.
        mae_above: Of the others.
        mae_above_sd: Of the others.
        pearson: Linear correlation.
        pearson_low: Lower end of its 95 % interval, by bootstrap over subjects.
        pearson_high: Upper end.
        spearman: Correlation of ranks; a figure of rank.
        r2: Coefficient of determination.
        within: Share of estimates that are off by at most .05.
        accuracy: Of calling good what is estimated to reach the threshold.
        tpr: Share of the good that is called good.
        fpr: Share of the poor that is called good.
        auroc: Of detecting what is below the threshold; a figure of rank.
        aurc: Area under the risk-coverage curve; a figure of rank.
        excess_aurc: The same less that of the best order; a figure of rank.
        error_map_dice: Mean agreement of the error map with the true errors.
        error_map_sd: Its standard deviation.
        n_maps: Predictions that have it.
        covered: Share of true Dice that lies in the estimator's intervals, where it gives some.
        length: Mean of these intervals'.
        verdict_ks: Kolmogorov-Smirnov distance of the estimates of what readers called good and
            erroneous.
        verdict_p: Its p.
        ms: Median time for one prediction whose image is new to the estimator; NaN where none is.
    """

    estimator: str
    quality: str
    structure: str
    by: str
    stratum: str
    n: int
    missing: int
    studies: int
    threshold: float
    mae: float = NAN
    mae_low: float = NAN
    mae_high: float = NAN
    mae_sd: float = NAN
    bias: float = NAN
    n_below: int = 0
    mae_below: float = NAN
    mae_below_sd: float = NAN
    mae_above: float = NAN
    mae_above_sd: float = NAN
    pearson: float = NAN
    pearson_low: float = NAN
    pearson_high: float = NAN
    spearman: float = NAN
    r2: float = NAN
    within: float = NAN
    accuracy: float = NAN
    tpr: float = NAN
    fpr: float = NAN
    auroc: float = NAN
    aurc: float = NAN
    excess_aurc: float = NAN
    error_map_dice: float = NAN
    error_map_sd: float = NAN
    n_maps: int = 0
    covered: float = NAN
    length: float = NAN
    verdict_ks: float = NAN
    verdict_p: float = NAN
    ms: float = NAN
