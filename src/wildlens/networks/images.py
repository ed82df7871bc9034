"""Stored pixels as network input: reflectance in [0, 1], missing pixels filled."""

import numpy as np
import torch
from torch import Tensor

from wildlens.files.reflectance import to_reflectance


def to_images(stored: np.ndarray, fill: Tensor) -> tuple[Tensor, Tensor]:
    """Stored pixels as network input; missing ones get the band mean, a standardised 0.

    Args:
        stored: (N, C, H, W) uint16, reflectance x 10000, 0 = missing. A pixel that is missing in
            one band is missing in all.
        fill: (C,) float32 reflectance.

    Returns:
        images (N, C, H, W) float32 reflectance, and valid (N, H, W) bool.
    """
    missing = torch.from_numpy((stored == 0).any(axis=1))
    images = torch.from_numpy(to_reflectance(stored))
    if missing.any():
        images = torch.where(missing[:, None], fill[:, None, None], images)
    return images, ~missing
