"""``semiqc check``: what a folder holds, what is odd about it, and drafts to begin with."""

from semiqc.checking.checking import Checked, check_folder

__all__ = ["Checked", "check_folder"]
