"""From a suite to one whose judge learned a user's labels: ``semiqc qc finetune``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from qc.base import ProgressCallback, unobserved
from qc.estimators.second_opinion.estimator import SecondOpinion
from qc.suites.places import refuse_suite
from qc.suites.suite import Suite
from semiqc.files.atomic import whole_folder
from semiqc.files.places import require_empty
from semiqc.files.store.reader import Store
from semiqc.study import Study
from semiqc.suites.suiting import refuse_other_data
from semiqc.work.split import read_split

LABELLED = "labelled"
"""Role of a split's studies that it learns from."""


def finetune_suite(
    folder: Path,
    store: Path,
    output: Path,
    *,
    split: Path | None = None,
    steps: int = 400,
    seed: int = 0,
    observe: ProgressCallback = unobserved,
) -> Suite:
    """A suite whose ``second_opinion`` went on learning, from labelled studies; saved.

    No segmentation of them is needed. The other estimators and the consensus stay as they are.

    Args:
        folder: Of the suite, or ``phantom``.
        store: With labelled frames of few subjects.
        output: Folder to write.
        split: Table of roles, of which ``labelled`` are learned from; else all with labels.
        steps: Of the optimizer.
        seed: Of batches and augmentation.
        observe: Told the number of steps done, and of all.

    Raises:
        FileExistsError: If ``output`` holds something.
        ValueError: If the suite has no such judge or is for other data, or nothing is labelled.
    """
    refuse_suite(output)
    require_empty(output)
    suite, given = Suite.load(folder), Store(store)
    name, judge = _judge_of(suite, folder)
    studies = _labelled(given, split)
    refuse_other_data(suite, given, "anew")
    learned = judge.finetuned(studies, steps=steps, seed=seed, observe=observe)
    known = suite.training.learned_from(studies)
    found = replace(suite, estimators={**suite.estimators, name: learned}, training=known)
    with whole_folder(output, replaces=False) as unfinished:
        found.save(unfinished)
    return found


def _judge_of(suite: Suite, folder: Path) -> tuple[str, SecondOpinion]:
    """Name and estimator of the one that learns from labels alone.

    Raises:
        ValueError: If there is none.
    """
    for name, one in suite.estimators.items():
        if isinstance(one, SecondOpinion):
            return name, one
    raise ValueError(
        f"{folder}: has no second_opinion to learn from labels, only {', '.join(suite.estimators)}"
    )


def _labelled(store: Store, split: Path | None) -> Sequence[Study]:
    """The studies to learn from.

    Raises:
        ValueError: If there are none.
    """
    studies = list(store)
    if split:
        roles = {row.study: row.role for row in read_split(split, studies)}
        return [one for one in studies if roles.get(one.name) == LABELLED]
    found = [one for one in studies if one.labelled_frames]
    if not found:
        raise ValueError(f"{store.path}: no study has labels")
    return found
