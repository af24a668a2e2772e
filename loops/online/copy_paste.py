"""Copy-paste between labelled slices."""

from torch import Tensor

from loops.online.slices import Slices


def copy_pasted(labelled: Slices, box: Tensor) -> Slices:
    """Labelled slices, each with the box of another in it.

    Reference:
        Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance
        Segmentation", CVPR 2021. https://doi.org/10.1109/CVPR46437.2021.00294
        As the first stage of Bai et al., CVPR 2023: https://doi.org/10.1109/CVPR52729.2023.01108
        Ours: each slice is both ground and patch, so that as many mixtures come out as slices
        went in; in the paper half of the slices are pasted into the other half.

    Args:
        labelled: Slices.
        box: Of the pixels that are pasted, bool ``[1, Y, X]``.
    """
    return labelled.pasted(labelled.rolled(max(1, len(labelled) // 2)), box)
