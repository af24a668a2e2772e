"""Where real data lies, for the tests that want some."""

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2] / "shared" / "data"


def real_folder(name: str) -> Path:
    """A folder of real data; the test is skipped where there is none."""
    folder = Path(os.environ.get("SEMIQC_DATA", BESIDE)) / name
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; SEMIQC_DATA names another place")
    return folder
