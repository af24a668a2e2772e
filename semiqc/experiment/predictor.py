"""One new study after another, segmented, measured and judged."""

from collections.abc import Mapping
from pathlib import Path

from qc import Quality
from segmenters import segment
from semiqc.doors.regular import UnusableError, one_study
from semiqc.exchange.importing import Refusal
from semiqc.experiment.correcting import correction_rows, corrector_of
from semiqc.experiment.evaluation import curve_rows
from semiqc.experiment.flagging import Flagging
from semiqc.experiment.learned import Learned
from semiqc.experiment.new_studies import NewStudies
from semiqc.experiment.predict_asked import Asked
from semiqc.experiment.predicted_dicom import PredictedDicom
from semiqc.experiment.predicted_study import PredictedStudy
from semiqc.experiment.unfinished import Unfinished, labels_file
from semiqc.files.hdf5 import close_h5
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.files.tables import ClinicalRow, CorrectionRow, QualityRow
from semiqc.measuring.measures import clinical
from semiqc.nifti.writing import write_labels
from semiqc.study import Prediction, Study
from semiqc.work.shares import Outcome


def predictor_of(asked: Asked, learned: Learned, done: Unfinished) -> "Predictor":
    """Who deals with the studies of a command.

    Raises:
        ValueError: If something is asked for that is not installed.
    """
    dicom = PredictedDicom(asked.output, learned) if asked.dicom_seg else None
    return Predictor(learned, done, Flagging(learned, asked.flag_below), dicom)


class Predictor:
    """Segments, measures and judges studies, and keeps what is told of each.

    Args:
        learned: Segmenter and estimators that are used.
        done: The studies that need not be segmented again.
        flagging: Tells what is to be looked at.
        dicom: Writes DICOM segmentations, where they are wanted.
    """

    def __init__(
        self,
        learned: Learned,
        done: Unfinished,
        flagging: Flagging,
        dicom: PredictedDicom | None = None,
    ) -> None:
        self.learned = learned
        self.seed = learned.seed
        self.scheme = learned.scheme
        self.scenario = learned.scenario
        self.done = done
        self.flagging = flagging
        self.dicom = dicom

    def deal_with(self, new: NewStudies, number: int) -> Outcome:
        """Segment a study, or find that it is done; one that cannot be used leaves no file."""
        name, study = new.names[number], new.read(number)
        if isinstance(study, Refusal):
            return Outcome(name, study.reason)
        try:
            with one_study(name):
                known = self.done.find(study)
                if known is None:
                    self.predict(study)
        except UnusableError as error:
            self.done.forget(name)
            return Outcome(name, str(error))
        if self.dicom is None:
            return Outcome(name)
        labels = labels_file(self.done.output, name)
        return Outcome(name, missed=self.dicom.write(study, labels, is_new=known is None))

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
