"""A hundred damages: each is noticed by the command that would use the file, and none used."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_every_damage_is_noticed_by_the_command_that_would_use_it(tmp_path):
    damages = Path(__file__).parent / "damages.py"
    done = subprocess.run(
        [sys.executable, str(damages), str(tmp_path / "work")],
        check=False, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    [total] = re.findall(r"^(\d+) damages$", done.stdout, re.MULTILINE)
    assert int(total) >= 100
