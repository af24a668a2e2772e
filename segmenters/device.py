"""Where networks run: a processor, or a GPU where there is one."""

from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["32-true", "bf16-mixed"]


def make_fabric(device: str, precision: Precision) -> "Fabric":
    """Device and precision, by Lightning Fabric.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it.
        precision: Likewise.

    Raises:
        ValueError: If this machine has no such device.
    """
    # Lightning takes seconds to import, and only what runs networks needs it.
    from lightning_fabric import Fabric

    if device_here(device) != device:
        raise ValueError(f"device {device}: this machine has none; auto takes what there is")
    return Fabric(accelerator=device, devices=1, precision=precision)


def device_here(device: str) -> str:
    """A device for what was trained elsewhere: the same where there is one, else ``auto``."""
    if device in ("cuda", "gpu"):
        return device if torch.cuda.is_available() else "auto"
    if device == "mps":
        return device if torch.backends.mps.is_available() else "auto"
    return device
