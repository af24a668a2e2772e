"""A fitted estimator in one safetensors file: what it learned, and its settings as JSON."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from safetensors.numpy import save

from semiqc.doors.json_file import parse_json
from semiqc.doors.regular import refusing
from semiqc.doors.tensors import read_tensors
from semiqc.files.atomic import write_bytes
from semiqc.schemes import LabelScheme

HEADER = "semiqc-estimator"
VERSION = 1

BEFORE: dict[str, Any] = {"every": 1, "judging": "32-true", "all_classes": False}
"""What estimators did before they had these settings: whoever was saved then judges as it did."""


class Fitted(Protocol):
    """What can be saved: a scikit-learn estimator whose first argument is the label scheme."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Its constructor's arguments."""
        ...

    def arrays(self) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
        """What it learned."""
        ...

    def with_arrays(self, arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]) -> Self:
        """Take back what ``arrays`` gave."""
        ...


Kind = TypeVar("Kind", bound=Fitted)


def save_estimator(estimator: Fitted, path: Path) -> None:
    """Write a fitted estimator, whole or not at all.

    Args:
        estimator: Its settings must be what JSON can hold.
        path: File to write or replace.

    Raises:
        sklearn.exceptions.NotFittedError: If it is not fitted.
    """
    arrays = {name: np.asarray(array, order="C") for name, array in estimator.arrays().items()}
    settings = estimator.get_params(deep=False)
    scheme: LabelScheme = settings.pop("scheme")
    header = {
        "version": VERSION,
        "kind": type(estimator).__name__,
        "scheme": scheme.to_json(),
        "settings": settings,
    }
    write_bytes(path, save(arrays, {HEADER: json.dumps(header)}))


def load_estimator(
    path: Path, kinds: Mapping[str, type[Kind]], scheme: LabelScheme | None = None
) -> Kind:
    """Read an estimator that ``save_estimator`` wrote.

    Args:
        path: The file.
        kinds: Estimators that may be read, such as ``qc.ESTIMATORS``.
        scheme: Of the predictions it is to judge; None where any will do.

    Raises:
        ValueError: If the file does not hold such an estimator, or one of another scheme.
    """
    header, arrays = _read(path)
    by_class = {kind.__name__: kind for kind in kinds.values()}
    if header["kind"] not in by_class:
        raise ValueError(
            f"{path}: unknown estimator '{header['kind']}'; known: {', '.join(by_class)}"
        )
    kind = by_class[header["kind"]]
    with refusing(path, "a label scheme in its header"):
        stored = LabelScheme.from_json(header["scheme"])
    if scheme is not None and stored != scheme:
        raise ValueError(
            f"{path}: the estimator judges {_in_words(stored)}, the data has {_in_words(scheme)}"
        )
    parameters = inspect.signature(kind).parameters
    unknown = set(header["settings"]) - set(parameters)
    if unknown:
        raise ValueError(f"{path}: unknown settings of {header['kind']}: {sorted(unknown)}")
    # JSON knows lists only.
    settings: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in header["settings"].items()
    }
    earlier = {name: did for name, did in BEFORE.items() if name in parameters}
    settings = earlier | settings
    with refusing(path, f"what {header['kind']} learned"):
        return kind(stored, **settings).with_arrays(arrays)  # type: ignore[call-arg]


def arrays_below(
    name: str, arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Copies of the arrays whose names begin with ``name/``, named without it."""
    start = f"{name}/"
    return {k.removeprefix(start): np.array(a) for k, a in arrays.items() if k.startswith(start)}


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, np.dtype[Any]]]]:
    arrays, metadata = read_tensors(path, "np")
    if HEADER not in metadata:
        raise ValueError(f"{path}: a safetensors file, but not one that holds an estimator")
    header = parse_json(metadata[HEADER], str(path))
    kinds = {"kind": str, "scheme": dict, "settings": dict}
    if not isinstance(header, dict) or header.get("version") != VERSION:
        found = header.get("version") if isinstance(header, dict) else None
        raise ValueError(f"{path}: estimator of version {found}, expected {VERSION}")
    wrong = [name for name, kind in kinds.items() if not isinstance(header.get(name), kind)]
    if wrong:
        raise ValueError(f"{path}: damaged, its header lacks {', '.join(wrong)}")
    return header, arrays


def _in_words(scheme: LabelScheme) -> str:
    return f"{scheme.name} ({', '.join(scheme.classes)})"
