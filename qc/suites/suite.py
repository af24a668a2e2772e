"""Estimators that judge together, kept in a folder with what they were made for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qc.base import CONSENSUS, Quality, QualityEstimator
from qc.consensus.blend import Blend
from qc.consensus.panel import Panel
from qc.estimators.registry import ESTIMATORS
from qc.saving import load_estimator, save_estimator
from qc.suites.arrays import check_axes, check_numbers
from qc.suites.domain import TrainingDomain
from qc.suites.places import refuse_suite, suite_file
from qc.suites.shipped import SUITE, suite_folder
from semiqc.doors.json_file import read_object
from semiqc.doors.regular import refusing
from semiqc.files.atomic import make_folder, write_text
from semiqc.files.checksums import MANIFEST, DamagedError, damages, entry_of, write_entries
from semiqc.images.preparing import prepared
from semiqc.images.raw import RawStudy, UnusableError
from semiqc.schemes import BACKGROUND, LabelScheme
from semiqc.study import Prediction, Study, UncertaintyMaps

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
LISTED = (".safetensors", ".csv", ".h5")
"""Suffixes of files that a suite's manifest lists, beside its description."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What a suite says of one segmentation.

    Args:
        study: Its name.
        qualities: By estimator's name; error maps lie on the grid of ``prediction``.
        prediction: The segmentation as the estimators saw it.
        warnings: What is odd about the study, and where it is unlike what the suite learned from.
    """

    study: str
    qualities: Mapping[str, Quality]
    prediction: Prediction
    warnings: tuple[str, ...] = ()

    @property
    def score(self) -> float:
        """Of the consensus; without one, the mean of the estimators'."""
        if CONSENSUS in self.qualities:
            return self.qualities[CONSENSUS].score
        return float(np.mean([quality.score for quality in self.qualities.values()]))

    def to_frame(self) -> "pd.DataFrame":
        """A row for each estimator and structure: ``dice``, ``nsd`` and the ends of the interval.

        What an estimator does not tell is NaN.
        """
        import pandas as pd

        rows = [
            (
                *(name, structure, found.dice.get(structure, np.nan)),
                *(found.nsd.get(structure, np.nan), *found.interval.get(structure, (np.nan,) * 2)),
            )
            for name, found in self.qualities.items()
            for structure in dict.fromkeys([*found.dice, *found.nsd])
        ]
        columns = ["estimator", "structure", "dice", "nsd", "dice_low", "dice_high"]
        return pd.DataFrame(rows, columns=columns)

    def _repr_html_(self) -> str:
        """The score, Dice of each structure by estimator, and warnings, for a notebook."""
        table = self.to_frame().pivot(index="structure", columns="estimator", values="dice")
        notes = "".join(f"<li>{escape(warning)}</li>" for warning in self.warnings)
        shown = table[[name for name in self.qualities if name in table]].to_html(
            float_format="{:.3f}".format, na_rep="", border=0
        )
        return f"<p>{escape(self.study)}: score {self.score:.3f}</p>{shown}<ul>{notes}</ul>"


@dataclass(frozen=True, eq=False)
class Suite:
    """Fitted estimators of one label scheme.

    Example:
        >>> suite = Suite.load(Path("suite"))
        >>> scored = suite.score(image, segmentation, spacing=(10.0, 1.4, 1.4))
        >>> scored.qualities["cnn"].dice["LV"]

    Args:
        scheme: Label values and structures of the segmentations it judges.
        estimators: Fitted, by name.
        training: What they learned from.
        blend: Weighs them; None where there is no consensus.
    """

    scheme: LabelScheme
    estimators: Mapping[str, QualityEstimator]
    training: TrainingDomain
    blend: Blend | None = None

    @property
    def names(self) -> list[str]:
        """Of all who judge; the consensus comes last."""
        return self.panel.names

    @property
    def panel(self) -> Panel:
        """The estimators with their blend."""
        return Panel(self.estimators, self.blend)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what ``save`` wrote; ``phantom`` names the suite that is shipped.

        Raises:
            ValueError: If the folder does not hold a suite, or one of its files is damaged.
        """
        folder = suite_folder(folder)
        stored = _read(folder / SUITE)
        with refusing(folder / SUITE, "the description of a suite"):
            scheme = LabelScheme.from_json(stored["scheme"])
            training = TrainingDomain.from_json(stored["training"])
            names = [str(name) for name in stored["estimators"]]
        fitted = {n: load_estimator(suite_file(folder, n), ESTIMATORS, scheme) for n in names}
        blend = None
        if stored.get("blend"):
            blend = load_estimator(suite_file(folder, CONSENSUS), {CONSENSUS: Blend}, scheme)
        if (folder / MANIFEST).exists() or "has_manifest" in stored:
            _refuse_damaged(
                folder, [SUITE, *(suite_file(folder, n).name for n in (*names, CONSENSUS))]
            )
        return cls(scheme, fitted, training, blend)

    def save(self, folder: Path | str) -> None:
        """Write a file for each estimator, and last the one that says they belong together.

        Raises:
            FileExistsError: If the folder holds a suite.
        """
        folder = Path(folder)
        refuse_suite(folder)
        make_folder(folder)
        for name, estimator in self.estimators.items():
            save_estimator(estimator, suite_file(folder, name))
        if self.blend:
            save_estimator(self.blend, suite_file(folder, CONSENSUS))
        described = {
            "version": VERSION,
            "scheme": self.scheme.to_json(),
            "training": asdict(self.training),
            "estimators": sorted(self.estimators),
            "blend": self.blend is not None,
            "has_manifest": True,
        }
        text = json.dumps(described, indent=1)
        files = [path for path in folder.iterdir() if path.suffix in LISTED]
        entries = {path.name: entry_of(path) for path in sorted(files)}
        write_entries(folder, entries | {SUITE: entry_of(text.encode())})
        write_text(folder / SUITE, text)

    def score(
        self,
        image: ArrayLike,
        segmentation: ArrayLike,
        spacing: tuple[float, float, float],
        *,
        name: str = "study",
    ) -> Scored:
        """Judge a segmentation, given as plain arrays.

        Args:
            image: Intensities of any scale, ``[Z, Y, X]``, ``[T, Z, Y, X]`` or
                ``[M, T, Z, Y, X]``.
            segmentation: Label values of the suite's scheme, ``[Z, Y, X]`` or ``[T, Z, Y, X]``.
            spacing: Distance in mm between voxel centres, ordered ``(z, y, x)``.
            name: Of the study.

        Raises:
            ValueError: If the arrays are not such, or not what the suite was made for.
        """
        intensities, labels = np.asarray(image), np.asarray(segmentation)
        check_numbers(name, intensities, labels, spacing)
        check_axes(name, intensities.ndim, labels.ndim)
        if intensities.dtype == bool:
            intensities = intensities.astype(np.uint8)
        intensities = intensities[(None,) * (5 - intensities.ndim)]
        labels = labels[(None,) * (4 - labels.ndim)]
        self._check(name, intensities, labels)
        raw = RawStudy(
            name=name,
            image=intensities,
            labels=labels.astype(np.int8),
            spacing=spacing,
            affine=np.diag([*spacing[::-1], 1.0]),
        )
        return self.judge(prepared(raw, self.training.spacing_mm))

    def judge(self, study: Study, uncertainty: UncertaintyMaps | None = None) -> Scored:
        """Judge the labels of a study that was prepared as ``semiqc import`` does.

        Args:
            study: Its labels are what is judged.
            uncertainty: Of those who made them, where that is known.

        Raises:
            ValueError: If it is not what the suite was made for.
        """
        self._check_modalities(study)
        labels = np.maximum(study.labels[:], BACKGROUND)
        prediction = Prediction(study.name, study.image, labels, study.spacing, uncertainty)
        qualities = self.panel.judge_all(prediction)
        if self.estimators and not qualities:
            raise UnusableError(
                f"{study.name}: {', '.join(self.estimators)} need uncertainty maps: several"
                " segmentations of the image, which `semiqc score --member` takes"
            )
        oddities = self.training.oddities(prediction, study)
        return Scored(study.name, qualities, prediction, (*study.notes, *oddities))

    def _check_modalities(self, study: Study) -> None:
        """Refuse a study of another number of modalities than the suite was fitted to.

        Raises:
            UnusableError: With both numbers.
        """
        if study.image.shape[0] != self.training.modalities:
            raise UnusableError(
                f"{study.name}: {study.image.shape[0]} modalities, the suite was made for"
                f" {self.training.modalities}"
            )

    def _check(self, name: str, image: NDArray[np.generic], labels: NDArray[np.generic]) -> None:
        """Refuse voxels that the suite cannot take, ``[M, T, Z, Y, X]`` and ``[T, Z, Y, X]``.

        Raises:
            UnusableError: If shapes disagree, an intensity is not finite or a label is unknown.
        """
        if labels.shape != image.shape[1:]:
            raise UnusableError(
                f"{name}: segmentation of shape {labels.shape} [T, Z, Y, X] does not fit an image"
                f" of shape {image.shape} [M, T, Z, Y, X]"
            )
        if not np.isfinite(image).all():
            raise UnusableError(f"{name}: image has voxels that are not finite")
        unknown = set(np.unique(labels).tolist()) - set(range(len(self.scheme.classes)))
        if unknown:
            raise UnusableError(
                f"{name}: unknown label values {sorted(unknown)}; the suite was made for"
                f" {self.scheme.name} ({', '.join(self.scheme.classes)})"
            )


def _refuse_damaged(folder: Path, names: Sequence[str]) -> None:
    """Refuse a suite of which one of these files is not what was saved.

    Raises:
        DamagedError: Naming the file.
    """
    if found := damages(folder, only=names):
        raise DamagedError(f"{found[0]}; fit the suite anew")


def _read(path: Path) -> dict[str, Any]:
    """The description of a suite, a JSON object of this ``VERSION``.

    Raises:
        ValueError: If there is no file, it cannot be read, or it is something else.
    """
    if not path.exists():
        raise ValueError(f"{path.parent}: holds no suite, for there is no {path.name}")
    stored = read_object(path)
    if stored.get("version") != VERSION:
        raise ValueError(f"{path}: not a suite of version {VERSION}")
    return stored
