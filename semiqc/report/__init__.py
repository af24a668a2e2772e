"""The report of a run: tables and one self-contained page.

The page follows Tables 2 and 3 and Figures 2 and 3 of Ruijsink, Puyol-Antón et al.,
"Quality-aware semi-supervised learning for CMR segmentation", STACOM 2020
(https://doi.org/10.1007/978-3-030-68107-4_10), with intervals and what a gate admitted beside
them.
"""

from semiqc.pages.table import Column, Table
from semiqc.report.answer import answers
from semiqc.report.data import CANDIDATES, MANUAL, Overlay, ReportData
from semiqc.report.page import build_report
from semiqc.report.summary import findings, trust, verdict
from semiqc.report.tables import summary_tables
from semiqc.report.telling_apart import told_apart

__all__ = [
    "CANDIDATES",
    "MANUAL",
    "Column",
    "Overlay",
    "ReportData",
    "Table",
    "answers",
    "build_report",
    "findings",
    "summary_tables",
    "told_apart",
    "trust",
    "verdict",
]
