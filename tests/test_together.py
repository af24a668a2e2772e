"""Two processes that share a training give the figures of one, on the batches of both."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from joint_work import TOGETHER, jointly, trained

from loops.online.registry import METHODS
from semiqc import together
from semiqc.together import PooledBatchNorm2d

NAMES = ("", *METHODS)
TOLERANCE = 1e-4
"""Of loss terms, relative; only the order of sums differs."""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def shared():
    """By method, what two processes told and ended with."""
    here = Path(__file__).parent
    port = str(free_port())
    path = f"{here}:{here.parent}:{os.environ.get('PYTHONPATH', '')}"
    other = subprocess.Popen(
        [sys.executable, "-m", "joint_work", port, *NAMES], env=os.environ | {"PYTHONPATH": path}
    )
    with pytest.MonkeyPatch.context() as patch, other:
        for key, value in {**TOGETHER, "RANK": "0", "MASTER_PORT": port}.items():
            patch.setenv(key, value)
        try:
            with together.group() as rank:
                assert rank == 0
                found = {name: jointly(name) for name in NAMES}
        except BaseException:
            other.kill()
            raise
    assert other.returncode == 0
    return found


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_give_the_figures_of_one_with_the_doubled_batch(shared, name):
    told, logits = shared[name]
    alone, expected = trained(name)

    assert len(told) == len(alone) == 4
    for ours, theirs in zip(told, alone, strict=True):
        assert ours == pytest.approx(theirs, rel=TOLERANCE, abs=1e-6)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-3)


def test_alone_nothing_is_shared_or_waited_for():
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(1))
    with together.group() as rank, together.jointly():
        assert (rank, together.world(), together.sharing(), together.told(5)) == (0, 1, 1, 5)
        assert together.divided(network) is network
        assert type(together.with_pooled_norms(network)[0]) is torch.nn.BatchNorm2d
    assert issubclass(PooledBatchNorm2d, torch.nn.BatchNorm2d)
