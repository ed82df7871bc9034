"""Band statistics of the training split."""

import numpy as np
import torch
from torch import Tensor

from wildlens.files.reflectance import SCALE
from wildlens.tiles.store import TilesOnDisk

_AT_ONCE = 64 * 2**20  # bytes of pixels per chunk


def band_statistics(
    stored: np.ndarray | TilesOnDisk, rows: np.ndarray | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by band over valid pixels; (C,) float32 reflectance each.

    Computed from the values that networks see: reflectance above 1, as of saturated pixels, is 1.

    Args:
        stored: (M, C, S, S) uint16.
        rows: indices of the tiles to use; None: all.
    """
    means, sds = [], []
    values = np.minimum(np.arange(2**16), SCALE) / SCALE  # as `to_reflectance`, in float64
    for counts in _value_counts(stored, np.arange(len(stored)) if rows is None else rows):
        counts[0] = 0
        mean = np.average(values, weights=counts)
        means.append(mean)
        sds.append(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
    return torch.tensor(means, dtype=torch.float32), torch.tensor(sds, dtype=torch.float32)


def _value_counts(stored: np.ndarray | TilesOnDisk, rows: np.ndarray) -> np.ndarray:
    """Histogram of the 65536 possible values of each band, (C, 65536) float64.

    Exact, without a copy of all tiles.
    """
    _, bands, height, width = stored.shape
    counts = np.zeros((bands, 2**16))
    step = max(1, _AT_ONCE // (2 * bands * height * width))
    for start in range(0, len(rows), step):
        tiles = stored[rows[start : start + step]]
        for band in range(bands):
            counts[band] += np.bincount(tiles[:, band].ravel(), minlength=2**16)
    return counts
