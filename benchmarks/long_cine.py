r"""How much memory does a long cine take, beyond the network that segments it?

    python benchmarks/long_cine.py
    python benchmarks/long_cine.py --run runs/demo      # by what a run has taught, with its judges

`semiqc predict` segments a heart of one frame, which takes what the program and its networks take,
and a cine of 50 frames x 12 slices x 256 x 256, each in a process of its own. Printed is the most
memory that each process held. Needs Linux.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from many_studies import cost_of, write_nifti

from semiqc.phantom.dataset import PhantomRecipe
from semiqc.phantom.scanner import PROFILES
from semiqc.study import Study

FRAMES, SLICES, SIZE, PIXEL_MM = 50, 12, 256, 1.5
NOISE = 10


def heart() -> Study:
    """A phantom at end-diastole and end-systole."""
    return PhantomRecipe(
        "short-axis", SIZE, SLICES, 2, tuple(PROFILES), 0.25, "usual", PIXEL_MM, seed=0
    ).study(0)


def write_cine(path: Path, study: Study, frames: int) -> None:
    """Write a cine whose frames lie between the two of a phantom, each with noise of its own."""
    contracted = np.sin(np.linspace(0, np.pi, frames, endpoint=False)) ** 2
    ed, es = (np.asarray(study.image[0, frame]) for frame in (0, 1))
    rng = np.random.default_rng(0)
    cine = [
        np.rint(ed + share * (es - ed) + rng.normal(0, NOISE, ed.shape)).astype(np.int16)
        for share in contracted
    ]
    write_nifti(path, np.stack(cine), study.spacing[::-1])


def _main() -> None:
    parser = argparse.ArgumentParser(description="Memory of a long cine.")
    parser.add_argument("--run", default="phantom", help="Finished run; default: shipped weights.")
    given = parser.parse_args()
    study = heart()
    print("| frames | peak memory (MiB) | beyond one frame (MiB) | processor seconds |")
    print("|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        of_one = 0.0
        for frames in (1, FRAMES):
            image, output = folder / f"cine{frames}.nii.gz", folder / f"out{frames}"
            write_cine(image, study, frames)
            arguments = ("predict", given.run, str(image), "-o", str(output))
            cost = cost_of((*arguments, "--scenario", "few"), folder / "log.txt")
            of_one = of_one or cost.mib
            beyond = cost.mib - of_one
            print(f"| {frames} | {cost.mib:.0f} | {beyond:.0f} | {cost.seconds:.0f} |", flush=True)


if __name__ == "__main__":
    _main()
