"""The score below which somebody should look at a segmentation."""

FLAG_BELOW = 0.7
"""Where Robinson et al., "Real-time prediction of segmentation quality", MICCAI 2018, part poor
from good segmentations by Dice. https://doi.org/10.1007/978-3-030-00937-3_66"""


def check_threshold(flag_below: float) -> None:
    """Refuse a threshold that no score can have.

    Raises:
        ValueError: If it is not in [0, 1].
    """
    if not 0 <= flag_below <= 1:
        raise ValueError(f"flag_below must lie in [0, 1], got {flag_below}")
