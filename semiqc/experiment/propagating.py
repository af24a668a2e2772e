"""Experts' labels carried to the other frames of their studies, written once."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from loops.repair import propagated
from semiqc.experiment.derived_labels import write_labels, written_labels
from semiqc.experiment.staged_trainer import StagedTrainer
from semiqc.files.atomic import write_text
from semiqc.study import OnlyFrames, Study, Voxels
from semiqc.work.monitor import Monitor

FRAMES = "frames.json"


def propagated_experts(trainer: StagedTrainer, experts: Sequence[Study]) -> list[Study]:
    """The studies with their labels carried to all frames, where registration is good enough.

    Args:
        trainer: In whose run folder the labels are kept.
        experts: Studies with an expert's labels.
    """
    depends = {
        "store": trainer.store.fingerprint(),
        "experts": [[study.name, study.labelled_frames] for study in experts],
    }
    stage = trainer.folder.stage("propagate", depends, partial(_write, experts, trainer.monitor))
    known = json.loads((stage.folder / FRAMES).read_text(encoding="utf-8"))
    return [
        study.with_labels(
            OnlyFrames(written_labels(stage.folder, study.name), tuple(known[study.name]))
        )
        for study in experts
    ]


def _write(experts: Sequence[Study], monitor: Monitor, folder: Path) -> None:
    frames = {}

    def derive(study: Study) -> tuple[Study, Voxels]:
        carried = propagated(study)
        frames[study.name] = carried.labelled_frames
        return study, carried.labels

    write_labels(folder, experts, derive, monitor=monitor, title="propagate")
    write_text(folder / FRAMES, json.dumps(frames))
