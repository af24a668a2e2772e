"""The scripts for SLURM start what they should, tried with stand-ins for its programs."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "examples/cluster"
SLURM = {
    "SLURM_JOB_NODELIST": "n[1-3]", "SLURM_JOB_NUM_NODES": "3", "SLURM_JOB_ID": "7",
    "SLURM_CPUS_PER_TASK": "16", "RAY_POLL": "0",
}  # fmt: skip
STANDINS = {
    "scontrol": "printf 'n1\\nn2\\nn3\\n'",
    "srun": """case "$*" in
*hostname*) echo "10.0.0.1 fe80::1";;
*) echo "srun $*" >> "$SAID";;
esac""",
    "ray": "exit 0",
    "semiqc": 'echo "semiqc $*" >> "$SAID"',
}


def said(tmp_path, script, **given):
    """What a script starts, a line each."""
    for name, text in STANDINS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {"PATH": path, "SAID": str(tmp_path / "said"), **SLURM, **given}
    command = ["bash", SCRIPTS / script, "settings.yaml", "--output", "/shared/a b"]
    subprocess.run(command, env=environment, check=True, timeout=30)
    return sorted((tmp_path / "said").read_text().splitlines())


pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")


def test_a_ray_cluster_is_begun_on_all_nodes_and_the_run_joins_it(tmp_path):
    lines = said(tmp_path, "ray.sbatch")

    started = "semiqc run settings.yaml --output /shared/a b --engine ray"
    assert lines[0] == f"{started} --address 10.0.0.1:6379"
    head, others = sorted(lines[1:])
    assert "--nodelist=n1 ray start --head --node-ip-address=10.0.0.1 --port=6379" in head
    assert "--num-cpus=16 --block" in head
    assert "--nodes=2 --ntasks=2 --exclude=n1 ray start --address=10.0.0.1:6379" in others


def test_gpus_are_told_to_ray_and_one_node_has_no_others(tmp_path):
    lines = said(tmp_path, "ray.sbatch", SLURM_JOB_NUM_NODES="1", SLURM_GPUS_ON_NODE="4")

    assert len(lines) == 2
    assert "--num-gpus=4" in lines[1]


def test_torchrun_begins_a_process_for_each_gpu(tmp_path):
    (line,) = said(tmp_path, "torchrun.sbatch", SLURM_GPUS_ON_NODE="4")

    assert "torchrun --nnodes=3 --nproc-per-node=4" in line
    assert "--rdzv-endpoint=n1:29500 --rdzv-id=7 -m semiqc run settings.yaml" in line
