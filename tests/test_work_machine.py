"""Cores and memory: of a container or a batch job, where there is less than of the machine."""

import os
from pathlib import Path

import pytest

from semiqc.work import machine

GIBIBYTE = 2**30


@pytest.fixture
def groups(monkeypatch, tmp_path):
    """A machine of 64 GiB whose control groups a test writes."""
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": GIBIBYTE, "SC_PHYS_PAGES": 64}.get)
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "OWN_GROUPS", tmp_path / "own")

    def write(own: str, limits: dict[str, str]) -> None:
        (tmp_path / "own").write_text(own)
        for name, limit in limits.items():
            (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "groups" / name).write_text(limit)

    return write


@pytest.mark.parametrize(
    ("own", "limits", "gibibytes"),
    [
        pytest.param("0::/\n", {"memory.max": f"{8 * GIBIBYTE}\n"}, 8, id="container"),
        pytest.param(
            "0::/slurm/job_7/step_0\n",
            {
                "slurm/job_7/memory.max": f"{16 * GIBIBYTE}\n",
                "slurm/job_7/step_0/memory.max": "max\n",
            },
            16,
            id="a job's step",
        ),
        pytest.param(
            "5:devices:/\n4:memory:/docker/1f\n0::/\n",
            {"memory/memory.limit_in_bytes": f"{4 * GIBIBYTE}\n"},
            4,
            id="version 1, seen from within",
        ),
        pytest.param(
            "4:memory:/\n", {"memory/memory.limit_in_bytes": f"{2**63 - 4096}\n"}, 64, id="no end"
        ),
        pytest.param("0::/\n", {}, 64, id="none told"),
        pytest.param("nothing known\n", {"memory.max": "1"}, 64, id="another system"),
    ],
)
def test_memory_is_what_the_groups_of_this_process_may_have(groups, own, limits, gibibytes):
    groups(own, limits)

    assert machine.memory() == gibibytes * GIBIBYTE


def test_memory_is_not_known_where_nothing_tells(monkeypatch):
    monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(machine, "OWN_GROUPS", Path("nowhere"))

    assert machine.memory() is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_no_more_cores_than_this_process_may_use():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert machine.cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
