"""Confidence intervals over spatial blocks: Student's t on the delete-one-block jackknife.

Neighbouring pixels, and tiles of one block, are not independent; blocks of the split are taken to
be. With few blocks the percentile and the BCa bootstrap are too short (18 blocks of unequal size:
they cover 0.89 and 0.87 instead of 0.95; `tests/evaluate/test_intervals.py` simulates it).
"""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, logit, stdtrit

COVERAGE = 0.95


def leave_one_out(sums: np.ndarray) -> np.ndarray:
    """Sum over all blocks but one, for each block: the replicates of the jackknife.

    Nothing is subtracted, so that a sum of zeros is exactly 0. The same replicates serve every
    method, which makes differences between methods paired.

    Args:
        sums: (blocks, ...) sums of each block; the result has this shape.
    """
    before, after = np.zeros_like(sums), np.zeros_like(sums)
    before[1:] = np.cumsum(sums[:-1], axis=0)
    after[:-1] = np.cumsum(sums[:0:-1], axis=0)[::-1]
    return before + after


def sum_by_block(values: np.ndarray, blocks: np.ndarray, count: int | None = None) -> np.ndarray:
    """Sums of the tiles' values in each block, (blocks, ...) int64 or float64, as the values.

    Args:
        values: (tile, ...); blocks: (tile,) int, number of the block of each.
        count: number of blocks; default: up to the highest that occurs.
    """
    count = int(blocks.max()) + 1 if count is None else count
    sums = np.zeros((count, *values.shape[1:]), np.result_type(values.dtype, np.int64))
    np.add.at(sums, blocks, values)
    return sums


def pooled_iou(intersection: np.ndarray, union: np.ndarray) -> np.ndarray:
    """Pooled IoU of every replicate, (blocks,) float64; NaN where its blocks hold no union.

    Args:
        intersection, union: (blocks,) number of pixels of each block.
    """
    return ratio(leave_one_out(intersection), leave_one_out(union))


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient of two arrays of one shape, float64; NaN where the denominator is not positive."""
    undefined = np.full(numerator.shape, np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)


def interval(estimate: float, replicates: np.ndarray, share: bool = True) -> tuple[float, float]:
    """Interval that covers the true value in 95 % of samples.

    The degrees of freedom follow the kurtosis of the jackknife deviations (Satterthwaite): where
    few blocks carry most of the variance, they are fewer than blocks - 1.

    Args:
        estimate: value of all blocks; replicates: (blocks,) values without one block each.
        share: the value lies in 0..1, and so will the interval, which is computed on the logit
            scale. Else it lies in -1..1 (a difference of two shares).

    Returns:
        Lower and upper end; NaN for fewer than two blocks, and where the value is not defined
        without one of the blocks: it then depends on that block alone.
    """
    if _undefined(estimate, replicates):
        return float("nan"), float("nan")
    if share and min(estimate, replicates.min()) > 0 and max(estimate, replicates.max()) < 1:
        half = _half_width(logit(replicates))
        return float(expit(logit(estimate) - half)), float(expit(logit(estimate) + half))
    half = _half_width(replicates)
    return float(max(estimate - half, -1 + share)), float(min(estimate + half, 1))


def real_interval(estimate: float, replicates: np.ndarray) -> tuple[float, float]:
    """Such an interval of a quantity without bounds, such as a coefficient; not transformed."""
    if _undefined(estimate, replicates):
        return float("nan"), float("nan")
    half = _half_width(replicates)
    return float(estimate - half), float(estimate + half)


def difference_interval(estimate: float, replicates: np.ndarray) -> tuple[float, float]:
    """Such an interval of a difference of two shares, in -1..1."""
    return interval(estimate, replicates, share=False)


def with_interval(
    name: str,
    estimate: float,
    replicates: np.ndarray,
    ends: Callable[[float, np.ndarray], tuple[float, float]] = interval,
) -> dict[str, float]:
    """Columns of a table: the estimate, and the ends of its interval as `_low` and `_high`."""
    low, high = ends(estimate, replicates)
    return {name: estimate, f"{name}_low": low, f"{name}_high": high}


def _undefined(estimate: float, replicates: np.ndarray) -> bool:
    finite = np.isfinite(estimate) and np.isfinite(replicates).all()
    return len(replicates) < 2 or not finite


def _half_width(replicates: np.ndarray) -> float:
    blocks = len(replicates)
    squares = np.square(replicates - replicates.mean())
    total = squares.sum()
    if total <= 1e-24 * np.square(replicates).sum():  # equal up to rounding
        return 0.0
    excess = blocks * np.square(squares).sum() / total**2 - 1  # kurtosis less one, at least 0
    freedom = np.clip(2 * blocks / max(excess, 1e-9) - 1, 1, blocks - 1)
    error = np.sqrt((blocks - 1) / blocks * total)
    return float(stdtrit(freedom, (1 + COVERAGE) / 2) * error)
