"""Graded segmentations made without leakage: no model segments a subject it learned from."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from qc.graded.source import Made, Source
from qc.graded.store import GradedSet, GradedWriter
from semiqc.files.store.reader import Store
from semiqc.measuring.metrics import NSD_TOLERANCE_MM
from semiqc.study import Study

GradingCallback = Callable[[int, int, str], None]
"""Told how many parts of the work are done, of how many, and in words what is at hand."""

Split = tuple[Sequence[Study], Sequence[Study]]
"""Studies to learn from, and studies to segment."""


def grade(
    store: Store,
    path: Path,
    sources: Mapping[str, Source],
    *,
    studies: Sequence[str] | None = None,
    folds: int = 4,
    seed: int = 0,
    tolerance_mm: float = NSD_TOLERANCE_MM,
    overwrite: bool = False,
    observe: GradingCallback | None = None,
) -> GradedSet:
    """Segment and grade every labelled study by sources that learned from the other folds.

    Args:
        store: The data.
        path: File to write, whole or not at all.
        sources: By the name that their segmentations get, as the part before the first ``-``.
        studies: Names of the studies to use; default: all that have labels.
        folds: Parts that the subjects are dealt into; as many as subjects, if those are fewer.
        seed: Of the folds.
        tolerance_mm: Surface distance that the surface Dice forgives.
        overwrite: Replace a file that is there.
        observe: Told how it goes on.

    Raises:
        ValueError: If there are fewer than two subjects or folds, or a study without labels.
        FileExistsError: If the file is there and ``overwrite`` is not set.
    """
    names = _labelled(store) if studies is None else studies
    dealt = subject_folds(_studies(store, names), folds, seed)
    splits = [
        ([study for other in dealt if other is not judged for study in other], judged)
        for judged in dealt
    ]
    writer = GradedWriter(path, store, tolerance_mm=tolerance_mm, overwrite=overwrite)
    return _grade(writer, sources, splits, observe)


def grade_held_out(
    store: Store,
    path: Path,
    sources: Mapping[str, Source],
    train: Sequence[str],
    judged: Sequence[str],
    *,
    tolerance_mm: float = NSD_TOLERANCE_MM,
    overwrite: bool = False,
    observe: GradingCallback | None = None,
) -> GradedSet:
    """Segment and grade the studies ``judged`` by sources that learned from ``train`` alone.

    Args:
        store: The data.
        path: File to write, whole or not at all.
        sources: By the name that their segmentations get, as the part before the first ``-``.
        train: Names of the studies that models learn from.
        judged: Names of the studies to segment.
        tolerance_mm: Surface distance that the surface Dice forgives.
        overwrite: Replace a file that is there.
        observe: Told how it goes on.

    Raises:
        ValueError: If a subject is in both, either is empty, or a study has no labels.
        FileExistsError: If the file is there and ``overwrite`` is not set.
    """
    learned, held_out = _studies(store, train), _studies(store, judged)
    if not learned or not held_out:
        raise ValueError(
            f"{store.path}: grading needs studies to learn from and studies to judge, got"
            f" {len(learned)} and {len(held_out)}"
        )
    in_both = sorted({s.subject for s in learned} & {s.subject for s in held_out})
    if in_both:
        raise ValueError(
            f"{store.path}: subjects to judge must not be learned from: {', '.join(in_both)}"
        )
    writer = GradedWriter(path, store, tolerance_mm=tolerance_mm, overwrite=overwrite)
    return _grade(writer, sources, [(learned, held_out)], observe)


def subject_folds(studies: Sequence[Study], folds: int, seed: int) -> list[list[Study]]:
    """Deal the subjects out to folds of about equal size, each with its share of every group.

    Args:
        studies: A subject may have several; they stay together.
        folds: At least two; as many as subjects, if those are fewer.
        seed: Of the order within each group.

    Raises:
        ValueError: If there are fewer than two subjects or folds.
    """
    of_subject: dict[str, list[Study]] = defaultdict(list)
    for study in studies:
        of_subject[study.subject].append(study)
    if folds < 2 or len(of_subject) < 2:
        raise ValueError(
            "cross-fitting needs at least two folds and two labelled subjects, got"
            f" {folds} and {len(of_subject)}"
        )
    of_group: dict[str, list[str]] = defaultdict(list)
    for subject, own in sorted(of_subject.items()):
        of_group[own[0].group].append(subject)
    rng = np.random.default_rng(seed)
    order = [s for group in sorted(of_group) for s in rng.permutation(of_group[group])]
    count = min(folds, len(order))
    return [
        [study for subject in order[fold::count] for study in of_subject[subject]]
        for fold in range(count)
    ]


def _labelled(store: Store) -> list[str]:
    return [study.name for study in store if study.labelled_frames]


def _studies(store: Store, names: Iterable[str]) -> list[Study]:
    studies = [store.study(name) for name in sorted(set(names))]
    bare = [study.name for study in studies if not study.labelled_frames]
    if bare:
        raise ValueError(f"{store.path}: studies without labels: {', '.join(bare)}")
    return studies


def _grade(
    writer: GradedWriter,
    sources: Mapping[str, Source],
    splits: Sequence[Split],
    observe: GradingCallback | None,
) -> GradedSet:
    if not sources:
        raise ValueError("grading needs at least one source of segmentations, got none")
    total = len(splits) * len(sources)
    tell = observe or _unobserved
    with writer:
        if not _written(writer, sources, splits, tell):
            raise ValueError(
                f"{writer.store.path}: nothing could be made of it by the sources"
                f" {', '.join(sources)}; modalities, for one, needs several of them"
            )
    tell(total, total, "done")
    return GradedSet(writer.path, writer.store)


def _unobserved(done: int, total: int, what: str) -> None:
    pass


def _written(
    writer: GradedWriter,
    sources: Mapping[str, Source],
    splits: Sequence[Split],
    observe: GradingCallback,
) -> int:
    """How many segmentations were made and written."""
    total, count = len(splits) * len(sources), 0
    for part, (title, made) in enumerate(_parts(sources, splits)):
        observe(part, total, title)
        for one in made:
            writer.add(one)
            count += 1
            observe(part, total, f"{title}: {one.source} of {one.study.name}")
    return count


def _parts(
    sources: Mapping[str, Source], splits: Sequence[Split]
) -> Iterator[tuple[str, Iterator[Made]]]:
    """What each source makes for each split, with a title."""
    for number, (train, judged) in enumerate(splits, start=1):
        for name, source in sources.items():
            title = f"{name}, fold {number} of {len(splits)}"
            yield title, _made(name, source, train, judged)


def _made(
    name: str, source: Source, train: Sequence[Study], judged: Sequence[Study]
) -> Iterator[Made]:
    allowed = {study.name for study in judged}
    for made in source.make(train, judged):
        if made.study.name not in allowed:
            raise ValueError(f"{name}: segmented {made.study.name}, which it was not to judge")
        _, dash, variant = made.source.partition("-")
        yield replace(made, source=name + dash + variant)
