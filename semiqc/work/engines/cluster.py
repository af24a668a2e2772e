"""Workers as tasks of a Ray cluster, on one machine or many.

Each task starts the same program as on one machine, so that what it computes does not depend on
where. A task whose machine or process dies is begun again by Ray, on another machine if need be.

Reference:
    Moritz et al., "Ray: a distributed framework for emerging AI applications", OSDI 2018.
"""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from semiqc.work.engines.base import MEMORY, Program
from semiqc.work.engines.processes import start

if TYPE_CHECKING:
    import ray

RETRIES = 3
"""Times that a task is begun again whose process was killed."""

ENDED = 1
"""Exit status of a worker that Ray could not bring to its end."""


class Cluster:
    """A Ray cluster.

    Args:
        address: Of its head, such as ``10.0.0.1:6379``, or ``auto`` for the one of this machine.
            None takes that of ``RAY_ADDRESS``, or starts a cluster on this machine alone.

    Raises:
        ValueError: If Ray is not installed, or nothing answers there.
    """

    def __init__(self, address: str | None = None) -> None:
        # Runs of patients' data tell nobody of themselves.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ModuleNotFoundError:
            raise ValueError(
                "--engine ray needs Ray: `pip install 'semiqc[ray]'`, on all machines"
            ) from None
        try:
            ray.init(address=address, logging_level="ERROR", ignore_reinit_error=True)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"--address {address}: no Ray cluster answers ({reason})") from error
        self._gpus = int(self._has("GPU"))

    @staticmethod
    def _has(resource: str) -> float:
        import ray

        return float(ray.cluster_resources().get(resource, 0))

    @property
    def slots(self) -> int:
        return self._gpus or max(1, int(self._has("CPU")))

    def threads(self, jobs: int) -> int:
        """As many as there are cores for each worker, and on each machine."""
        import ray

        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        largest = max((int(one.get("CPU", 0)) for one in alive), default=1)
        return max(1, min(int(self._has("CPU")) // jobs, largest))

    def begin(self, program: Program) -> "Task":
        import ray

        work = ray.remote(
            num_cpus=program.threads,
            num_gpus=1 if self._gpus else 0,
            memory=MEMORY,
            max_retries=RETRIES,
        )(_work)
        return Task(work.remote(program))

    def close(self) -> None:
        import ray

        ray.shutdown()


@dataclass
class Task:
    """A worker in the cluster."""

    found: "ray.ObjectRef[Any]"

    def code(self) -> int | None:
        import ray

        ready, _ = ray.wait([self.found], timeout=0)
        if not ready:
            return None
        try:
            return int(ray.get(self.found))
        except ray.exceptions.RayError:
            return ENDED

    def end(self) -> None:
        import ray

        # The program of a task that is killed ends with it: its input does.
        ray.cancel(self.found, force=True)


def _work(program: Program) -> int:
    """Run a worker's program to its end, in a task; its exit status."""
    return start(program).wait()
