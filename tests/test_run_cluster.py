"""A run in a Ray cluster, and one that torchrun shares, give what one process gives."""

import csv
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from run_settings import KEPT, TINY

from semiqc.work.engines.base import MEMORY

SMALL = (
    *TINY, KEPT, "scenarios=[few, semiqc]", "qc.estimators=[svr, physiology]", "gate.by=consensus",
)  # fmt: skip
RESULTS = ("split", "overlap", "clinical", "curves", "judgements", "pseudo")
pytestmark = pytest.mark.slow


def command(output, *options, changes=SMALL):
    sets = [part for change in changes for part in ("--set", change)]
    return ["-m", "semiqc", "run", *sets, "--output", str(output), *options]


def start(words, **given):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SEMIQC_JOBS": ""} | given
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def tables(output):
    return {name: (output / f"results/{name}.csv").read_bytes() for name in RESULTS}


def workers(run):
    """Process and highest memory, in bytes, of each worker of a run, which writes into it."""
    found = {}
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            is_worker = os.readlink(f"/proc/{process}/fd/1").startswith(f"{run}/locks/")
            with open(f"/proc/{process}/status") as file:
                peak = next(line for line in file if line.startswith("VmHWM"))
        except (OSError, StopIteration):
            continue
        if is_worker:
            found[int(process)] = 1024 * int(peak.split()[1])
    return found


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc")
def test_a_ray_cluster_of_two_nodes_gives_what_one_process_gives(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'semiqc[ray]'")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_worker_niceness", "0")
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    with start([sys.executable, *command(alone, "--jobs", "1")]) as process:
        process.communicate()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    peaks = {}
    try:
        options = ("--engine", "ray", "--address", cluster.address, "--jobs", "2")
        with start([sys.executable, *command(shared, *options)]) as process:
            while process.poll() is None and not list(shared.glob("stages/train-few-*")):
                peaks |= workers(shared)
                time.sleep(0.05)
            victim = min(workers(shared))
            os.kill(victim, signal.SIGKILL)
            said = process.communicate()[0]
    finally:
        cluster.shutdown()

    assert process.returncode == 0, said
    assert tables(shared) == tables(alone)
    names = [{path.name for path in (one / "stages").iterdir()} for one in (alone, shared)]
    assert names[0] == names[1]
    assert len(peaks) >= 2
    assert max(peaks.values()) < MEMORY


def test_torchrun_shares_the_trainings_of_a_run(tmp_path):
    changes = (*TINY, KEPT, "scenarios=[few]", "training.batch_size=4", "training.device=cpu")
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    runner = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for output, words in ((alone, []), (shared, runner)):
        with start([sys.executable, *words, *command(output, changes=changes)]) as process:
            said = process.communicate()[0]
        assert process.returncode == 0, said

    assert "2 processes share each training" in said
    found = [_dice(output) for output in (alone, shared)]
    np.testing.assert_allclose(found[0], found[1], atol=0.02)


def _dice(output):
    with (output / "results/overlap.csv").open() as file:
        return [float(row["dice"]) for row in csv.DictReader(file)]
