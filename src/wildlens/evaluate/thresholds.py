"""From attribution to "high attribution": thresholds, and the IoU that they reach.

The rules are the same for every method. The first learns one threshold from validation pixels and
is applied unchanged afterwards; the others look at the values of one tile alone and need no masks.
"""

import numpy as np

from wildlens.evaluate.ranking import rank


def best_threshold(values: np.ndarray, target: np.ndarray) -> float:
    """The threshold t that maximises the IoU of {values >= t} with a target.

    Exact, see `ranking`. Of thresholds with equal IoU, the highest.

    Args:
        values: (n,) float32, finite, higher = more evidence; n >= 1.
        target: (n,) bool with at least one True.

    Returns:
        One of the values, in their own unit.
    """
    return rank(values, np.ones(values.shape, bool)).best_threshold(target)


def otsu_threshold(values: np.ndarray) -> float:
    """Otsu's threshold: {values >= t} and the rest differ most (largest between-class variance).

    Exact, without a histogram.

    Args:
        values: (n,) float, finite.

    Returns:
        The lowest value of the upper class; infinity where there is nothing to tell apart (fewer
        than two distinct values), so that no pixel is high.
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
    """The threshold above which a share of the values lies; with equal values it may be more.

    Args:
        values: (n,) float, n >= 1; share: in (0, 1], rounded to at least one value.
    """
    count = max(1, round(share * values.size))
    return float(np.partition(values, -count)[-count])


def mean_sd_threshold(values: np.ndarray) -> float:
    """Mean plus standard deviation of the values; infinity where all are equal: none is high."""
    if values.min() == values.max():
        return float("inf")
    return float(values.mean(dtype=np.float64) + values.std(dtype=np.float64))


def iou(high: np.ndarray, target: np.ndarray) -> float:
    """Intersection over union of two boolean arrays of one shape; NaN where both are empty."""
    union = np.count_nonzero(high | target)
    return np.count_nonzero(high & target) / union if union else float("nan")
