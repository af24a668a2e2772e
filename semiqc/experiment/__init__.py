"""The staged run: settings in, compared and reported results out."""

from semiqc.experiment.elsewhere import evaluate_elsewhere
from semiqc.experiment.export_run import export_run
from semiqc.experiment.finished import Finished, RunError, write_report
from semiqc.experiment.predicting import predict_images
from semiqc.experiment.run import run
from semiqc.experiment.settings import Settings
from semiqc.experiment.settings_file import json_schema, read_settings
from semiqc.experiment.summary import show, write_summary
from semiqc.work.changes import SettingsError
from semiqc.work.monitor import Monitor, Silent, Terminal

__all__ = [
    "Finished",
    "Monitor",
    "RunError",
    "Settings",
    "SettingsError",
    "Silent",
    "Terminal",
    "evaluate_elsewhere",
    "export_run",
    "json_schema",
    "predict_images",
    "read_settings",
    "run",
    "show",
    "write_report",
    "write_summary",
]
