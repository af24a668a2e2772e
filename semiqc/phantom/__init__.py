"""Phantoms: studies with a full reference, made from nothing but a seed."""

from semiqc.phantom.anatomy import GROUPS
from semiqc.phantom.aorta import aorta_study
from semiqc.phantom.dataset import KINDS, write_phantoms
from semiqc.phantom.scanner import PROFILES
from semiqc.phantom.short_axis import short_axis_study
from semiqc.phantom.tumour import tumour_study

__all__ = [
    "GROUPS",
    "KINDS",
    "PROFILES",
    "aorta_study",
    "short_axis_study",
    "tumour_study",
    "write_phantoms",
]
