"""New studies, segmented and judged by what a run or phantoms have taught."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qc import Quality
from segmenters import segment
from semiqc.doors.regular import UnusableError, one_study
from semiqc.exchange.importing import Refusal, read_images
from semiqc.experiment.correcting import correction_rows, corrector_of
from semiqc.experiment.evaluation import curve_rows
from semiqc.experiment.flagging import Flagging
from semiqc.experiment.learned import Learned, find_learned
from semiqc.files.hdf5 import StoreError, is_hdf5
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.files.store.reader import Store
from semiqc.files.tables import (
    ClinicalRow,
    CorrectionRow,
    CurveRow,
    QualityRow,
    write_rows,
)
from semiqc.images.regridding import at_spacing
from semiqc.measuring.measures import ClinicalMeasure, clinical
from semiqc.nifti.writing import write_labels
from semiqc.scoring.scores import StudyScore
from semiqc.scoring.threshold import FLAG_BELOW, check_threshold
from semiqc.study import Prediction, Study
from semiqc.work.monitor import Monitor


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
    clinical: list[ClinicalRow] = field(default_factory=list)
    curves: list[CurveRow] = field(default_factory=list)
    qualities: list[QualityRow] = field(default_factory=list)
    corrections: list[CorrectionRow] = field(default_factory=list)

    def forget(self, study: str) -> None:
        """Drop what was measured of a study."""
        self.clinical = [row for row in self.clinical if row.study != study]
        self.curves = [row for row in self.curves if row.study != study]
        self.qualities = [row for row in self.qualities if row.study != study]
        self.corrections = [row for row in self.corrections if row.study != study]


def predict_images(
    run: Path,
    images: Path,
    output: Path,
    *,
    scenario: str,
    layout: str = "auto",
    flag_below: float = FLAG_BELOW,
    overwrite: bool = False,
    monitor: Monitor,
) -> Predicted:
    """Write ``NAME.nii.gz`` in each study's own geometry, and tables of what was measured.

    The tables are ``measures.csv``, ``curves.csv``, ``quality.csv`` and, where an estimator of
    the run judges slices, ``corrections.csv``: measures with failed slices replaced; those of
    ``semiqc score`` and its page tell what to look at: what scores below ``flag_below`` among
    others. Of several seeds the first is used.

    Raises:
        RunError: If ``run`` is neither ``phantom`` nor a finished run that trained the scenario.
        FileExistsError: If the output folder holds something and ``overwrite`` is not set.
        ValueError: If no image can be used, or ``flag_below`` is not in [0, 1].
    """
    check_threshold(flag_below)
    learned = find_learned(run, scenario)
    if output.exists() and any(output.iterdir()) and not overwrite:
        raise FileExistsError(f"{output}: not empty; say --overwrite to write into it")
    predictor = _Predictor(learned, output, flag_below)
    found, studies = predictor.found, _studies(learned, images, layout)
    output.mkdir(parents=True, exist_ok=True)
    with monitor.progress("predict", 0) as tick:
        for number, study in enumerate(studies, start=1):
            if isinstance(study, Refusal):
                found.left_out.append((study.name, study.reason))
            else:
                predictor.predict_or_leave_out(study)
            tick(number, {})
    _refuse_nothing(found, images)
    _write(found, predictor.flagging, output)
    return found


def _refuse_nothing(found: Predicted, images: Path) -> None:
    """Say why no image could be segmented, if none could.

    Raises:
        ValueError: With the first few reasons.
    """
    if not found.rows:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.left_out[:3])
        raise ValueError(f"{images}: no image could be segmented{reasons and ': ' + reasons}")


def _write(found: Predicted, flagging: Flagging, output: Path) -> None:
    """Write the page and all tables; of the four of measures one without rows gets no file."""
    flagging.write(output, found.left_out)
    write_rows(output / "measures.csv", ClinicalRow, found.clinical)
    write_rows(output / "curves.csv", CurveRow, found.curves)
    write_rows(output / "quality.csv", QualityRow, found.qualities)
    write_rows(output / "corrections.csv", CorrectionRow, found.corrections)


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
        output: Folder for the labels.
        flag_below: Score below which a study is flagged.

    Attributes:
        found: Gets the rows of every study.
    """

    def __init__(self, learned: Learned, output: Path, flag_below: float) -> None:
        self.learned = learned
        self.seed = learned.seed
        self.scheme = learned.scheme
        self.scenario = learned.scenario
        self.output = output
        self.found = Predicted()
        self.flagging = Flagging(learned, flag_below)

    def predict_or_leave_out(self, study: Study) -> None:
        """As ``predict``; a study that cannot be segmented or judged leaves no row and no file."""
        try:
            with one_study(study.name):
                self.predict(study)
        except UnusableError as error:
            self.found.forget(study.name)
            (self.output / f"{study.name}.nii.gz").unlink(missing_ok=True)
            self.found.left_out.append((study.name, str(error)))

    def predict(self, study: Study) -> None:
        """Write the labels of a study, and add its rows to ``found``."""
        # The voxels are read from a file, so that a long cine never stands in memory.
        file = self.output / f".{study.name}.h5"
        try:
            prediction = self._segmented(study, file)
            measured = clinical(prediction.labels, study.spacing, self.scheme)
            self._measure(study, prediction, measured)
            qualities = self._qualities(prediction)
            score = self.flagging.add(study, prediction, qualities, measured)
        finally:
            file.unlink(missing_ok=True)
        if qualities:
            self.found.qualities.append(_quality_row(qualities, self.scenario, self.seed))
        self._correct(prediction, qualities)
        self.found.rows.append(_row(score, qualities, measured))

    def _segmented(self, study: Study, file: Path) -> Prediction:
        """Write a study's labels to NIfTI, and give them back as voxels of ``file``."""
        segmenter, clean = self.learned.segmenter, self.learned.clean
        with PredictionWriter(file) as writer:
            writer.add(study, segment(segmenter, study, clean=clean))
        labels = predicted_labels(file, study.name)
        write_labels(self.output / f"{study.name}.nii.gz", study, labels)
        return Prediction(study.name, study.image, labels, study.spacing)

    def _measure(
        self, study: Study, prediction: Prediction, measured: Sequence[ClinicalMeasure]
    ) -> None:
        """Add the clinical measures and curves of a study, over all of its frames."""
        seed, scenario = self.seed, self.scenario
        self.found.clinical += [
            ClinicalRow(seed, scenario, study.name, study.group, *measure) for measure in measured
        ]
        self.found.curves += curve_rows(prediction, self.scheme, scenario=scenario, seed=seed)

    def _qualities(self, prediction: Prediction) -> dict[str, Quality]:
        """What all say, whoever the gate went by first."""
        said, by = self.learned.panel.judge_all(prediction), self.learned.by
        return dict(sorted(said.items(), key=lambda item: item[0] != by))

    def _correct(self, prediction: Prediction, qualities: Mapping[str, Quality]) -> None:
        """Add measures with failed slices replaced; nothing where no estimator judges slices."""
        corrector = corrector_of(qualities)
        if corrector:
            self.found.corrections += correction_rows(
                prediction,
                qualities[corrector],
                self.scheme,
                scenario=self.scenario,
                seed=self.seed,
            )


def _row(
    score: StudyScore, qualities: Mapping[str, Quality], measured: Sequence[ClinicalMeasure]
) -> tuple[str, str, str, str, str, str]:
    """A study's line of the table that is printed."""
    flagged = "flagged" if score.flagged else ""
    why = "; ".join((*score.warnings, *score.reasons))
    return (score.study, flagged, *_verdict_of(qualities), _in_words(measured), why)


def _verdict_of(qualities: Mapping[str, Quality]) -> tuple[str, str]:
    """Verdict and score of whoever comes first, in words."""
    if not qualities:
        return "not judged", ""
    first = next(iter(qualities.values()))
    verdict = {True: "good", False: "erroneous", None: ""}[first.is_good]
    return verdict, f"{first.score:.3f}"


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


def _in_words(measured: Sequence[ClinicalMeasure]) -> str:
    """Measures without decimals, parted by commas, such as ``LV EDV 121 ml``."""
    return ", ".join(f"{m.structure} {m.measure} {m.value:.0f} {m.unit}" for m in measured)
