"""Self-training: segment, judge, keep what the gate admits, learn again from scratch.

Reference:
    Ruijsink, Puyol-Antón et al., "Quality-aware semi-supervised learning for CMR segmentation",
    STACOM 2020. https://doi.org/10.1007/978-3-030-68107-4_10
    With a random gate it is the comparison without quality control; with refined predictions it
    is that of Bai et al., "Semi-supervised learning for network-based cardiac MR image
    segmentation", MICCAI 2017. https://doi.org/10.1007/978-3-319-66185-8_29
    Ours: any number of rounds, each judging all candidates anew, so that a study admitted by
    mistake can be dropped; trainings that go on from the model before; the stop on a rising
    validation loss is what the paper proposes (section 5) and does not try.
"""

from collections.abc import Iterator, Sequence

from loops.base import Bench
from loops.records import Candidate, Judged, Labelled, Model, Round, Segmented
from qc import Decision, Quality
from semiqc.study import Prediction, Study


def self_train(
    bench: Bench[Model],
    first: Model,
    experts: Sequence[Study],
    candidates: Sequence[Study],
    *,
    rounds: int = 1,
    warm_start: bool = False,
) -> Iterator[Round[Model]]:
    """Train in rounds, yielding the record of each as it ends.

    Args:
        bench: Trains, segments, judges and chooses.
        first: Segmenter trained on ``experts`` alone; it segments the candidates of round 1.
        experts: Studies with an expert's labels.
        candidates: Studies to segment; their own labels are never looked at.
        rounds: At most. It ends earlier where a round's validation loss is above that of the
            model before it, or where nothing is admitted.
        warm_start: Whether a training starts from the weights of the model before it.

    Yields:
        One record per round. The model to use is that of the last round that ``is_kept``, and
        ``first`` where there is none.
    """
    hidden = [study.without_labels() for study in candidates]
    model, loss = first, bench.validation_loss(first)
    for number in range(1, rounds + 1):
        before, loss_before = model, loss
        judged, pseudo = choose_pseudo_labels(bench, before, hidden)
        if pseudo:
            start = {"start": before} if warm_start else {}
            is_last = number == rounds
            model = bench.train(experts, pseudo, number=number, is_last=is_last, **start)
            loss = bench.validation_loss(model)
        # Where no study is held out, both are NaN, and nothing is above NaN.
        is_kept = bool(pseudo) and not loss > loss_before
        yield Round(number, model, loss, is_kept, before, judged, pseudo)
        if not is_kept:
            return


def choose_pseudo_labels(
    bench: Bench[Model], model: Model, studies: Sequence[Study]
) -> tuple[list[Candidate], Sequence[Study]]:
    """Segment studies, judge them, and label those that are admitted.

    Args:
        bench: Segments, judges and chooses.
        model: That segments.
        studies: Without labels.

    Returns:
        What was done with each study, in order, and the admitted ones with their pseudo-labels.
    """
    segmented = bench.predict(model, studies)
    predictions = segmented.predictions
    judged = bench.judge(predictions)
    decisions = bench.choose(predictions, judged.qualities)
    labelled = bench.label(studies, predictions, judged.qualities, decisions)
    rows = zip(predictions, judged.qualities, decisions, strict=True)
    return [_candidate(*row, segmented, judged, labelled) for row in rows], labelled.studies


def _candidate(
    prediction: Prediction,
    quality: Quality,
    decision: Decision,
    segmented: Segmented,
    judged: Judged,
    labelled: Labelled,
) -> Candidate:
    name = prediction.study
    outcome = labelled.outcomes.get(name)
    return Candidate(
        prediction,
        quality,
        outcome.decision if outcome else decision,
        judged.scores.get(name, {}),
        segmented.repairs.get(name, ""),
        outcome.kept if outcome else None,
    )
