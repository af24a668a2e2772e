"""Studies spoilt as an archive has them: a "dirty pool" of any store, by a seed.

Each kind is a class that takes a study in memory and gives another. Labels move with their voxels
where the truth is still defined, so that what a gate admits can be compared with it.
"""

from semiqc.spoiling.base import Spoiling
from semiqc.spoiling.one_study import spoil
from semiqc.spoiling.pool import SHARE, deal, spoil_store, write_spoilt
from semiqc.spoiling.registry import SPOILINGS

__all__ = ["SHARE", "SPOILINGS", "Spoiling", "deal", "spoil", "spoil_store", "write_spoilt"]
