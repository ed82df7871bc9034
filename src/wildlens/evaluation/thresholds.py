"""From attribution to "high attribution": thresholds, and the IoU that they reach.

Two rules, the same for every method. The first learns one threshold from validation pixels and is
applied unchanged afterwards; the second (Otsu's) looks at the values alone and needs no masks.
"""

import numpy as np


def best_threshold(values: np.ndarray, target: np.ndarray) -> float:
    """The threshold t that maximises the IoU of {values >= t} with a target.

    Exact: every set that a threshold can cut out is tried, by one sort and cumulative sums. Of
    thresholds with equal IoU, the highest.

    Args:
        values: (n,) float32, finite, higher = more evidence; n >= 1.
        target: (n,) bool with at least one True.

    Returns:
        One of the values, in their own unit.
    """
    order = np.argsort(values)[::-1]
    ordered = values[order]
    hits = np.cumsum(target[order], dtype=np.int64)
    # equal values fall on the same side: a set ends only where the next value is lower
    ends = np.flatnonzero(np.append(ordered[1:] < ordered[:-1], True))
    union = (ends + 1) + hits[-1] - hits[ends]
    return float(ordered[ends[np.argmax(hits[ends] / union)]])


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


def iou(high: np.ndarray, target: np.ndarray) -> float:
    """Intersection over union of two boolean arrays of one shape; NaN where both are empty."""
    union = np.count_nonzero(high | target)
    return np.count_nonzero(high & target) / union if union else float("nan")
