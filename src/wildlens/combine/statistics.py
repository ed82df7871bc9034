"""Mean, standard deviation and agreement of members, pixel by pixel."""

from collections.abc import Sequence

import numpy as np


def mean_and_sd(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over members, float32 each, of the shape of one member.

    The standard deviation estimates that of single trainings: n - 1 in its denominator.

    Args:
        values: (N, ...) float, N >= 2, NaN = missing. A pixel that a member lacks is missing.
    """
    values = values.astype(np.float64)
    return values.mean(axis=0).astype(np.float32), values.std(axis=0, ddof=1).astype(np.float32)


def agreement(values: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Share of members that call a pixel high, float32 in 0..1; NaN where a member lacks it.

    Args:
        values: (N, ...) float32, NaN = missing.
        thresholds: of each member, in its unit: values from there on are high; infinity: none is.
    """
    high = [member >= np.float32(t) for member, t in zip(values, thresholds, strict=True)]
    share = np.mean(high, axis=0, dtype=np.float64)
    return np.where(np.isfinite(values).all(axis=0), share, np.nan).astype(np.float32)


def mean_image(stored: np.ndarray) -> np.ndarray:
    """Mean of generated images over members, uint16 reflectance x 10000.

    Args:
        stored: (N, C, H, W) uint16, 0 = no data. A pixel that a member lacks is no data.
    """
    mean = np.rint(stored.mean(axis=0, dtype=np.float64)).astype(np.uint16)
    return np.where((stored > 0).all(axis=0), mean, np.uint16(0))
