"""The ``semiqc`` command: a module for each subject, assembled in ``app``.

``semiqc.__main__`` calls ``main``. Commands hold no logic of their own: each reads its options,
calls one function of a program (``semiqc.experiment``, ``semiqc.suites``, ``semiqc.scoring``,
``semiqc.exchange``, ``semiqc.phantom``) and prints what came back. Docstrings of commands are the
help that users read.
"""

from semiqc.cli.app import main

__all__ = ["main"]
