"""Resampling to a finer grid in plain loops, whole arrays: reference for the fast versions."""

import numpy as np

MISSING, SATURATED = 0, 65535


def naive_nearest(values, factor):
    return np.kron(values, np.ones((factor, factor), values.dtype))


def naive_bilinear(values, factor):
    """The four nearest centres, weighted by distance, over those neither missing nor saturated."""
    height, width = values.shape
    result = np.zeros((height * factor, width * factor), np.uint16)
    for row in range(height * factor):
        for column in range(width * factor):
            y, x = (row + 0.5) / factor - 0.5, (column + 0.5) / factor - 0.5
            total = weights = 0.0
            for i in (int(np.floor(y)), int(np.floor(y)) + 1):
                for j in (int(np.floor(x)), int(np.floor(x)) + 1):
                    value = int(values[min(max(i, 0), height - 1), min(max(j, 0), width - 1)])
                    used = value not in (MISSING, SATURATED)
                    weight = (1 - abs(y - i)) * (1 - abs(x - j)) * used
                    total += weight * value
                    weights += weight
            own = values[row // factor, column // factor]
            if own in (MISSING, SATURATED):
                result[row, column] = own
            else:
                result[row, column] = int(total / weights + 0.5 + 1e-9)
    return result
