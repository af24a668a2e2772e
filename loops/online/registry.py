"""All online methods by name."""

from loops.online.admt import ADMT
from loops.online.bcp import BCP
from loops.online.cps import CPS, PEER
from loops.online.fixmatch import FixMatch
from segmenters.method import Method

METHODS: dict[str, type[Method]] = {
    "bcp": BCP,
    "fixmatch": FixMatch,
    "cps": CPS,
    "admt": ADMT,
}
"""Names that settings may use; each is a dataclass whose fields are the settings."""

PEERS: dict[str, tuple[str, ...]] = {"cps": (PEER,)}
"""By method, names of the further networks that it leaves, which segment as well as the first."""
