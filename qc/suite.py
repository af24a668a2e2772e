"""Estimators that judge together, kept in a folder with what they were made for."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qc.base import CONSENSUS, Graded, Quality, QualityEstimator
from qc.blend import Blend, absent_structures
from qc.estimators import ESTIMATORS
from qc.saving import load_estimator, save_estimator
from semiqc.atomic import write_text
from semiqc.importing import prepared
from semiqc.raw import RawStudy, UnusableError
from semiqc.study import BACKGROUND, LabelScheme, Prediction, Study

SUITE = "suite.json"
VERSION = 1
BEYOND = 0.25
"""Share by which a spacing or intensity may lie outside the range of the training."""


@dataclass(frozen=True)
class Training:
    """What a suite learned from, and so what it may be asked about.

    Args:
        modalities: Number of modalities.
        spacing_mm: In plane; images are resampled to it.
        slice_mm: Smallest and largest slice distance.
        brightness: Lowest and highest median of a frame's normalised intensities within the
            segmentation.
        names: Of the studies, which it must not be evaluated on.
        segmentations: Number of graded frames.
        sources: How many of them came from each source.
    """

    modalities: int
    spacing_mm: float
    slice_mm: tuple[float, float]
    brightness: tuple[float, float]
    names: tuple[str, ...]
    segmentations: int
    sources: Mapping[str, int] = field(default_factory=dict)

    @property
    def studies(self) -> int:
        """Number of studies."""
        return len(self.names)

    @classmethod
    def of(cls, graded: Sequence[Graded]) -> Self:
        """What graded predictions of one in-plane spacing and as many modalities tell.

        Raises:
            ValueError: If there are none.
        """
        if not graded:
            raise ValueError("a suite needs at least one graded prediction, got none")
        found = [one.prediction for one in graded]
        brightness = [b for p in found if (b := brightness_of(p)) is not None]
        distances = [p.spacing[0] for p in found]
        sources: dict[str, int] = {}
        for one in graded:
            kind = one.source.partition("-")[0]
            sources[kind] = sources.get(kind, 0) + 1
        return cls(
            modalities=found[0].image.shape[0],
            spacing_mm=float(np.median([np.mean(p.spacing[1:]) for p in found])),
            slice_mm=(min(distances), max(distances)),
            brightness=(min(brightness, default=0.0), max(brightness, default=1.0)),
            names=tuple(sorted({p.study for p in found})),
            segmentations=len(found),
            sources=sources,
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """From what ``dataclasses.asdict`` gave, through JSON."""
        slice_mm, brightness = (
            (float(stored[name][0]), float(stored[name][1])) for name in ("slice_mm", "brightness")
        )
        return cls(
            modalities=int(stored["modalities"]),
            spacing_mm=float(stored["spacing_mm"]),
            slice_mm=slice_mm,
            brightness=brightness,
            names=tuple(str(name) for name in stored["names"]),
            segmentations=int(stored["segmentations"]),
            sources={str(name): int(count) for name, count in stored["sources"].items()},
        )


@dataclass(frozen=True, eq=False)
class Scored:
    """What a suite says of one segmentation.

    Args:
        study: Its name.
        qualities: By estimator's name; error maps lie on the grid of ``prediction``.
        prediction: The segmentation as the estimators saw it.
        warnings: Where the data is unlike what the suite learned from.
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


@dataclass(frozen=True, eq=False)
class Suite:
    """Fitted estimators of one label scheme.

    Example:
        >>> suite = Suite.load(Path("suite"))
        >>> scored = suite.score(image, segmentation, spacing=(10.0, 1.4, 1.4))
        >>> scored.qualities["resnet18"].dice["LV"]

    Args:
        scheme: Label values and structures of the segmentations it judges.
        estimators: Fitted, by name.
        training: What they learned from.
        blend: Weighs them; None where nobody taught how.
    """

    scheme: LabelScheme
    estimators: Mapping[str, QualityEstimator]
    training: Training
    blend: Blend | None = None

    @property
    def names(self) -> list[str]:
        """Of all who judge; the consensus comes last."""
        return [*self.estimators, *([CONSENSUS] if self.blend else [])]

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read what ``save`` wrote.

        Raises:
            ValueError: If the folder does not hold a suite, or one of its files is damaged.
        """
        folder = Path(folder)
        stored = _read(folder / SUITE)
        try:
            scheme = LabelScheme.from_json(stored["scheme"])
            training = Training.from_json(stored["training"])
            names = [str(name) for name in stored["estimators"]]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{folder / SUITE}: not the description of a suite ({error})"
            ) from error
        estimators = {
            name: load_estimator(_file(folder, name), ESTIMATORS, scheme) for name in names
        }
        blend = None
        if stored.get("blend"):
            blend = load_estimator(_file(folder, CONSENSUS), {CONSENSUS: Blend}, scheme)
        return cls(scheme, estimators, training, blend)

    def save(self, folder: Path | str) -> None:
        """Write a file for each estimator, and last the one that says they belong together.

        Raises:
            FileExistsError: If the folder holds a suite.
        """
        folder = Path(folder)
        refuse_suite(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, estimator in self.estimators.items():
            save_estimator(estimator, _file(folder, name))
        if self.blend:
            save_estimator(self.blend, _file(folder, CONSENSUS))
        described = {
            "version": VERSION,
            "scheme": self.scheme.to_json(),
            "training": asdict(self.training),
            "estimators": sorted(self.estimators),
            "blend": self.blend is not None,
        }
        write_text(folder / SUITE, json.dumps(described, indent=1))

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
        intensities = intensities[(None,) * max(0, 5 - intensities.ndim)]
        labels = labels[(None,) * max(0, 4 - labels.ndim)]
        self._check(name, intensities, labels)
        raw = RawStudy(
            name=name,
            image=intensities,
            labels=labels.astype(np.int8),
            spacing=spacing,
            affine=np.diag([*spacing[::-1], 1.0]),
        )
        return self.judge(prepared(raw, self.training.spacing_mm))

    def judge(self, study: Study) -> Scored:
        """Judge the labels of a study that was prepared as ``semiqc import`` does.

        Raises:
            ValueError: If it is not what the suite was made for.
        """
        if study.image.shape[0] != self.training.modalities:
            raise UnusableError(
                f"{study.name}: {study.image.shape[0]} modalities, the suite was made for"
                f" {self.training.modalities}"
            )
        labels = np.maximum(study.labels[:], BACKGROUND)
        prediction = Prediction(study.name, study.image, labels, study.spacing)
        qualities = {
            name: estimator.predict([prediction])[0]
            for name, estimator in self.estimators.items()
            if estimator.can_judge(prediction)
        }
        if self.blend and qualities:
            absent = absent_structures(prediction, self.scheme)
            qualities[CONSENSUS] = self.blend.combine(qualities, absent=absent)
        return Scored(study.name, qualities, prediction, tuple(self._oddities(prediction)))

    def _check(self, name: str, image: NDArray[np.generic], labels: NDArray[np.generic]) -> None:
        if image.ndim != 5 or labels.shape != image.shape[1:]:
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

    def _oddities(self, prediction: Prediction) -> Iterable[str]:
        low, high = self.training.slice_mm
        distance = prediction.spacing[0]
        if not low * (1 - BEYOND) <= distance <= high * (1 + BEYOND):
            yield f"slices {distance:.3g} mm apart, the suite learned from {low:.3g} to {high:.3g}"
        brightness = brightness_of(prediction)
        low, high = self.training.brightness
        margin = BEYOND * max(high - low, 0.1)
        if brightness is None:
            yield "nothing is segmented"
        elif not low - margin <= brightness <= high + margin:
            yield (
                f"median intensity {brightness:.2f} in the segmentation, the suite learned from"
                f" {low:.2f} to {high:.2f}"
            )


def refuse_suite(folder: Path) -> None:
    """Make sure that nothing is overwritten.

    Raises:
        FileExistsError: If the folder holds a suite.
    """
    if (folder / SUITE).exists():
        raise FileExistsError(f"{folder}: holds a suite already; name another folder")


def brightness_of(prediction: Prediction) -> float | None:
    """Median normalised intensity in the segmentation of the first frame that has one."""
    for frame in range(prediction.frames):
        segmented = np.asarray(prediction.labels[frame]) > BACKGROUND
        if segmented.any():
            return float(np.median(np.asarray(prediction.image[0, frame])[segmented]))
    return None


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.safetensors"


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path.parent}: holds no suite, for there is no {path.name}") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from error
    if not isinstance(stored, dict) or stored.get("version") != VERSION:
        raise ValueError(f"{path}: not a suite of version {VERSION}")
    return stored
