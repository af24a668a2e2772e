"""New studies, segmented and judged by what a run or phantoms have taught."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qc import Quality
from segmenters import segment
from semiqc.doors.regular import UnusableError, one_study
from semiqc.exchange.importing import Refusal, read_images
from semiqc.exchange.readers import manifest
from semiqc.experiment.correcting import correction_rows, corrector_of
from semiqc.experiment.evaluation import curve_rows
from semiqc.experiment.flagging import Flagging
from semiqc.experiment.learned import Learned, find_learned
from semiqc.experiment.predicted_dicom import PredictedDicom
from semiqc.experiment.predicted_study import PredictedStudy, row_of
from semiqc.experiment.unfinished import Unfinished, labels_file, remove_results
from semiqc.files.atomic import make_folder
from semiqc.files.checksums import refuse_sealed
from semiqc.files.hdf5 import StoreError, close_h5, is_hdf5
from semiqc.files.places import require_apart, require_folder
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.files.store.reader import Store
from semiqc.files.tables import ClinicalRow, CorrectionRow, CurveRow, QualityRow, write_rows
from semiqc.images.regridding import at_spacing
from semiqc.measuring.measures import clinical
from semiqc.nifti.writing import write_labels
from semiqc.scoring.threshold import FLAG_BELOW, check_threshold
from semiqc.study import Prediction, Study
from semiqc.work.folder import locked
from semiqc.work.monitor import Monitor

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
) -> Predicted:
    """Write ``NAME.nii.gz`` in each study's own geometry, and tables of what was measured.

    The tables are ``measures.csv``, ``curves.csv``, ``quality.csv`` and, where an estimator of
    the run judges slices, ``corrections.csv``: measures with failed slices replaced; those of
    ``semiqc score`` and its page tell what to look at: what scores below ``flag_below`` among
    others. Of several seeds the first is used. With ``dicom_seg`` what comes from DICOM gets
    segmentations in that format, too, see ``semiqc.experiment.predicted_dicom``. A command that
    was killed goes on; see ``semiqc.experiment.unfinished``.

    Raises:
        RunError: If ``run`` is neither ``phantom`` nor a finished run that trained the scenario.
        FileExistsError: If the output holds anything but this command's unfinished result.
        BlockingIOError: If another process writes into it.
        ValueError: If no image can be used, or an argument not.
    """
    _check(flag_below, output, run, images)
    learned = find_learned(run, scenario)
    dicom = PredictedDicom(output, learned) if dicom_seg else None
    make_folder(output)
    with locked(output):
        done = Unfinished(output, f"{learned.key}, flagged below {flag_below}", monitor.note)
        done.open(overwrite=overwrite)
        predictor = _Predictor(learned, done, flag_below, dicom)
        found = predictor.predict_all(_studies(learned, images, layout), monitor)
        _refuse_nothing(found, images, done)
        predictor.write(output)
        done.finish()
    return found


def _check(flag_below: float, output: Path, run: Path, images: Path) -> None:
    """Refuse a threshold or a folder that does not do, before anything is read.

    Raises:
        ValueError: If the threshold is not in [0, 1].
        OSError: If nothing can be written there, or the run or an image lies there.
    """
    check_threshold(flag_below)
    read = manifest.named_files(images) if manifest.recognises(images) else [images]
    require_apart(output, run, *read)
    refuse_sealed(output)
    require_folder(output)


def _refuse_nothing(found: Predicted, images: Path, done: Unfinished) -> None:
    """Say why no image could be segmented, if none could, and leave nothing to go on from.

    Raises:
        ValueError: With the first few reasons.
    """
    if not found.rows:
        done.finish()
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.left_out[:3])
        raise ValueError(f"{images}: no image could be segmented{reasons and ': ' + reasons}")


def _studies(learned: Learned, images: Path, layout: str) -> Iterator[Study | Refusal]:
    """The studies of a store, or the images of a folder on the segmenter's spacing, unlabelled.

    What does not suit the segmenter is yielded as a ``Refusal`` in its place.
    """
    spacing, modalities = learned.spacing_mm, learned.modalities
    if not is_hdf5(images):
        yield from read_images(
            images, spacing=spacing, modalities=modalities, scheme=learned.scheme, layout=layout
        )
        return
    store = Store(images)
    for name in store.names:
        try:
            with one_study(name):
                yield suited(store.study(name), spacing, modalities).without_labels()
        except (StoreError, UnusableError) as error:
            yield Refusal(name, str(error))


def suited(study: Study, spacing_mm: float, modalities: int) -> Study:
    """A study of a store as a segmenter takes it: resampled to its spacing.

    Raises:
        UnusableError: If the study has other modalities, or another size by far.
    """
    if study.image.shape[0] != modalities:
        raise UnusableError(
            f"{study.name}: {study.image.shape[0]} modalities, the run has {modalities}"
        )
    return at_spacing(study, spacing_mm)


class _Predictor:
    """Segments, measures and judges one study after another.

    Args:
        learned: Segmenter and estimators that are used.
        done: The studies that need not be segmented again.
        flag_below: Score below which a study is flagged.
        dicom: Writes DICOM segmentations, where they are wanted.

    Attributes:
        found: Gets the rows of every study.
        flagging: Gets the scores of every study.
    """

    def __init__(
        self,
        learned: Learned,
        done: Unfinished,
        flag_below: float,
        dicom: PredictedDicom | None = None,
    ) -> None:
        self.learned = learned
        self.seed = learned.seed
        self.scheme = learned.scheme
        self.scenario = learned.scenario
        self.done = done
        self.dicom = dicom
        self.found = Predicted()
        self.flagging = Flagging(learned, flag_below)

    def predict_all(self, studies: Iterable[Study | Refusal], monitor: Monitor) -> Predicted:
        """Segment one study after another; what cannot be used is left out."""
        with monitor.progress("predict", 0) as tick:
            for number, study in enumerate(studies, start=1):
                if isinstance(study, Refusal):
                    self.found.left_out.append((study.name, study.reason))
                else:
                    self._predict_or_leave_out(study)
                tick(number, {})
        for line in self.dicom.told() if self.dicom else ():
            monitor.note(line)
        return self.found

    def _predict_or_leave_out(self, study: Study) -> None:
        """As ``predict``; a study that cannot be segmented or judged leaves no row and no file."""
        try:
            with one_study(study.name):
                known = self.done.find(study)
                one = known or self.predict(study)
        except UnusableError as error:
            remove_results(self.done.output, study.name)
            self.found.left_out.append((study.name, str(error)))
        else:
            self.found.rows.append(row_of(one))
            self.flagging.keep(one.score, one.worst)
            if self.dicom:
                labels = labels_file(self.done.output, study.name)
                self.dicom.write(study, labels, is_new=known is None)

    def write(self, output: Path) -> None:
        """Write the page and all tables; of the four of measures one without rows gets no file.

        What a study has more rows of the more frames it has is read from its file again.
        """
        done = self.done
        self.flagging.write(
            output, self.found.left_out, whole=lambda one: done.told(one.study).score
        )
        for name, kind, of in TABLES:
            told = (done.told(study) for study, *_ in self.found.rows)
            write_rows(output / name, kind, (row for one in told for row in getattr(one, of)))

    def predict(self, study: Study) -> PredictedStudy:
        """Write the labels of a study, and give back what is told of it."""
        self.done.begin()
        # The voxels are read from a file, so that a long cine never stands in memory.
        file = self.done.voxels
        try:
            prediction = self._segmented(study, file)
            told = self._told(study, prediction)
        finally:
            close_h5(file)
            file.unlink(missing_ok=True)
        return self.done.keep(study, told)

    def _told(self, study: Study, prediction: Prediction) -> PredictedStudy:
        """What is measured and judged of a study."""
        measured = clinical(prediction.labels, study.spacing, self.scheme)
        qualities = self._qualities(prediction)
        score, worst = self.flagging.flag(study, prediction, qualities, measured)
        seed, scenario = self.seed, self.scenario
        return PredictedStudy(
            score,
            worst,
            [ClinicalRow(seed, scenario, study.name, study.group, *one) for one in measured],
            curve_rows(prediction, self.scheme, scenario=scenario, seed=seed),
            [_quality_row(qualities, scenario, seed)] if qualities else [],
            self._corrections(prediction, qualities),
        )

    def _segmented(self, study: Study, file: Path) -> Prediction:
        """Write a study's labels to NIfTI, and give them back as voxels of ``file``."""
        segmenter, clean = self.learned.segmenter, self.learned.clean
        with PredictionWriter(file) as writer:
            writer.add(study, segment(segmenter, study, clean=clean))
        labels = predicted_labels(file, study.name)
        write_labels(labels_file(self.done.output, study.name), study, labels)
        return Prediction(study.name, study.image, labels, study.spacing)

    def _qualities(self, prediction: Prediction) -> dict[str, Quality]:
        """What all say, whoever the gate went by first."""
        said, by = self.learned.panel.judge_all(prediction), self.learned.by
        return dict(sorted(said.items(), key=lambda item: item[0] != by))

    def _corrections(
        self, prediction: Prediction, qualities: Mapping[str, Quality]
    ) -> list[CorrectionRow]:
        """Measures with failed slices replaced; none where no estimator judges slices."""
        corrector = corrector_of(qualities)
        if not corrector:
            return []
        quality, scenario, seed = qualities[corrector], self.scenario, self.seed
        return correction_rows(prediction, quality, self.scheme, scenario=scenario, seed=seed)


def _quality_row(qualities: Mapping[str, Quality], scenario: str, seed: int) -> QualityRow:
    """What the estimators say of a study, the one that the gate goes by first."""
    first, quality = next(iter(qualities.items()))
    verdicts = {name: one.is_good for name, one in qualities.items() if one.is_good is not None}
    return QualityRow(
        seed=seed,
        scenario=scenario,
        study=quality.study,
        estimator=first,
        score=quality.score,
        is_good=quality.is_good,
        scores={name: one.score for name, one in qualities.items()},
        verdicts=verdicts,
        reasons={name: "; ".join(one.reasons) for name, one in qualities.items() if one.reasons},
    )
