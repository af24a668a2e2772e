"""Two workers on real files, one of them killed, and a command that is interrupted."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from killing import content
from source_builders import save

from semiqc.work.sharing import LOCKS

COUNT = 8
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs /proc"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Eight small hearts and their segmentations, one of which is no segmentation."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    labels = np.zeros((48, 48, 3, 2), np.uint8)
    labels[16:32, 16:32], labels[20:28, 20:28], labels[6:14, 16:28] = 2, 3, 1
    affine = np.diag([3.0, 3, 9, 1])
    for number in range(COUNT):
        image = rng.random(labels.shape, dtype=np.float32) + labels
        save(folder / "images" / f"s{number}.nii.gz", image, affine)
        save(folder / "segmentations" / f"s{number}.nii.gz", labels + 9 * (number == 5), affine)
    return folder


def words(command, output, jobs):
    given = {"predict": ["phantom", "images"], "score": ["phantom", "images", "segmentations"]}
    told = ["--output", str(output), "--jobs", str(jobs)]
    return [sys.executable, "-m", "semiqc", command, *given[command], *told]


def begun(files, command, output):
    return subprocess.Popen(
        words(command, output, 2),
        cwd=files,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def workers():
    """Processes of workers that write into a folder of locks below this test's files."""
    found = {}
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            said = os.readlink(f"/proc/{process}/fd/1")
        except OSError:
            continue
        if f"/{LOCKS}/worker-" in said:
            found[int(process)] = said
    return found


def first_done(output):
    """Wait until a worker has counted a study; the workers of this output by number."""
    while True:
        ours = {p: said for p, said in workers().items() if output.name in said}
        for process, said in ours.items():
            with open(said) as file:
                if '"done"' in file.read():
                    return process, ours
        time.sleep(0.02)


@pytest.mark.parametrize("command", ["predict", "score"])
def test_a_worker_that_is_killed_loses_nothing(files, tmp_path, command):
    subprocess.run(words(command, tmp_path / "alone", 1), cwd=files, check=True)
    with begun(files, command, tmp_path / "shared") as process:
        victim, ours = first_done(tmp_path / "shared")
        os.kill(victim, signal.SIGKILL)
        said = process.communicate()[0]

    assert process.returncode == 0, said
    assert "ended early (-9)" in said
    assert len(ours) == 2
    assert content(tmp_path / "shared") == content(tmp_path / "alone")


@pytest.mark.parametrize("command", ["predict", "score"])
def test_an_interrupted_command_leaves_no_process(files, tmp_path, command):
    with begun(files, command, tmp_path / "cut") as process:
        _, ours = first_done(tmp_path / "cut")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)

    assert process.returncode == 130
    assert not ours.keys() & workers().keys()
