"""The state of an unfinished gradient loop, kept on disk with checksums.

A loop that was killed goes on from it to the same weights as one that was not. The file carries a
checksum of all that it holds and of what the training had left beside it by then, so that a loop
never goes on from what was damaged.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from semiqc.files.atomic import is_unfinished, sync_file, write_bytes
from semiqc.files.checksums import DamagedError

log = logging.getLogger(__name__)

BatchOf = TypeVar("BatchOf")
IDENTITY = "semiqc-loop"
STATE = "state.safetensors"
BESIDE = ("*.csv", "*.safetensors")
"""Files that a training leaves in the folder of its state: its log, and weights."""


@dataclass(frozen=True)
class Kept:
    """What a file of a state holds.

    Args:
        identity: Of the loop.
        iteration: Number of iterations done.
        beside: Size and SHA-256, by name, of the files that the training had left by then.
        tensors: All tensors, by module or ``optimizer`` and the name within it.
    """

    identity: str
    iteration: int
    beside: Mapping[str, list[Any]]
    tensors: Mapping[str, Tensor]

    @property
    def digest(self) -> str:
        """SHA-256 of everything in it."""
        found = hashlib.sha256(_as_json([self.identity, self.iteration, self.beside]))
        for name, tensor in sorted(self.tensors.items()):
            found.update(_as_json([name, str(tensor.dtype), list(tensor.shape)]))
            found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
        return found.hexdigest()

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        described = json.dumps([self.identity, self.iteration, self.beside, self.digest])
        write_bytes(path, save(dict(self.tensors), {IDENTITY: described}))

    @classmethod
    def read(cls, path: Path) -> "Kept":
        """What was written.

        Raises:
            DamagedError: If the file cannot be read, or is not what was written.
        """
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
            identity, iteration, beside, digest = json.loads(metadata[IDENTITY])
            kept = cls(identity, iteration, beside, tensors)
        except Exception as error:
            reason = " ".join(str(error).split())
            raise DamagedError(f"{path}: damaged, cannot be read ({reason})") from error
        if digest != kept.digest:
            raise DamagedError(f"{path}: damaged, its SHA-256 is not the one written with it")
        return kept

    def check_beside(self, folder: Path) -> None:
        """Make sure that the files beside the state begin with what they held by then.

        Raises:
            DamagedError: Naming one that does not.
        """
        for name, (size, digest) in self.beside.items():
            path = folder / name
            try:
                with path.open("rb") as file:
                    content = file.read(size)
            except OSError as error:
                raise DamagedError(f"{path}: damaged, {error.strerror}") from error
            if hashlib.sha256(content).hexdigest() != digest:
                raise DamagedError(f"{path}: damaged, it is not what the saved state says")

    def cut_back(self, folder: Path) -> None:
        """Cut files that were added to since down to what they held by then."""
        for name, (size, _) in self.beside.items():
            if (folder / name).stat().st_size > size:
                with (folder / name).open("r+b") as file:
                    file.truncate(size)


def has_state(folder: Path) -> bool:
    """Whether a training that was killed left a state in a folder."""
    return (folder / STATE).exists()


def damage_of_state(folder: Path) -> str:
    """Why a training cannot go on from the state in a folder, in words; empty where it can.

    A folder without a state is begun with anew, and nothing in it is damaged.
    """
    try:
        if has_state(folder):
            Kept.read(folder / STATE).check_beside(folder)
    except DamagedError as error:
        return str(error)
    return ""


def empty_without_state(folder: Path) -> None:
    """Remove what a training left that was killed before it kept a state."""
    if has_state(folder):
        return
    for left in folder.iterdir():
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


@dataclass(frozen=True)
class LoopState(Generic[BatchOf]):
    """What a loop needs to go on: modules, optimizer and the number of iterations done.

    Args:
        folder: Where the state is kept.
        identity: Of the loop; a state of another identity, or of another stage, is passed over.
        modules: By name, the network and what goes with it.
        optimizer: Whose moments are kept.
    """

    folder: Path
    identity: str
    modules: Mapping[str, nn.Module]
    optimizer: torch.optim.Optimizer

    @property
    def path(self) -> Path:
        """File that holds the state."""
        return self.folder / STATE

    @property
    def whose(self) -> str:
        """Identity and, where the state is that of a stage, its folder's name.

        That has the hash of the data, which two runs with the same settings may differ in.
        """
        names = [path.name for path in (self.folder, *self.folder.parents)]
        stage = next((name for name in names if is_unfinished(name)), "")
        return f"{self.identity} {stage}".rstrip()

    def save(self, iteration: int) -> None:
        """Keep the state after an iteration, whole or not at all."""
        Kept(self.whose, iteration, self._beside(), self._tensors()).write(self.path)

    def save_as(self, path: Path, iteration: int) -> None:
        """Keep the state after an iteration in another file, for a loop that goes on from it."""
        Kept(self.identity, iteration, {}, self._tensors()).write(path)

    def _beside(self) -> dict[str, list[Any]]:
        """Size and SHA-256 of what the training left in the folder, once that is on disk."""
        found = {}
        for path in sorted(path for kind in BESIDE for path in self.folder.glob(kind)):
            if path != self.path and not path.name.startswith("."):
                sync_file(path)
                content = path.read_bytes()
                found[path.name] = [len(content), hashlib.sha256(content).hexdigest()]
        return found

    def _tensors(self) -> dict[str, Tensor]:
        """All that is kept, by module or ``optimizer`` and the name within it."""
        tensors = {
            f"{name}/{key}": tensor.detach().cpu().contiguous().clone()
            for name, module in self.modules.items()
            for key, tensor in module.state_dict().items()
        }
        for number, moments in self.optimizer.state_dict()["state"].items():
            for key, value in moments.items():
                moment = torch.as_tensor(value).detach().cpu().contiguous().clone()
                tensors[f"optimizer/{number}/{key}"] = moment
        return tensors

    def restore(self) -> int:
        """Take back the kept state; the number of iterations it has done, 0 without one.

        A damaged one is renamed to end in ``.damaged``, and the log tells of it.
        """
        if not self.path.exists():
            return 0
        try:
            kept = Kept.read(self.path)
            kept.check_beside(self.folder)
        except DamagedError as error:
            aside = self.path.with_name(f"{STATE}.damaged")
            self.path.replace(aside)
            log.warning("%s; kept as %s, begun anew", error, aside)
            return 0
        if kept.identity != self.whose:
            log.warning("%s: the state of another training; begun anew", self.path)
            return 0
        kept.cut_back(self.folder)
        self._take_back(kept.tensors)
        return kept.iteration

    def take_over(self, path: Path) -> int:
        """Go on from the state that another loop left; the number of iterations it has done.

        Raises:
            ValueError: If the file cannot be read, is damaged or is of other modules.
        """
        try:
            kept = Kept.read(path)
            self._take_back(kept.tensors)
        except (DamagedError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{path}: not the state of such a training ({reason})") from error
        return kept.iteration

    def _take_back(self, tensors: Mapping[str, Tensor]) -> None:
        for name, module in self.modules.items():
            module.load_state_dict(_below(tensors, f"{name}/"))
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in _below(tensors, "optimizer/").items():
            number, moment = key.split("/")
            state.setdefault(int(number), {})[moment] = tensor
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})

    def forget(self) -> None:
        """Remove the kept state."""
        self.path.unlink(missing_ok=True)


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _as_json(value: Any) -> bytes:  # noqa: ANN401
    return json.dumps(value, sort_keys=True).encode()
