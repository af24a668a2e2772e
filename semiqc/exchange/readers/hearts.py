"""The structures of the short axis under the names that data sets give them."""

from collections.abc import Mapping

from semiqc.schemes import BACKGROUND, SHORT_AXIS

NAMES = {
    "RV": {"rv", "rvc", "rvcavity", "rvbp", "rightventricle", "rightventricularcavity"},
    "MYO": {
        "myo",
        "myocardium",
        "lvm",
        "lvmyo",
        "mlv",
        "lvmyocardium",
        "leftventricularmyocardium",
    },
    "LV": {"lv", "lvc", "lvcavity", "lvbp", "leftventricle", "leftventricularcavity"},
}
"""Of each class of ``SHORT_AXIS``, in lower case and letters alone: as ACDC, M&Ms and what nnU-Net
makes of them have it."""


def short_axis_meaning(labels: Mapping[str, tuple[int, ...]]) -> dict[int, int] | None:
    """Value of ``SHORT_AXIS`` of each value of a file.

    Args:
        labels: Values of each label by name, the background's 0 among them.

    Returns:
        None where the labels are not these three, each with one value.
    """
    found = {BACKGROUND: BACKGROUND}
    for label, values in labels.items():
        if values == (BACKGROUND,):
            continue
        letters = "".join(sign for sign in label.lower() if sign.isalpha())
        known = [name for name, spelt in NAMES.items() if letters in spelt]
        if not known or len(values) != 1:
            return None
        found[values[0]] = SHORT_AXIS.classes.index(known[0])
    return found if len(set(found.values())) == len(SHORT_AXIS.classes) else None
