"""Settings of the smallest runs and the smallest suite that still do everything."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

TINY = (
    "name=tiny",
    "scenarios=[full, few, random, crf, semiqc]",
    "gates=[]",
    "dirty.share=0",
    "online={}",
    "phantom.studies=14",
    "phantom.size=32",
    "phantom.slices=3",
    "phantom.frames=4",
    "split.labelled=3",
    "split.qc=3",
    "split.validation=1",
    "split.test=3",
    "frames.use=extremes",
    "segmenter.kind=unet",
    "segmenter.channels=[4, 8]",
    "segmenter.clean=false",
    "segmenter.mirror=false",
    "segmenter.members=1",
    "training.steps=12",
    "training.ema=null",
    "training.dice_background=true",
    "training.batch_size=4",
    "training.patch=[32, 32]",
    "training.checkpoint_every=5",
    "training.validate_every=6",
    "gate.k=2",
    "gate.by=curve",
    "qc.estimators=[curve]",
    "qc.arguments.curve={folds: 2, members: 1, steps: 40}",
)
"""All scenarios, and a curve classifier that judges."""

KEPT = "split.validation=0"
"""Without validation studies every round of self-training is kept."""

COMPARED = (
    "random", "all", "oracle", "weighted", "diverse", "risk", "agreement", "consensus",
    "consensus/voxel", "consensus/slice", "all/soft_slice",
    "{by: consensus, repair: [temporal], propagate: true}", "{by: agreement, rounds: 2}",
    "{rule: risk, propagate: true}",
)  # fmt: skip

GATES = (
    *TINY,
    "split.validation=0",
    "segmenter.tta=2",
    "qc.folds=2",
    "qc.estimators=[curve, svr, agreement, slicewise]",
    "qc.arguments.slicewise={steps: 2, width: 4, size: [3, 32, 32]}",
    "scenarios=[few]",
    "gate.by=consensus",
    "gate.target=0.8",
    f"gates=[{', '.join(COMPARED)}]",
)
"""Gates that are compared, with ensemble members and several estimators."""

SUITE_OPTIONS = (
    "--estimators", "svr,cnn,slicewise,qcresunet",
    "--sources", "seggen,failures",
    "--folds", "2",
    "--test", "2",
    "--set", "cnn.steps=4", "--set", "cnn.width=4", "--set", "cnn.size=[3, 32, 32]",
    "--set", "slicewise.steps=2", "--set", "slicewise.width=4",
    "--set", "slicewise.size=[3, 32, 32]",
    "--set", "qcresunet.steps=2", "--set", "qcresunet.width=4",
    "--set", "qcresunet.size=[3, 32, 32]",
    "--set", "seggen.times=1",
)  # fmt: skip
"""Options of ``semiqc qc fit``."""

ONLINE = (
    *TINY,
    KEPT,
    "training.ema=0.9",
    "training.report_every=1",
    "online.steps=7",
    "online.batch_size=4",
    "loops={fixmatch: {confidence: 0.3}}",
    "scenarios=[few, bcp]",
    "gates=[{loop: fixmatch, rule: all, rounds: 2}, {loop: bcp}, {loop: bcp, rule: random},"
    " {loop: bcp, rule: squared, rounds: 2, min_score: 0, candidates: [views, before]},"
    " {rule: all, rounds: 2, candidates: [views, before], choose_by: truth, unit: slice}]",
)
"""Online loops with gates and without."""


@contextmanager
def nothing_drawn() -> Iterator[None]:
    """Leaves the pictures of reports empty: drawing takes most of the time of a tiny run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", _leave_empty)
        yield


def _leave_empty(_: object, target: object, **__: object) -> None:
    if isinstance(target, Path):
        target.touch()
