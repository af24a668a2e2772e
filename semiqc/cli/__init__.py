"""The command line."""

from semiqc.cli.app import main

__all__ = ["main"]
