"""New studies, segmented and judged by what a run or phantoms have taught."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from semiqc.exchange.importing import Refusal
from semiqc.exchange.readers import manifest
from semiqc.experiment.learned import find_learned
from semiqc.experiment.new_studies import NewStudies, new_studies
from semiqc.experiment.predict_asked import Asked
from semiqc.experiment.predicted_dicom import told_of_misses
from semiqc.experiment.predicted_study import row_of
from semiqc.experiment.predictor import Predictor, predictor_of
from semiqc.experiment.unfinished import Unfinished
from semiqc.files.atomic import make_folder
from semiqc.files.checksums import refuse_sealed
from semiqc.files.places import require_apart, require_folder
from semiqc.files.tables import ClinicalRow, CorrectionRow, CurveRow, QualityRow, write_rows
from semiqc.scoring.threshold import FLAG_BELOW, check_threshold
from semiqc.work.engines.side import Side
from semiqc.work.folder import locked
from semiqc.work.monitor import Monitor
from semiqc.work.shares import Outcome, dealt_with

WORKER = "semiqc.experiment.predict_worker"

TABLES: tuple[tuple[str, type[Any], str], ...] = (
    ("measures.csv", ClinicalRow, "clinical"),
    ("curves.csv", CurveRow, "curves"),
    ("quality.csv", QualityRow, "qualities"),
    ("corrections.csv", CorrectionRow, "corrections"),
)
"""File, kind of row, and attribute of ``PredictedStudy`` that has the rows of a study."""


@dataclass
class Predicted:
    """What became of the images.

    Args:
        rows: Study, whether it is flagged, verdict, score, measures and why to look at it, as a
            table shows them.
        left_out: Name and reason of what could not be read.
    """

    rows: list[tuple[str, str, str, str, str, str]] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


def predict_images(
    run: Path,
    images: Path,
    output: Path,
    *,
    scenario: str | None = None,
    layout: str = "auto",
    flag_below: float = FLAG_BELOW,
    dicom_seg: bool = False,
    overwrite: bool = False,
    monitor: Monitor,
    side: Side | None = None,
) -> Predicted:
    """Write ``NAME.nii.gz`` in each study's own geometry, and tables of what was measured.

    The tables are ``measures.csv``, ``curves.csv``, ``quality.csv`` and, where an estimator of
    the run judges slices, ``corrections.csv``: measures with failed slices replaced; those of
    ``semiqc score`` and its page tell what to look at: what scores below ``flag_below`` among
    others. Of several seeds the first is used. ``dicom_seg`` asks for segmentations in that
    format, too, see ``semiqc.experiment.predicted_dicom``. A command that
    was killed goes on; see ``semiqc.experiment.unfinished``. With ``side`` processes share them.

    Raises:
        FileExistsError: If the output holds anything but this command's unfinished result.
        BlockingIOError: If another process writes into it.
        ValueError: If no image can be used, or an argument or the run not.
    """
    asked = Asked(run, images, output, scenario, layout, flag_below, dicom_seg)
    _check(asked)
    learned = find_learned(run, scenario)
    done = Unfinished(output, asked.key(learned), monitor.note)
    predictor = predictor_of(asked, learned, done)
    command = _Command(predictor, new_studies(learned, images, layout))
    make_folder(output)
    with locked(output):
        done.open(overwrite=overwrite)
        command.predict_all(asked, side, monitor)
        command.refuse_nothing(images)
        command.write(output)
        return command.found


def _check(asked: Asked) -> None:
    """Refuse a threshold or a folder that does not do, before anything is read.

    Raises:
        ValueError: If the threshold is not in [0, 1].
        OSError: If nothing can be written there, or the run or an image lies there.
    """
    check_threshold(asked.flag_below)
    images = asked.images
    read = manifest.named_files(images) if manifest.recognises(images) else [images]
    require_apart(asked.output, asked.run, *read)
    refuse_sealed(asked.output)
    require_folder(asked.output)


class _Command:
    """Gathers what is told of all studies, and writes it.

    Args:
        predictor: Deals with those that no worker has dealt with.
        new: The studies.

    Attributes:
        found: Gets the rows of every study.
    """

    def __init__(self, predictor: Predictor, new: NewStudies) -> None:
        self.predictor = predictor
        self.new = new
        self.done = predictor.done
        self.flagging = predictor.flagging
        self.found = Predicted(left_out=[(one.name, one.reason) for one in new.left_out])
        self._misses: dict[str, str] = {}

    def predict_all(self, asked: Asked, side: Side | None, monitor: Monitor) -> None:
        """Segment all studies, by workers or one after another; what cannot be is left out."""
        names, counted = self.new.names, count(1)
        if side is not None:
            self.done.begin()
        with (
            monitor.progress("predict", len(names)) as tick,
            dealt_with(
                names,
                self.done.folder,
                side,
                monitor,
                lambda: tick(next(counted), {}),
                module=WORKER,
                given=asked.as_line(),
            ) as outcomes,
        ):
            for number, known in enumerate(outcomes):
                self._take(known or self.predictor.deal_with(self.new, number))
                if known is None:
                    tick(next(counted), {})
        for line in told_of_misses(self._misses):
            monitor.note(line)

    def _take(self, outcome: Outcome) -> None:
        """Add what became of a study."""
        if outcome.left_out:
            refusal = Refusal(outcome.name, outcome.left_out)
            self.found.left_out.append((refusal.name, refusal.reason))
            return
        self.done.use(outcome.name)
        told = self.done.told(outcome.name)
        self.found.rows.append(row_of(told))
        self.flagging.keep(told.score, told.worst)
        if outcome.missed:
            self._misses[outcome.name] = outcome.missed

    def refuse_nothing(self, images: Path) -> None:
        """Say why no image could be segmented, if none could; nothing is left to go on from.

        Raises:
            ValueError: With the first few reasons.
        """
        if not self.found.rows:
            self.done.finish()
            reasons = "; ".join(f"{name}: {reason}" for name, reason in self.found.left_out[:3])
            raise ValueError(f"{images}: no image could be segmented{reasons and ': ' + reasons}")

    def write(self, output: Path) -> None:
        """Write the page and all tables; of the four of measures one without rows gets no file.

        What a study has more rows of the more frames it has is read from its file again.
        """
        done = self.done
        self.flagging.write(
            output, self.found.left_out, whole=lambda one: done.told(one.study).score
        )
        for name, kind, of in TABLES:
            write_rows(output / name, kind, self._rows(of))
        done.finish()

    def _rows(self, of: str) -> Iterator[Any]:
        """Of all studies, one study in memory at a time."""
        for study, *_ in self.found.rows:
            yield from getattr(self.done.told(study), of)
