"""Who is used for what: splits by subject, stratified by group, written down."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from semiqc.doors.json_file import read_json
from semiqc.doors.regular import UnusableError
from semiqc.files.tables import SplitRow, read_rows
from semiqc.study import Study

ROLES = ("test", "labelled", "validation", "qc", "unlabelled")
"""In the order in which they are filled."""

FOLD_ROLES = {"train": "labelled", "val": "test"}
"""Of the parts of a fold of nnU-Net's."""

SPARE = "unused"
"""Role of a study that a smaller split leaves over."""


@dataclass(frozen=True)
class GivenRole:
    """A line of a split that the user gives."""

    study: str
    role: str


def draw_split(
    studies: Sequence[Study], counts: Mapping[str, int | None], seed: int
) -> list[SplitRow]:
    """Deal the subjects out to the roles, each role with its share of every group.

    Subjects without any label can only be unlabelled. A role is dealt out group by group in
    proportion to what the groups have left, the remainders going to the groups with the largest
    fraction, so that no role is without a group that it has room for.

    Args:
        studies: All studies of the data set.
        counts: Number of subjects in each of ``ROLES``; None, for ``unlabelled``, is all others.
        seed: Of the order within each group.

    Raises:
        ValueError: If there are too few subjects, or too few of them with labels.
    """
    labelled, bare = _by_group(studies)
    rng = np.random.default_rng(seed)
    queues = {group: list(rng.permutation(sorted(labelled[group]))) for group in sorted(labelled)}
    role_of = _dealt(queues, bare, counts)
    return [_row(study, _role(study, role_of.get(study.subject, SPARE))) for study in studies]


def _dealt(
    queues: dict[str, list[str]], bare: Sequence[str], counts: Mapping[str, int | None]
) -> dict[str, str]:
    """Role of each subject that gets one; the queues lose those that are dealt.

    Args:
        queues: Subjects with labels, by group, in the order of dealing.
        bare: Subjects without any label.
        counts: Of each role.
    """
    role_of: dict[str, str] = {}
    for role in ROLES[:-1]:
        for subject in _deal(queues, int(counts.get(role) or 0), role):
            role_of[subject] = role
    left = sum(len(queue) for queue in queues.values())
    wanted = counts.get("unlabelled")
    wanted = left + len(bare) if wanted is None else int(wanted)
    from_bare = bare[:wanted]
    for subject in [*from_bare, *_deal(queues, wanted - len(from_bare), "unlabelled")]:
        role_of[subject] = "unlabelled"
    return role_of


def _by_group(studies: Sequence[Study]) -> tuple[dict[str, list[str]], list[str]]:
    """Subjects with a label by group, and those without any; sorted."""
    of_subject: dict[str, list[Study]] = defaultdict(list)
    for study in studies:
        of_subject[study.subject].append(study)
    labelled: dict[str, list[str]] = defaultdict(list)
    bare: list[str] = []
    for subject, own in sorted(of_subject.items()):
        if any(study.labelled_frames for study in own):
            labelled[own[0].group].append(subject)
        else:
            bare.append(subject)
    return labelled, bare


def _role(study: Study, role_of_subject: str) -> str:
    """A study's role: its subject's, where it has the labels that the role asks for."""
    if role_of_subject == "unlabelled" or study.labelled_frames:
        return role_of_subject
    return SPARE


def _deal(queues: dict[str, list[str]], count: int, role: str) -> list[str]:
    """Take subjects off the queues, from each its share.

    Raises:
        ValueError: If there are too few.
    """
    left = {group: len(queue) for group, queue in queues.items()}
    total = sum(left.values())
    if count > total:
        raise ValueError(
            f"split asks for {count} subjects as {role}, only {total} with labels are left"
        )
    if not count:
        return []
    share = {group: count * n / total for group, n in left.items()}
    take = {group: int(share[group]) for group in left}
    by_remainder = sorted(left, key=lambda group: (take[group] - share[group], group))
    for group in by_remainder[: count - sum(take.values())]:
        take[group] += 1
    return [queues[group].pop(0) for group in sorted(queues) for _ in range(take[group])]


def read_split(path: Path, studies: Sequence[Study]) -> list[SplitRow]:
    """A split that the user gives: a CSV with the columns ``study`` and ``role``.

    Studies that it does not name are unused. Of nnU-Net's ``splits_final.json`` the first fold is
    taken: its ``train`` is labelled, its ``val`` the test, and subjects without labels unlabelled.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it names an unknown study or role, a study twice, or gives two studies of
            one subject different roles.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    known = {study.name: study for study in studies}
    roles: dict[str, str] = {}
    for row in _of_fold(path, studies) or read_rows(path, GivenRole):
        if row.study not in known:
            raise ValueError(f"{path}: no study '{row.study}' in the data")
        if row.role not in (*ROLES, SPARE):
            raise ValueError(
                f"{path}: unknown role '{row.role}' of {row.study}; known: {', '.join(ROLES)}"
            )
        if roles.setdefault(row.study, row.role) != row.role:
            raise ValueError(f"{path}: {row.study} is both {roles[row.study]} and {row.role}")
    rows = [_row(study, roles.get(study.name, SPARE)) for study in studies]
    check_split(rows, studies, str(path))
    return rows


def _of_fold(path: Path, studies: Sequence[Study]) -> list[GivenRole]:
    """The first fold of nnU-Net's ``splits_final.json``; nothing of another kind of file.

    Raises:
        UnusableError: If a file of that ending is not like nnU-Net's.
    """
    if path.suffix.lower() != ".json":
        return []
    folds = read_json(path)
    fold = folds[0] if isinstance(folds, list) and folds else None
    if not isinstance(fold, dict) or not all(isinstance(fold.get(k), list) for k in FOLD_ROLES):
        raise UnusableError(f"{path}: expected folds with train and val, as nnU-Net writes them")
    given = [GivenRole(str(name), role) for k, role in FOLD_ROLES.items() for name in fold[k]]
    named = {row.study for row in given}
    used = {study.subject for study in studies if study.name in named or study.labelled_frames}
    bare = [study.name for study in studies if study.subject not in used]
    return [*given, *(GivenRole(name, "unlabelled") for name in bare)]


def check_split(rows: Sequence[SplitRow], studies: Sequence[Study], source: str) -> None:
    """Refuse a split in which a subject has two roles, or a role needs labels that are not there.

    Raises:
        ValueError: Naming the subject or study.
    """
    labelled = {study.name: bool(study.labelled_frames) for study in studies}
    role_of: dict[str, SplitRow] = {}
    for row in rows:
        if row.role == SPARE:
            continue
        other = role_of.setdefault(row.subject, row)
        if other.role != row.role:
            raise ValueError(
                f"{source}: subject {row.subject} is in {other.role} ({other.study}) and in"
                f" {row.role} ({row.study}); a subject can have one role"
            )
        if row.role != "unlabelled" and not labelled[row.study]:
            raise ValueError(f"{source}: {row.study} is in {row.role} but has no label")
    for role in ("labelled", "test"):
        if not any(row.role == role for row in rows):
            raise ValueError(f"{source}: no study is in {role}")


def _row(study: Study, role: str) -> SplitRow:
    return SplitRow(study.name, study.subject, study.group, role)
