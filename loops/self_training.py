"""Self-training: segment, judge, keep what the gate admits, learn again from scratch.

Reference:
    Ruijsink, Puyol-Antón et al., "Quality-aware semi-supervised learning for CMR segmentation",
    STACOM 2020. https://doi.org/10.1007/978-3-030-68107-4_10
    With a random gate it is the comparison without quality control; with refined predictions it
    is that of Bai et al., "Semi-supervised learning for network-based cardiac MR image
    segmentation", MICCAI 2017. https://doi.org/10.1007/978-3-319-66185-8_29
    Ours: any number of rounds, each judging all candidates anew, so that a study admitted by
    mistake can be dropped; the stop on a rising validation loss is what the paper proposes
    (section 5) and does not try.
"""

import math
from collections.abc import Iterator, Sequence

from loops.base import Bench, Gating, Model, Round
from semiqc.study import Study


def self_train(
    bench: Bench[Model],
    first: Model,
    experts: Sequence[Study],
    candidates: Sequence[Study],
    *,
    gate: Gating,
    rounds: int = 1,
) -> Iterator[Round[Model]]:
    """Train in rounds, yielding the record of each as it ends.

    Args:
        bench: Trains, segments and judges.
        first: Segmenter trained on ``experts`` alone; it segments the candidates of round 1.
        experts: Studies with an expert's labels.
        candidates: Studies to segment; their own labels are never looked at.
        gate: Chooses among the candidates.
        rounds: At most. It ends earlier where the validation loss rises from one round to the
            next, or where the gate admits nothing.

    Yields:
        One record per round. The model to use is that of the last round that ``is_kept``, and
        ``first`` where there is none.
    """
    hidden = [study.without_labels() for study in candidates]
    model, loss_before = first, math.nan
    for number in range(1, rounds + 1):
        predictions = bench.predict(model, hidden)
        qualities = bench.judge(predictions)
        decisions = gate(qualities)
        pseudo = bench.labelled(hidden, predictions, qualities, decisions)
        if not pseudo:
            yield Round(number, model, loss_before, False, predictions, qualities, decisions)
            return
        model = bench.train(f"round-{number}", experts, pseudo)
        loss = bench.validation_loss(model)
        # Compared with NaN, nothing rises: neither the first round, nor without validation.
        rises = loss > loss_before
        yield Round(number, model, loss, not rises, predictions, qualities, decisions, pseudo)
        if rises:
            return
        loss_before = loss
