"""Count the parameters and floating point operations of QCResUNet beside the paper's.

    python benchmarks/qcresunet.py

Nothing is computed: the networks stand on PyTorch's meta device. An operation is a multiplication
or an addition, of convolutions and linear layers. The paper's row is Table 3 of its appendix, for
four modalities of 160 x 192 x 160 voxels.
"""

from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch.utils.flop_counter import FlopCounterMode

from qc.estimators.qcresunet.estimator import QCResUNet
from semiqc.schemes import SHORT_AXIS, TUMOUR, LabelScheme

Shape = tuple[int, int, int]

BRAIN: Shape = (160, 192, 160)
SHORT_AXIS_STACK: Shape = (16, 160, 160)
SHORT_AXIS_CROP: Shape = (8, 96, 96)

PAPER = (
    ("paper", "brain", BRAIN, 32, "all", 16.59, 296.64),
    ("paper", "brain", BRAIN, 32, "ResNet-34", 8.36, 249.64),
    ("paper", "brain", BRAIN, 32, "ResNet-50", 15.94, 302.86),
    ("paper", "brain", BRAIN, 32, "U-Net", 16.60, 670.24),
)

CASES: tuple[tuple[str, LabelScheme, int, Shape, int, dict[str, Any]], ...] = (
    ("brain", TUMOUR, 4, BRAIN, 32, {}),
    ("brain", TUMOUR, 4, BRAIN, 32, {"attention": False}),
    ("brain", TUMOUR, 4, BRAIN, 32, {"regression": False}),
    ("brain", TUMOUR, 4, BRAIN, 32, {"maps": False}),
    ("brain", TUMOUR, 4, BRAIN, 32, {"baseline": "resnet34"}),
    ("brain", TUMOUR, 4, BRAIN, 32, {"baseline": "resnet50"}),
    ("brain", TUMOUR, 4, BRAIN, 32, {"baseline": "unet"}),
    ("short axis", SHORT_AXIS, 1, SHORT_AXIS_STACK, 32, {}),
    ("short axis", SHORT_AXIS, 1, SHORT_AXIS_CROP, 32, {}),
    ("short axis", SHORT_AXIS, 1, SHORT_AXIS_CROP, 16, {}),
    ("short axis", SHORT_AXIS, 1, SHORT_AXIS_CROP, 8, {}),
)
"""Strides by data, scheme, modalities, voxels, width, and what is otherwise."""


def cost(
    scheme: LabelScheme, modalities: int, shape: Shape, width: int, parts: dict[str, Any]
) -> tuple[float, float]:
    """Millions of parameters, and 10^9 operations for one volume."""
    classes = len(scheme.classes)
    with torch.device("meta"):
        of_data = {"modalities": modalities, "size": shape, "isotropic": scheme is TUMOUR}
        network = QCResUNet(scheme, **of_data, width=width, **parts)._network().eval()
        volume = torch.zeros(1, modalities + classes, *shape)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(volume)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return parameters / 1e6, counter.get_total_flops() / 1e9


def main() -> None:
    """Print one row per network."""
    table = Table("", "strides", "voxels", "width", "parts", "parameters (M)", "GFLOP")
    rows = [*PAPER]
    for strides, scheme, modalities, shape, width, parts in CASES:
        without = ", ".join(value or f"no {name}" for name, value in parts.items()) or "all"
        counted = cost(scheme, modalities, shape, width, parts)
        rows.append(("ours", strides, shape, width, without, *counted))
    for who, strides, shape, width, without, parameters, operations in rows:
        voxels = " x ".join(str(length) for length in shape)
        table.add_row(
            who, strides, voxels, str(width), without, f"{parameters:.2f}", f"{operations:.2f}"
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
