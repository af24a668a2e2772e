"""A fitted estimator in one safetensors file: what it learned, and its settings as JSON."""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from semiqc.files.atomic import whole_file
from semiqc.schemes import LabelScheme

HEADER = "semiqc-estimator"
VERSION = 1


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
    with whole_file(path) as temporary:
        save_file(arrays, temporary, metadata={HEADER: json.dumps(header)})


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
    stored = LabelScheme.from_json(header["scheme"])
    if scheme is not None and stored != scheme:
        raise ValueError(
            f"{path}: the estimator judges {_in_words(stored)}, the data has {_in_words(scheme)}"
        )
    unknown = set(header["settings"]) - set(inspect.signature(kind).parameters)
    if unknown:
        raise ValueError(f"{path}: unknown settings of {header['kind']}: {sorted(unknown)}")
    # JSON knows lists only.
    settings: dict[str, Any] = {
        k: tuple(v) if isinstance(v, list) else v for k, v in header["settings"].items()
    }
    try:
        return kind(stored, **settings).with_arrays(arrays)  # type: ignore[call-arg]
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"{path}: not what {header['kind']} learned ({error})") from error


def arrays_below(
    name: str, arrays: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
) -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    """Copies of the arrays whose names begin with ``name/``, named without it."""
    start = f"{name}/"
    return {k.removeprefix(start): np.array(a) for k, a in arrays.items() if k.startswith(start)}


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, np.dtype[Any]]]]:
    try:
        with safe_open(path, framework="np") as file:
            stored = (file.metadata() or {}).get(HEADER)
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: not a readable safetensors file ({error})") from error
    if stored is None:
        raise ValueError(f"{path}: a safetensors file, but not one that holds an estimator")
    header: dict[str, Any] = json.loads(stored)
    if header["version"] != VERSION:
        raise ValueError(f"{path}: estimator of version {header['version']}, expected {VERSION}")
    return header, arrays


def _in_words(scheme: LabelScheme) -> str:
    return f"{scheme.name} ({', '.join(scheme.classes)})"
