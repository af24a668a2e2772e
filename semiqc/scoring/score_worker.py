"""A process that judges a share of the studies of ``semiqc score``.

See ``semiqc.work.shares`` for who takes which, and ``semiqc.work.engines`` for where it runs.
"""

from pathlib import Path

from qc.suites.suite import Suite
from semiqc.scoring.score_asked import Asked
from semiqc.scoring.scorer import KEPT, Scorer
from semiqc.work.engines.working import as_worker
from semiqc.work.events import Events
from semiqc.work.shares import Outcome, Shares
from semiqc.work.sharing import Worker, refuse_unless_held


def score_share(asked: Asked, suite: Suite, folder: Path, number: int, events: Events) -> None:
    """Judge studies that nobody else judges, until there are none.

    Args:
        asked: Of the command.
        suite: That judges.
        folder: Where the command writes to.
        number: Of the worker, from 0.
        events: Told of each study that is done.

    Raises:
        UnusableError: If the folder is not shared with who began this process.
    """
    refuse_unless_held(folder / KEPT)
    scorer = Scorer(suite, asked, folder)

    def deal(study: int) -> Outcome:
        outcome = scorer.deal_with(study)
        if not outcome.left_out:
            scorer.watch(scorer.told(outcome.name))
        events.done(outcome.name)
        return outcome

    Shares(folder / KEPT, scorer.names).work(Worker(folder / KEPT, number), deal)


def _as_asked(given: str, number: int) -> None:
    asked, suite, folder = Asked.of_line(given)
    score_share(asked, Suite.load(suite), folder, number, Events())


if __name__ == "__main__":
    as_worker(_as_asked)
