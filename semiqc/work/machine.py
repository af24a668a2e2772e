"""What this process may use of its machine: in containers and batch jobs less than there is."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

import joblib

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows control groups, of either version."""

OWN_GROUPS = Path("/proc/self/cgroup")
"""Where it says in which of them this process is."""


def cores() -> int:
    """Cores: as affinity, the quota of a container and ``LOKY_MAX_CPU_COUNT`` allow."""
    return int(joblib.cpu_count())


def memory() -> int | None:
    """Bytes of memory, of the machine or of a container; none where nothing tells."""
    return min([*_whole(), *_limits()], default=None)


def _whole() -> Iterator[int]:
    with suppress(AttributeError, ValueError, OSError):
        yield os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _limits() -> Iterator[int]:
    """Of the groups that this process is in, and of those that hold them."""
    for limit in _limit_files():
        with suppress(OSError, ValueError):  # no such group is seen in here, or "max"
            yield int(limit.read_text())


def _limit_files() -> Iterator[Path]:
    try:
        lines = OWN_GROUPS.read_text().splitlines()
    except (OSError, ValueError):
        return
    for _, kinds, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        group = PurePosixPath(path.lstrip("/"))
        for one in (group, *group.parents):
            if not kinds:
                yield GROUPS / one / "memory.max"
            elif "memory" in kinds.split(","):
                yield GROUPS / "memory" / one / "memory.limit_in_bytes"
