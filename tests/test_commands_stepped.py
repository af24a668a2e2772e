"""Commands that are ended before each change they make to a folder, and given again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stepping import EACH, ENDS


@pytest.mark.slow
@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("command", EACH)
def test_a_command_that_ends_anywhere_ends_with_the_same_bytes(command, how, tmp_path):
    stepping = Path(__file__).parent / "stepping.py"
    done = subprocess.run(
        [sys.executable, str(stepping), str(tmp_path / "work"), command, how, str(EACH[command])],
        check=True, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip

    found = json.loads(done.stdout.splitlines()[-1])
    assert found["wrong"] == []
    assert found["changes"] > EACH[command]
