"""Whether a run can begin: what its settings name is looked at before the first second of work."""

from pathlib import Path

from qc.suites.suite import Suite
from qc.verdicts import read_verdicts
from segmenters.device import device_here
from segmenters.training import STARTS
from semiqc.doors.csv_table import read_table
from semiqc.doors.regular import check_regular
from semiqc.experiment.enough import check_phantoms
from semiqc.experiment.given_suite import given_suite
from semiqc.experiment.settings import Settings
from semiqc.files.places import require_folder
from semiqc.schemes import read_scheme


def check_ready(settings: Settings) -> Suite | None:
    """Make sure that files, tables and the device that the settings name are there.

    Returns:
        The suite that is to judge, where the settings name one.

    Raises:
        ValueError: With the setting, what was expected and what was found.
        OSError: If nothing can be written into the run folder.
    """
    require_folder(settings.output)
    training = settings.training
    if device_here(training.device) != training.device:
        raise ValueError(
            f"training.device: this machine has no {training.device}; auto takes what there is"
        )
    needy = [name for name, one in settings.compared().items() if one.needs_unlabelled]
    if settings.split.unlabelled == 0 and needy and settings.split.file is None:
        raise ValueError(
            f"split.unlabelled: with 0 the split leaves no study as unlabelled, as scenario"
            f" {needy[0]} needs"
        )
    check_phantoms(settings)
    if settings.data is not None and not settings.data.exists():
        raise ValueError(f"data: {settings.data}: no such file or folder")
    if settings.labels is not None and not settings.labels.is_dir():
        raise ValueError(f"labels: {settings.labels}: no such folder")
    if settings.qc.verdicts is not None:
        read_verdicts(settings.qc.verdicts)
    if settings.split.file is not None:
        table = read_table(settings.split.file)
        table.require(settings.split.file, ("study", "role"))
    if settings.importing.scheme:
        read_scheme(settings.importing.scheme)
    if training.start not in STARTS:
        check_regular(Path(training.start))
    return given_suite(settings)
