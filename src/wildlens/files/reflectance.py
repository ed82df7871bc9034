"""Reflectance as it is stored in scenes, tiles and generated images."""

import numpy as np

SCALE = 10_000  # stored = reflectance x 10000; 0 = missing


def to_stored(reflectance: np.ndarray) -> np.ndarray:
    """Reflectance (NaN = missing) as scenes store it: uint16 x 10000, 0 = missing, else 1 or more.

    Args:
        reflectance: any shape, float32.
    """
    stored = np.clip(np.rint(reflectance * SCALE), 1, np.iinfo(np.uint16).max)
    return np.where(np.isnan(reflectance), 0, stored).astype(np.uint16)


def to_reflectance(stored: np.ndarray) -> np.ndarray:
    """Stored numbers as float32 reflectance in 0..1, the values that networks see.

    Reflectance above 1 counts as 1: bright snow and clouds, and saturated pixels (65535). Missing
    pixels (0) become 0.

    Args:
        stored: any shape, uint16.
    """
    return np.minimum(stored, SCALE).astype(np.float32) / np.float32(SCALE)
