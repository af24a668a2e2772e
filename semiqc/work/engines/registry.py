"""The places in which the stages of a run can be made, by name."""

from semiqc.work.engines.base import ENGINES, PROCESSES, RAY, Engine
from semiqc.work.engines.cluster import Cluster
from semiqc.work.engines.processes import Processes


def engine_of(name: str = PROCESSES, address: str | None = None) -> Engine:
    """The place of a name.

    Args:
        name: Of ``ENGINES``.
        address: Of a cluster.

    Raises:
        ValueError: If there is none of that name, an address has no cluster, or what it needs is
            not installed.
    """
    if name == RAY:
        return Cluster(address)
    if name != PROCESSES:
        raise ValueError(f"--engine {name}: expected one of {', '.join(ENGINES)}")
    if address is not None:
        raise ValueError(f"--address {address}: only --engine {RAY} has one")
    return Processes()
