"""From stored integers to what networks take: reflectance in [0, 1], and missing pixels."""

import numpy as np
import torch
from torch import Tensor

from wildlens.files.reflectance import SCALE


def to_images(stored: np.ndarray, fill: Tensor) -> tuple[Tensor, Tensor]:
    """Stored pixels as network input, missing ones filled with the band mean.

    The mean is what carries no evidence: a standardised 0.

    Args:
        stored: (N, C, H, W) uint16, reflectance x 10000, 0 = missing. A pixel that is missing in
            one band is missing in all.
        fill: (C,) float32 reflectance.

    Returns:
        images (N, C, H, W) float32 reflectance, and valid (N, H, W) bool.
    """
    missing = torch.from_numpy((stored == 0).any(axis=1))
    # numpy converts: torch has few operations on uint16
    images = torch.from_numpy(stored.astype(np.float32) / SCALE).clamp_(max=1.0)
    if missing.any():
        images = torch.where(missing[:, None], fill[:, None, None], images)
    return images, ~missing
