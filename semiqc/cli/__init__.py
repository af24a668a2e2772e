"""The ``semiqc`` command: a module for each subject, assembled in ``app``."""

from semiqc.cli.app import main

__all__ = ["main"]
