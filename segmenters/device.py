"""Where networks run: a processor, or a GPU where there is one."""

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import torch
from torch import nn

from semiqc import together

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["32-true", "bf16-mixed"]
"""Number format, as Lightning Fabric names it."""
AnyPrecision = Literal["auto", "32-true", "bf16-mixed"]
"""Likewise; ``auto`` is what suits the device."""


def make_fabric(device: str, precision: AnyPrecision) -> "Fabric":
    """Device and precision, by Lightning Fabric; the same object for the same two.

    Args:
        device: ``auto``, ``cpu`` or ``cuda``, as Lightning Fabric names it.
        precision: Likewise; ``auto`` is ``bf16-mixed`` where the device computes in bfloat16.

    Raises:
        ValueError: If this machine has no such device.
    """
    if device_here(device) != device:
        raise ValueError(f"device {device}: this machine has none; auto takes what there is")
    return _fabric(device, chosen_precision(precision, device))


@lru_cache(maxsize=8)
def _fabric(device: str, precision: Precision) -> "Fabric":
    # Each new one reads what every installed package registers: 10 ms for each prediction.
    # Lightning takes seconds to import, and only what runs networks needs it.
    from lightning_fabric import Fabric

    # What it says of its precision is no news to who asked for it.
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    # Of the processes that share a training each has a GPU of its own.
    own = [together.local_rank()] if together.world() > 1 and torch.cuda.is_available() else 1
    return Fabric(accelerator=device, devices=1 if device == "cpu" else own, precision=precision)


def device_here(device: str) -> str:
    """A device for what was trained elsewhere: the same where there is one, else ``auto``."""
    if device in ("cuda", "gpu"):
        return device if torch.cuda.is_available() else "auto"
    if device == "mps":
        return device if torch.backends.mps.is_available() else "auto"
    return device


def chosen_precision(precision: AnyPrecision, device: str) -> Precision:
    """``auto`` as what suits the device; any other as it is given."""
    if precision != "auto":
        return precision
    if device != "cpu" and torch.cuda.is_available():
        is_fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # Elsewhere bfloat16 is emulated on a processor, and slower than float32.
        able: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
        is_fast = any(able.get(name) for name in ("avx512_bf16", "amx_bf16"))
    return "bf16-mixed" if is_fast else "32-true"


def channels_last_pays(asked: str, network: nn.Module) -> bool:
    """Whether a network's weights and features are kept with their channels last.

    Args:
        asked: ``contiguous``, ``channels_last``, or ``auto`` for what is faster.
        network: Instance normalisation is slower with channels last than what is gained, and
            convolutions over volumes have another layout.
    """
    if any(isinstance(part, nn.Conv3d) for part in network.modules()):
        return False
    if asked != "auto":
        return asked == "channels_last"
    return not any(isinstance(part, nn.InstanceNorm2d) for part in network.modules())
