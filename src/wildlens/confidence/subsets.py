"""The surest tiles by a measure of confidence."""

import math

import numpy as np


def surest(uncertainty: np.ndarray, share: float) -> np.ndarray:
    """The share of the tiles with the lowest uncertainty, (tile,) bool; at least one of them.

    Of equal tiles the first are taken. The next larger whole number of tiles is chosen.

    Args:
        uncertainty: (tile,) float64, NaN = unknown: these are the least sure.
    """
    count = max(1, math.ceil(round(share * len(uncertainty), 6)))
    chosen = np.zeros(len(uncertainty), bool)
    chosen[np.argsort(uncertainty, kind="stable")[:count]] = True  # NaN comes last
    return chosen
