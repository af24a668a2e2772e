"""Kills a command again and again, and compares what it ends with to one that was left alone.

    python tests/killing.py FOLDER KILLS            every command, as a table
    python tests/killing.py FOLDER KILLS COMMAND    one, as JSON

A program of its own, whose copies (``fork``) do the work: so what all of them import is loaded
once, and no thread or open file is copied. It prints how often it killed, and what went wrong.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from itertools import count
from pathlib import Path

from run_settings import TINY, nothing_drawn
from source_builders import pixels, save

from semiqc.cli.app import main
from semiqc.phantom import write_phantoms

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
COMMANDS = ("import", "fit", "predict", "run")
CHAIN = 3
"""Kills of one command before it is let go on to its end."""
GOLDEN = 0.618034
"""Multiples of it, without their whole parts, fall evenly into [0, 1)."""
SOONEST_S = 0.03
TICKS = os.sysconf("SC_CLK_TCK")
OWN = {"settings.yaml", "environment.json", "manifest.json", "report.html", ".lock"}
"""Files of a run that name its folder, or the files beside them."""

RUN = (
    *TINY, "scenarios=[few, semiqc]", "training.steps=4", "training.checkpoint_every=1",
    "training.validate_every=2", "phantom.studies=9", "split.labelled=2", "split.qc=2",
    "split.test=1", "qc.arguments.curve={folds: 2, members: 1, steps: 3}",
)  # fmt: skip
FIT = (
    "--estimators", "svr,cnn,slicewise", "--sources", "seggen", "--folds", "2", "--test", "1",
    "--set", "cnn.steps=2", "--set", "cnn.width=4", "--set", "cnn.size=[3, 32, 32]",
    "--set", "slicewise.steps=2", "--set", "slicewise.width=4",
    "--set", "slicewise.size=[3, 32, 32]", "--set", "seggen.times=1",
)  # fmt: skip


def run_into(folder):
    return ["run", *(word for one in RUN for word in ("--set", one)), "--output", folder]


def prepared(command, folder):
    """The words of a command, ``{out}`` for its output, once its input is there."""
    if command == "run":
        return run_into("{out}")
    if command == "import":
        names = [f"s{number}" for number in range(12)]
        for number, name in enumerate(names):
            save(folder / f"{name}.nii.gz", pixels(number, (24, 20, 4, 5)))
        lines = [f"{name},{name}.nii.gz" for name in names]
        (folder / "m.csv").write_text("\n".join(["study,image", *lines]))
        return ["import", str(folder / "m.csv"), "{out}/store.h5"]
    store = str(folder / "store.h5")
    write_phantoms(Path(store), studies=6, size=32, slices=3, frames=3)
    if command == "fit":
        return ["qc", "fit", store, "--output", "{out}", *FIT]
    assert alone(run_into(str(folder / "run"))) is not None
    [images] = (folder / "run").glob("stages/phantom-*/store.h5")
    return ["predict", str(folder / "run"), str(images), "--output", "{out}"]


def begun(words, loaded=None):
    """Number of a process that does a command; it leaves the names of what it loaded."""
    process = os.fork()
    if process:
        return process
    code = 70
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        said = os.open(os.environ["KILLING_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(said, 1)
        os.dup2(said, 2)
        with nothing_drawn():
            code = main(words)
        if loaded:
            loaded.write_text("\n".join(sys.modules))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def alone(words, loaded=None):
    """Processor time in s that a command takes; None where it fails."""
    _, status, used = os.wait4(begun(words, loaded), 0)
    return used.ru_utime + used.ru_stime if os.waitstatus_to_exitcode(status) == 0 else None


def load(names):
    """Load what a command loads, so that its copies need not."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:
            continue


def killed(words, after, number):
    """Whether a command was killed, ``after`` s of processor time; it may be done before."""
    process = begun(words)
    while True:
        done, status, _ = os.wait4(process, os.WNOHANG)
        if done:
            if code := os.waitstatus_to_exitcode(status):
                raise RuntimeError(f"{' '.join(words)}: ended by itself with {code}")
            return False
        used = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        if (int(used[11]) + int(used[12])) / TICKS >= after:
            os.kill(process, number)
            os.waitpid(process, 0)
            return True
        time.sleep(0.003)


def content(output):
    """Bytes of the result by name, and the names of stages."""
    found = {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in sorted(output.rglob("*")) if path.is_file()
    }  # fmt: skip
    stages = {name.split("/")[1]: b"" for name in found if name.startswith("stages/")}
    kept = {k: v for k, v in found.items() if not k.startswith("stages/") and k not in OWN}
    return kept | stages


def work(command, folder, kills):
    """Kill a command so often, a few times on the way to each of its ends."""
    folder.mkdir(parents=True)
    os.environ["KILLING_LOG"] = str(folder / "log.txt")
    template = prepared(command, folder)

    def words(name):
        (folder / name).mkdir()
        return [word.format(out=folder / name) if "{out}" in word else word for word in template]

    loaded = folder / "loaded.txt"
    alone(words("first"), loaded)
    load(loaded.read_text().splitlines())
    needed = alone(words("unbroken"))
    expected = content(folder / "unbroken")
    done, wrong = 0, []
    for chain in count():
        if done >= kills:
            break
        told = words(f"killed{chain}")
        for _ in range(CHAIN):
            after = SOONEST_S + (done * GOLDEN) % 1 * (needed - SOONEST_S)
            number = SIGNALS[done % len(SIGNALS)]
            if not killed(told, after, number):
                break
            done += 1
            if content(folder / f"killed{chain}") == expected:
                break  # Killed when all was done, which some commands refuse to do again.
        else:
            if alone(told) is None:
                wrong.append(f"killed{chain}: does not go on")
        found = content(folder / f"killed{chain}")
        names = found.keys() | expected.keys()
        differ = sorted(name for name in names if found.get(name) != expected.get(name))
        wrong += [f"killed{chain}: {name} differs" for name in differ]
    return {"command": command, "kills": done, "chains": chain, "s": needed, "wrong": wrong}


def table(folder, kills):
    """Print a row for each command, each killed by a process of its own; what went wrong."""
    print(f"{'command':10}{'kills':>8}{'ends':>8}{'s':>8}{'wrong':>8}")
    wrong = []
    for command in COMMANDS:
        words = [sys.executable, __file__, str(folder / command), str(kills), command]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        wrong += found["wrong"]
        figures = found["kills"], found["chains"], round(found["s"], 1), len(found["wrong"])
        print(f"{command:10}" + "".join(f"{figure:8}" for figure in figures), flush=True)
    return wrong


if __name__ == "__main__":
    place, number, *asked = sys.argv[1:]
    if asked:
        print(json.dumps(work(asked[0], Path(place), int(number))))
    else:
        faults = table(Path(place), int(number))
        print("\n".join(faults))
        sys.exit(bool(faults))
