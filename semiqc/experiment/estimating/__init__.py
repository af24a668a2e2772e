"""How long a run takes on this machine and how much disk it needs, told before it begins."""

from semiqc.experiment.estimating.estimate import Estimate, estimate_run, expected_steps
from semiqc.experiment.estimating.extents import extent_of, extent_of_settings
from semiqc.experiment.estimating.work import Extent

__all__ = [
    "Estimate",
    "Extent",
    "estimate_run",
    "expected_steps",
    "extent_of",
    "extent_of_settings",
]
