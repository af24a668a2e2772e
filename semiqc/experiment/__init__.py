"""The staged run: settings in, compared and reported results out.

``run`` does all that the settings ask and keeps every training, prediction and fitted estimator as
a stage of the run folder, so that a stopped or changed run repeats only what it must. What a
finished run can be used for stands beside it: ``predict_images`` for new studies,
``evaluate_elsewhere`` for another data set, ``compare_runs`` beside other runs, ``export_run`` for
other programs.
"""

from semiqc.experiment.comparing import compare_runs
from semiqc.experiment.elsewhere import evaluate_elsewhere
from semiqc.experiment.export_run import export_run
from semiqc.experiment.fan_out import Side
from semiqc.experiment.finished import Finished, RunError, write_report
from semiqc.experiment.predicting import predict_images
from semiqc.experiment.pretraining import pretrain, read_pretraining
from semiqc.experiment.run import run
from semiqc.experiment.settings import Settings
from semiqc.experiment.settings_file import json_schema, read_settings
from semiqc.experiment.summary import Summary, for_terminal, summary_of
from semiqc.work.changes import SettingsError
from semiqc.work.monitor import Monitor, Silent
from semiqc.work.terminal import Terminal

__all__ = [
    "Finished",
    "Monitor",
    "RunError",
    "Settings",
    "SettingsError",
    "Side",
    "Silent",
    "Summary",
    "Terminal",
    "compare_runs",
    "evaluate_elsewhere",
    "export_run",
    "for_terminal",
    "json_schema",
    "predict_images",
    "pretrain",
    "read_pretraining",
    "read_settings",
    "run",
    "summary_of",
    "write_report",
]
