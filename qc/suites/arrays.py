"""Whether plain arrays can be an image and its segmentation."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

from semiqc.images.raw import UnusableError


def check_numbers(
    name: str, image: NDArray[Any], labels: NDArray[Any], spacing: Sequence[float]
) -> None:
    """Refuse arrays that are empty or no numbers, and spacings that are no lengths.

    Raises:
        UnusableError: With what was expected and what came.
    """
    for what, array in (("image", image), ("segmentation", labels)):
        if array.dtype.kind not in "biuf" or not array.size:
            raise UnusableError(
                f"{name}: {what} must be an array of numbers, got shape {array.shape} of"
                f" {array.dtype}"
            )
    try:
        is_usable = len(spacing) == 3 and all(0 < mm < float("inf") for mm in spacing)
    except TypeError:
        is_usable = False
    if not is_usable:
        raise UnusableError(f"{name}: spacing must be three positive mm (z, y, x), got {spacing}")


def check_axes(name: str, of_image: int, of_labels: int) -> None:
    """Refuse a single slice above all, for nobody says which axis it lacks.

    Raises:
        UnusableError: With the axes that were expected.
    """
    if not 3 <= of_image <= 5:
        raise UnusableError(
            f"{name}: image must have axes [Z, Y, X], [T, Z, Y, X] or [M, T, Z, Y, X],"
            f" got {of_image} axes"
        )
    if not 3 <= of_labels <= 4:
        raise UnusableError(
            f"{name}: segmentation must have axes [Z, Y, X] or [T, Z, Y, X], got {of_labels} axes"
        )
