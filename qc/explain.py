"""Where a network looks when it estimates a quality."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn
from torch.nn.functional import interpolate

from qc.estimators.network.crops import network_input
from qc.estimators.network.estimator import NetworkEstimator
from qc.frames import frame_of
from semiqc.schemes import BACKGROUND, Structure
from semiqc.study import Prediction

Reading = Callable[[Any, Tensor], Tensor]
"""From a network's output and what it was given to ``[B, K]``."""


def _as_it_is(output: Tensor, given: Tensor) -> Tensor:
    """The output of a network that gives ``[B, K]``."""
    return output


def grad_cam(
    network: nn.Module, given: Tensor, output: int, layer: str, read: Reading = _as_it_is
) -> NDArray[np.float64]:
    """How much each voxel speaks for a high value of one output of a network.

    Reference:
        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
        Localization", ICCV 2017. https://doi.org/10.1109/ICCV.2017.74
        Ours: the gradient is that of a regressed value in place of a class's score.

    Args:
        network: From ``[B, C, ...]`` to what is read; left as it was.
        given: Of one frame, ``[1, C, ...]``.
        output: Which of the ``K``.
        layer: Name of the layer whose features are weighed, as in ``named_modules``. In a
            network that takes a volume's slices one by one, they may be those of ``Z`` slices;
            in one that pads its input at the ends, of more rows and columns.
        read: Makes ``[B, K]`` of the network's output.

    Returns:
        In [0, 1], of the spatial shape of ``given``; 0 everywhere where nothing speaks for it.

    Raises:
        ValueError: If the network has no such layer.
    """
    # With MONAI come plotting and tuning, which nobody else who explains needs.
    from monai.visualize.class_activation_maps import GradCAM

    if layer not in dict(network.named_modules()):
        raise ValueError(f"{type(network).__name__} has no layer '{layer}'")
    # MONAI's hooks stay on the network they are given.
    with torch.enable_grad():
        reader = _Reader(deepcopy(network), read)
        explainer: Any = GradCAM(reader, f"network.{layer}")
        watched = given.detach().clone().requires_grad_()
        found: Tensor = explainer.compute_map(watched, class_idx=output).detach().float()
    if found.ndim < given.ndim:
        found = found.transpose(0, 1).unsqueeze(0)
    return _scaled(found, given.shape[2:])


def _scaled(found: Tensor, size: torch.Size) -> NDArray[np.float64]:
    """A map ``[1, 1, ...]`` brought to a size, its largest value to 1."""
    found = found[..., : size[-2], : size[-1]]
    mode = "trilinear" if len(size) == 3 else "bilinear"
    found = interpolate(found, size, mode=mode, align_corners=False)[0, 0]
    strongest = float(found.max())
    heat: NDArray[np.float64] = found.double().cpu().numpy()
    return heat / strongest if strongest > 0 else heat


def explain(
    estimator: NetworkEstimator, prediction: Prediction, frame: int, structure: Structure
) -> NDArray[np.float64]:
    """How much each voxel of a frame speaks for a high quality of a structure.

    The mean over the members of the estimator; its class names the layer as
    ``explained_layer``, and ``dice_told`` what of the networks' output is a structure's.

    Args:
        estimator: Fitted.
        prediction: What is judged.
        frame: Which of its frames.
        structure: One of the estimator's scheme.

    Returns:
        In [0, 1], ``[Z, Y, X]``; 0 outside of the box that the estimator looks at.

    Raises:
        ValueError: If the estimator names no layer, or has no such structure.
        sklearn.exceptions.NotFittedError: If it is not fitted.
    """
    check_is_fitted(estimator)
    layer = estimator.explained_layer
    if layer is None:
        raise ValueError(f"{type(estimator).__name__} names no layer that explains it")
    if structure not in estimator.scheme.structures:
        raise ValueError(f"{estimator.scheme.name} has no structure {structure}")
    seen = frame_of(prediction, frame)
    box = estimator.box_of(seen)
    image = torch.from_numpy(box.cut(seen.image, 0)[None])
    labels = torch.from_numpy(box.cut(seen.labels, BACKGROUND)[None]).long()
    given = network_input(image, labels, estimator.scheme)
    output = estimator.scheme.structures.index(structure)
    maps = []
    for network in estimator.networks_:
        moved = given.to(next(network.parameters()).device)
        maps.append(grad_cam(network, moved, output, layer, estimator.dice_told))
    return np.asarray(box.put_back(np.mean(maps, axis=0), seen.labels.shape, 0.0))


class _Reader(nn.Module):
    """A network whose output is read."""

    def __init__(self, network: nn.Module, read: Reading) -> None:
        super().__init__()
        self.network = network
        self.read = read

    def forward(self, given: Tensor) -> Tensor:
        return self.read(self.network(given), given)
