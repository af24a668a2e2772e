"""The verdicts of people in a run: those of ``semiqc review``, or of a CSV file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from qc import read_verdicts
from semiqc.experiment.settings import Settings
from semiqc.experiment.trained import origin, prediction_file
from semiqc.files.tables import VerdictRow
from semiqc.review.agreed import Agreed, agreed
from semiqc.review.records import Records
from semiqc.review.run_queue import (
    CANDIDATE,
    FOLDER,
    TEACHING,
    VERDICTS,
    Queued,
    write_queue,
)
from semiqc.study import Prediction
from semiqc.work.waiting import WaitingError


class Readers:
    """What people say of the first segmenter's predictions.

    A verdict of the review page is of one segmentation: where the segmenter was trained anew,
    it is asked for again. One of a CSV file is of whatever the study's is.

    Args:
        settings: Of the run.
        store: The studies.
        seed: Of the segmenter.

    Attributes:
        taken: The verdicts that were used.
    """

    def __init__(self, settings: Settings, store: Path, seed: int) -> None:
        self.run = settings.output
        self.file = settings.qc.verdicts
        self.is_page = self.file is None and settings.qc.reader.kind == "human"
        self.store = store
        self.seed = seed
        self.taken: list[VerdictRow] = []

    @property
    def are_people(self) -> bool:
        """Whether verdicts are people's, and not a simulated reader's."""
        return self.file is not None or self.is_page

    def verdicts(self, predictions: Sequence[Prediction]) -> dict[str, bool]:
        """By study, whether what the estimators are to learn from is good.

        Raises:
            WaitingError: If the review page is to give them and some are missing.
            ValueError: If the CSV file has none on any of these studies.
        """
        found = self._of(predictions)
        missing = len(predictions) - len(found)
        if self.is_page and missing:
            queued = [Queued(p.study, TEACHING, prediction_file(p)) for p in predictions]
            write_queue(self.run, self.store, queued)
            raise WaitingError(
                f"{self.run}: waits for {missing} of {len(predictions)} verdicts, as qc.reader is"
                f" human: give them with `semiqc review {self.run}`, then run the same command"
                " again"
            )
        if not found:
            raise ValueError(
                f"{self.file}: no verdict on any study that the estimators learn from"
            )
        self._take(found, TEACHING)
        return {name: one.is_good for name, one in found.items()}

    def rejected(self, candidates: Sequence[Prediction]) -> frozenset[str]:
        """Unlabelled studies that must not become pseudo-labels."""
        found = {name: one for name, one in self._of(candidates).items() if not one.is_good}
        self._take(found, CANDIDATE)
        return frozenset(found)

    def _of(self, predictions: Sequence[Prediction]) -> dict[str, Agreed]:
        """What is said of these predictions, by study."""
        if self.file is not None:
            said: Mapping[str, bool] = read_verdicts(self.file)
            names = [one.study for one in predictions if one.study in said]
            return {name: Agreed(name, "", said[name], 1, True) for name in names}
        path = self.run / FOLDER / VERDICTS
        if not self.is_page or not path.exists():
            return {}
        with Records(path) as records:
            judged = {(one.study, one.of): one for one in agreed(records.readings())}
        wanted = [tuple(origin(one)) for one in predictions]
        return {str(study): judged[study, of] for study, of in wanted if (study, of) in judged}

    def _take(self, found: Mapping[str, Agreed], role: str) -> None:
        """Remember each verdict once."""
        rows = [
            VerdictRow(self.seed, one.study, role, one.is_good, one.readers, one.unanimous, one.of)
            for one in found.values()
        ]
        self.taken += [row for row in rows if row not in self.taken]
