"""A manifest for a plain folder of images, drafted from the names of its files.

A file is of labels where its name ends in ``_gt``, ``_seg``, ``_label``, ``_mask`` or the like, or
lies in a folder called ``labels`` or the like. It belongs to the image of the same name.
"""

import csv
import io
import os
import re
from pathlib import Path

from semiqc.files.walking import files_within
from semiqc.nifti.files import is_image, stem

COLUMNS = ("study", "image", "labels")

_LABELS = re.compile(r"[_-](gt|seg|segmentation|labels?|mask|manual)$", re.IGNORECASE)
_PREFIX = re.compile(r"^(gt|seg|segmentation|labels?|mask)[_-]", re.IGNORECASE)
_FOLDER = re.compile(r"^(labels?|masks?|segmentations?|gt|annotations?)", re.IGNORECASE)
_CHANNEL = re.compile(r"_0000$")


def draft_manifest(source: Path, beside: Path) -> str:
    """The text of a manifest of all images at any depth; empty where there is none.

    Args:
        source: The folder.
        beside: Folder in which the manifest will stand; its paths start there.
    """
    images, labels = _parted(source)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    named: dict[str, int] = {}
    for image in images:
        key = _key(image)
        own = labels.get((image.parent, key)) or _only(labels, key)
        name = key if key not in named else f"{image.parent.name}_{key}"
        named[key] = 1
        paths = [os.path.relpath(path, beside) if path else "" for path in (image, own)]
        writer.writerow([name, *paths])
    # A name that no text can hold is told when the manifest is read.
    return text.getvalue().encode(errors="backslashreplace").decode() if images else ""


def _parted(source: Path) -> tuple[list[Path], dict[tuple[Path, str], Path]]:
    """Images, and files of labels by their folder and the name of their image."""
    images: list[Path] = []
    labels: dict[tuple[Path, str], Path] = {}
    for path in files_within(source):
        if not is_image(path):
            continue
        above = path.relative_to(source).parts[:-1]
        name = stem(path)
        if _LABELS.search(name) or _PREFIX.match(name) or any(map(_FOLDER.match, above)):
            labels[path.parent, _key(path)] = path
        else:
            images.append(path)
    return images, labels


def _key(path: Path) -> str:
    """What the name of an image and that of its labels have in common."""
    return _CHANNEL.sub("", _PREFIX.sub("", _LABELS.sub("", stem(path))))


def _only(labels: dict[tuple[Path, str], Path], key: str) -> Path | None:
    """The only file of labels of that name in any folder; None where there are several."""
    found = [path for (_, name), path in labels.items() if name == key]
    return found[0] if len(found) == 1 else None
