"""Results that many tests read, made once for a whole test run whatever process asks first.

- ``finished_run``: folder of a run of all scenarios, with the settings ``run_settings.TINY``
  and ``KEPT``.
- ``gates_run``: folder of a run that compares gates, ``run_settings.GATES``; its report has no
  pictures.
- ``suite_store`` and ``fitted_suite``: phantoms, and a suite of four estimators that learned from
  some of them.

Tests only read them. One that writes copies the folder first, by ``shutil.copytree``. Another
result to share is a fixture that calls ``made_once``. A test that does a run and looks at no
picture of its report uses ``undrawn``: drawing takes most of the time of a tiny run.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from run_settings import GATES, KEPT, SUITE_OPTIONS, TINY, nothing_drawn

# Tests run side by side themselves.
os.environ["SEMIQC_JOBS"] = "1"

MakeOnce = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> MakeOnce:
    """Makes a named folder unless a process of this test run has made it, and returns it."""
    own = tmp_path_factory.getbasetemp()
    base = own if worker_id == "master" else own.parent

    def made(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = base / f"shared-{name}", base / f"shared-{name}.done"
        with FileLock(base / f"shared-{name}.lock"):
            if not done.exists():
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="session", autouse=True)
def unsynced() -> Iterator[None]:
    """No test cuts the power, and waiting for the disk takes a tenth of a tiny run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def finished_run(made_once: MakeOnce) -> Path:
    """A run of all scenarios; see above."""
    return made_once("run", lambda folder: run_into(folder, (*TINY, KEPT)))


@pytest.fixture(scope="session")
def gates_run(made_once: MakeOnce) -> Path:
    """A run that compares gates; see above."""

    def make(folder: Path) -> None:
        with nothing_drawn():
            run_into(folder, GATES)

    return made_once("gates", make)


@pytest.fixture(scope="session")
def suite_store(made_once: MakeOnce) -> Path:
    """Six phantoms in a store."""
    from semiqc.phantom import write_phantoms

    def make(folder: Path) -> None:
        folder.mkdir()
        write_phantoms(folder / "phantom.h5", studies=6, size=40, slices=3, frames=2)

    return made_once("phantoms", make) / "phantom.h5"


@pytest.fixture(scope="session")
def fitted_suite(made_once: MakeOnce, suite_store: Path) -> Path:
    """A suite that learned from four of the phantoms; two are held out."""
    from semiqc.cli.app import main

    def make(folder: Path) -> None:
        command = ["qc", "fit", str(suite_store), "--output", str(folder / "suite")]
        assert main([*command, *SUITE_OPTIONS]) == 0

    return made_once("suite", make) / "suite"


@pytest.fixture
def undrawn() -> Iterator[None]:
    """Leaves the pictures of reports empty."""
    with nothing_drawn():
        yield


def run_into(folder: Path, changes: tuple[str, ...]) -> None:
    """Do a run with these settings, told nowhere."""
    from semiqc.experiment import read_settings, run
    from semiqc.work.monitor import Silent

    run(read_settings(None, [*changes, f"output={folder}"]), Silent())
