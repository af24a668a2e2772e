"""Sixty kills of the commands that take long: each goes on to the result of an unbroken one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from killing import COMMANDS

KILLS = 15


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_killed_ends_with_the_same_bytes(command, tmp_path):
    killing = Path(__file__).parent / "killing.py"
    done = subprocess.run(
        [sys.executable, str(killing), str(tmp_path / "work"), str(KILLS), command],
        check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip

    found = json.loads(done.stdout.splitlines()[-1])
    assert found["wrong"] == []
    assert found["kills"] >= KILLS
