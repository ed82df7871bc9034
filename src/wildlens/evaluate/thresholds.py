"""Thresholds that turn an attribution into high attribution, and the IoU with a target.

The rules are the same for every method. The first learns one threshold from validation pixels and
is applied unchanged to test pixels; the others see the values of one tile only and need no target.
A threshold never separates equal values. Infinity is returned where no threshold can separate
anything, so that no pixel is high.
"""

import math

import numpy as np

from wildlens.evaluate.ranking import rank


def best_threshold(values: np.ndarray, target: np.ndarray) -> float:
    """The threshold t that maximises the IoU of {values >= t} with a target.

    Exact, see `ranking`. Of thresholds with equal IoU, the highest.

    Args:
        values: (n,) float32, finite, higher = more evidence; n >= 1.
        target: (n,) bool with at least one True.

    Returns:
        One of the values, in their own unit; infinity where all values are equal.
    """
    return rank(values, target).best_threshold


def otsu_threshold(values: np.ndarray) -> float:
    """Otsu's threshold: it maximises the variance between {values >= t} and the rest.

    Exact, without a histogram.

    Args:
        values: (n,) float, finite.

    Returns:
        The lowest value of the upper class; infinity for fewer than two distinct values.
    """
    ordered = np.sort(values)
    starts = np.flatnonzero(ordered[1:] > ordered[:-1]) + 1  # where an upper class may begin
    if starts.size == 0:
        return float("inf")
    centred = ordered.astype(np.float64)
    below = np.cumsum(centred - centred.mean())[starts - 1]
    # of values with mean 0, this is the between-class variance up to a constant factor
    variance = below**2 / (starts * (ordered.size - starts))
    return float(ordered[starts[np.argmax(variance)]])


def top_threshold(values: np.ndarray, share: float) -> float:
    """The lowest threshold that marks at most a share of the values.

    Equal values are marked together or not at all, so ties can only make the marked share smaller.

    Args:
        values: (n,) float, finite, n >= 1; share: in (0, 1].

    Returns:
        One of the values; infinity where all are equal, or the highest ones are too many.
    """
    ordered = np.sort(values)
    # rounded first: 0.29 * 100 is a little less than 29
    first = ordered.size - math.floor(round(share * ordered.size, 6))
    if first >= ordered.size or ordered[0] == ordered[-1]:
        return float("inf")
    if first > 0 and ordered[first] == ordered[first - 1]:
        first = np.searchsorted(ordered, ordered[first], side="right")
    return float(ordered[first]) if first < ordered.size else float("inf")


def mean_sd_threshold(values: np.ndarray) -> float:
    """Mean plus standard deviation of the values; infinity where all are equal."""
    if values.min() == values.max():
        return float("inf")
    return float(values.mean(dtype=np.float64) + values.std(dtype=np.float64))


def iou(high: np.ndarray, target: np.ndarray) -> float:
    """Intersection over union of two boolean arrays of one shape; NaN where both are empty."""
    union = np.count_nonzero(high | target)
    return np.count_nonzero(high & target) / union if union else float("nan")
