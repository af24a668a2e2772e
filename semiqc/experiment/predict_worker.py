"""A process that segments a share of the studies of ``semiqc predict``.

See ``semiqc.work.shares`` for who takes which, and ``semiqc.work.engines`` for where it runs.
"""

from semiqc.experiment.learned import find_learned
from semiqc.experiment.new_studies import new_studies
from semiqc.experiment.predict_asked import Asked
from semiqc.experiment.predictor import predictor_of
from semiqc.experiment.unfinished import Unfinished
from semiqc.work.engines.working import as_worker
from semiqc.work.events import Events
from semiqc.work.shares import Outcome, Shares
from semiqc.work.sharing import Worker, refuse_unless_held


def predict_share(asked: Asked, number: int, events: Events) -> None:
    """Segment studies that nobody else segments, until there are none.

    Args:
        asked: Of the command.
        number: Of the worker, from 0.
        events: Told of each study that is done, and of what is noted.

    Raises:
        UnusableError: If the folder is not shared with who began this process.
    """
    learned = find_learned(asked.run, asked.scenario)
    done = Unfinished(asked.output, asked.key(learned), events.note, number)
    refuse_unless_held(done.folder)
    done.refuse_unless_ours()
    predictor = predictor_of(asked, learned, done)
    new = new_studies(learned, asked.images, asked.layout)

    def deal(study: int) -> Outcome:
        outcome = predictor.deal_with(new, study)
        if not outcome.left_out:
            told = done.told(outcome.name)
            predictor.flagging.watch(told.score, told.worst)
        events.done(outcome.name)
        return outcome

    Shares(done.folder, new.names).work(Worker(done.folder, number), deal)


if __name__ == "__main__":
    as_worker(lambda given, number: predict_share(Asked.of_line(given), number, Events()))
