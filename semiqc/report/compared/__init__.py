"""Several runs on one page: what each found, and what differs between them."""

from semiqc.report.compared.page import build_comparison
from semiqc.report.compared.runs import ComparedRun

__all__ = ["ComparedRun", "build_comparison"]
