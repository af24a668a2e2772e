import subprocess
import sys
import time
from pathlib import Path

import loops
import qc
import segmenters
import semiqc

PACKAGES = (semiqc, segmenters, qc, loops)


def test_the_four_packages_come_from_one_folder():
    folders = {Path(package.__file__).parents[1] for package in PACKAGES}

    assert folders == {Path(__file__).parents[1]}


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from semiqc.cli import main; main(['--help']);"
        "print([m for m in ('torch', 'monai', 'h5py', 'scipy', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


def test_help_answers_in_under_a_second():
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "semiqc", "--help"], capture_output=True, check=True)
        seconds.append(time.perf_counter() - start)

    assert min(seconds) < 1
