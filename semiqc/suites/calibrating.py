"""From a suite to one that knows a user's images and segmenters: ``semiqc qc calibrate``."""

from dataclasses import replace
from pathlib import Path

from qc.base import ProgressCallback, unobserved
from qc.consensus.blend import Blend
from qc.graded import GradedSet
from qc.graded.store import store_of
from qc.suites.places import refuse_suite
from qc.suites.suite import Suite
from semiqc.files.atomic import whole_folder
from semiqc.files.places import require_empty
from semiqc.files.store.reader import Store
from semiqc.suites.evaluating import refuse_other_tolerance, unseen_by
from semiqc.suites.suiting import refuse_other_data
from semiqc.suites.weighing import judged_by_each


def calibrate_suite(
    folder: Path,
    graded: Path,
    output: Path,
    *,
    store: Path | None = None,
    observe: ProgressCallback = unobserved,
) -> Suite:
    """A suite whose consensus learned what its estimators mean on other images; saved.

    The estimators stay as they are. Their weights and calibrations are learned anew from the few
    subjects, drawn to equality and to changing nothing the more, the fewer there are.

    Args:
        folder: Of the suite, or ``phantom``.
        graded: File of graded segmentations of few subjects that taught nobody.
        output: Folder to write.
        store: That they were made of; by default where it then was.
        observe: Told how many segmentations are judged, and of how many.

    Raises:
        FileExistsError: If ``output`` holds something.
        ValueError: If the suite learned from all studies, or was made for other data.
    """
    refuse_suite(output)
    require_empty(output)
    suite = Suite.load(folder)
    held = GradedSet(graded, Store(store or store_of(graded)))
    refuse_other_data(suite, held.store, "and grade anew")
    refuse_other_tolerance(suite, held)
    known, _ = unseen_by([suite], held)
    said = judged_by_each(suite.estimators, known, observe)
    studies = [held.store.study(name) for name in sorted(set(known.studies.tolist()))]
    found = replace(
        suite,
        blend=Blend(suite.scheme).fit(said, known),
        training=replace(suite.training, weighing=()).weighed_by(studies),
    )
    return _saved(found, output)


def _saved(suite: Suite, output: Path) -> Suite:
    """The suite, once it is in its place, whole."""
    with whole_folder(output, replaces=False) as unfinished:
        suite.save(unfinished)
    return suite
