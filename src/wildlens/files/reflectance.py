"""Stored form of reflectance in scenes, tiles and generated images: uint16, x 10000."""

import numpy as np

SCALE = 10_000  # stored = reflectance x 10000
UNIT = "reflectance"  # of the values when they are scaled
MISSING = 0
SATURATED = int(np.iinfo(np.uint16).max)  # 65535: the sensor was saturated; no reflectance
LOWEST, HIGHEST = 1, SATURATED - 1  # stored values of reflectances are clipped to this range


def to_stored(reflectance: np.ndarray) -> np.ndarray:
    """Reflectance (NaN = missing) in its stored form: uint16, 0 = missing, else 1 to 65534.

    Args:
        reflectance: any shape, float32.
    """
    stored = np.clip(np.rint(reflectance * SCALE), LOWEST, HIGHEST)
    return np.where(np.isnan(reflectance), MISSING, stored).astype(np.uint16)


def to_reflectance(stored: np.ndarray) -> np.ndarray:
    """Stored numbers as float32 reflectance in 0..1, the values that networks see.

    Reflectance above 1 counts as 1: bright snow and clouds, and saturated pixels (65535). Missing
    pixels (0) become 0.

    Args:
        stored: any shape, uint16.
    """
    return np.minimum(stored, SCALE).astype(np.float32) / np.float32(SCALE)
