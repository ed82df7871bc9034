"""How reflectance is stored, in scenes, tiles and generated images."""

import numpy as np

SCALE = 10_000  # stored = reflectance x 10000; 0 = missing


def to_stored(reflectance: np.ndarray) -> np.ndarray:
    """Reflectance (NaN = missing) as scenes store it: uint16 x 10000, 0 = missing, else 1 or more.

    Args:
        reflectance: any shape, float32.
    """
    stored = np.clip(np.rint(reflectance * SCALE), 1, np.iinfo(np.uint16).max)
    return np.where(np.isnan(reflectance), 0, stored).astype(np.uint16)
