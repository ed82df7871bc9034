"""Resampling to a finer grid in plain loops, whole arrays: what the fast paths must equal."""

import numpy as np


def naive_nearest(values, factor):
    return np.kron(values, np.ones((factor, factor), values.dtype))


def naive_bilinear(values, factor):
    """Pixel by pixel: the four nearest centres, weighted by distance, over the valid ones."""
    height, width = values.shape
    result = np.zeros((height * factor, width * factor), np.uint16)
    for row in range(height * factor):
        for column in range(width * factor):
            y, x = (row + 0.5) / factor - 0.5, (column + 0.5) / factor - 0.5
            total = weights = 0.0
            for i in (int(np.floor(y)), int(np.floor(y)) + 1):
                for j in (int(np.floor(x)), int(np.floor(x)) + 1):
                    weight = (1 - abs(y - i)) * (1 - abs(x - j))
                    value = int(values[min(max(i, 0), height - 1), min(max(j, 0), width - 1)])
                    total += weight * value * (value > 0)
                    weights += weight * (value > 0)
            if values[row // factor, column // factor]:
                result[row, column] = int(total / weights + 0.5 + 1e-9)
    return result
