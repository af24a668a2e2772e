"""Which repairs a run keeps, and which estimators judge them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from builders import study_of

from qc import ManifoldSearch, Quality
from semiqc.experiment.gates.settings import GateSettings
from semiqc.experiment.repairing import Repairer
from semiqc.files.predictions import PredictionWriter, predicted_labels
from semiqc.schemes import SHORT_AXIS
from semiqc.study import Prediction
from semiqc.work.monitor import Silent
from semiqc.work.stages import RunFolder


class FakePanel:
    """A manifold that scores its own suggestion high, and others that do not."""

    def __init__(self, manifold):
        self.fitted = {"manifold": (SimpleNamespace(key="m"), manifold)}

    def key(self, name):
        return name

    def say(self, name, prediction, *, without=""):
        is_suggested = bool((prediction.labels[:] == 1).any())
        score = 0.5 if not is_suggested else 0.2 if without == "manifold" else 0.9
        slices = np.full(prediction.labels.shape[:2], 0.3)
        return Quality(
            prediction.study, score, slice_dice=dict.fromkeys(("LV", "MYO", "RV"), slices)
        )


def test_a_surrogate_is_kept_only_if_others_than_the_manifold_find_it_better(tmp_path):
    flat = study_of("a", labelled=(0, 1, 2))
    study = replace(flat, image=flat.image.repeat(3, axis=2), labels=flat.labels.repeat(3, axis=1))
    with PredictionWriter(tmp_path / "predictions.h5") as writer:
        writer.add(study, ((frame, np.empty(0, np.float32)) for frame in study.labels[:]))
    labels = predicted_labels(tmp_path / "predictions.h5", "a")
    prediction = Prediction("a", study.image, labels, study.spacing)
    manifold = ManifoldSearch(SHORT_AXIS)
    manifold.surrogates = lambda one: np.ones_like(one.labels[:])
    trainer = SimpleNamespace(
        store=SimpleNamespace(scheme=SHORT_AXIS),
        folder=RunFolder(tmp_path),
        monitor=Silent(),
        seed=0,
    )

    repair = Repairer(trainer, FakePanel(manifold), GateSettings(repair=("surrogate",)))
    [found], reasons = repair([prediction], [study])

    assert reasons == {}
    np.testing.assert_array_equal(found.labels[:], study.labels[:])
