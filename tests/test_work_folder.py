"""A run folder belongs to one process, for as long as that lives."""

import subprocess
import sys

import pytest

from semiqc.work.folder import claim

HOLDER = """
import sys, time
from pathlib import Path
from semiqc.work.folder import claim
with claim(Path(sys.argv[1]), {}):
    print("claimed", flush=True)
    time.sleep(120)
"""


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "claimed\n"
        yield process
        process.kill()


def test_another_process_is_kept_out_until_the_first_is_killed(holder, tmp_path):
    with (
        pytest.raises(BlockingIOError, match="another process works in this run folder"),
        claim(tmp_path / "run", {}),
    ):
        pass

    holder.kill()
    holder.wait()

    with claim(tmp_path / "run", {"seeds": [0]}):
        assert (tmp_path / "run" / "settings.yaml").read_text() == "seeds:\n- 0\n"


def test_a_folder_is_free_again_behind_the_block(tmp_path):
    with claim(tmp_path / "run", {}):
        pass
    with claim(tmp_path / "run", {}):
        assert (tmp_path / "run" / "environment.json").exists()


def test_a_folder_of_something_else_is_not_claimed(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")

    with pytest.raises(FileExistsError, match="not a run folder"), claim(tmp_path, {}):
        pass
    assert not (tmp_path / ".lock").exists()
