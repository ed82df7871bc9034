"""Periodic texture of images and maps: stripes and grids that generators leave behind.

A tile has a periodic texture if, after its smooth trend is removed, its autocorrelation along a
row, a column or a diagonal has a local maximum above 0.15 at a lag of 2 to 20 pixels, after lower
values at shorter lags. Natural texture decorrelates with distance and has none; row crops have.
"""

from collections.abc import Iterable

import numpy as np
from scipy.ndimage import gaussian_filter

SHORTEST, LONGEST = 2, 20  # lags, px
PEAK = 0.15  # autocorrelation above which a tile counts as periodic
RISE = 0.05  # of a maximum above the lowest value at a shorter lag; along an edge there is none
TREND = 10.0  # sd of the Gaussian that is the smooth trend, px
LEAST_VALID = 0.25  # share of valid pixels below which a tile is not measured
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))  # rows, columns, both diagonals


def periodic_peak(values: np.ndarray) -> float:
    """Height of the highest local maximum of the autocorrelation at lags 2 to 20 px.

    Lags are limited to a quarter of the tile's side, beyond which too few pairs of pixels are left.

    Args:
        values: (y, x) float, NaN = missing.

    Returns:
        In 0..1, 0 where there is no maximum or no contrast; NaN with too few valid pixels.
    """
    valid = np.isfinite(values)
    if valid.mean() < LEAST_VALID:
        return float("nan")
    if np.ptp(values[valid]) == 0:
        return 0.0
    residual = remove_trend(values, valid)
    longest = min(LONGEST, min(values.shape) // 4)
    peaks = [0.0]
    for direction in DIRECTIONS:
        # one lag more on either side, to know a maximum by its neighbours
        profile = autocorrelation(residual, valid, direction, range(1, longest + 2))
        inner, lowest = profile[1:-1], np.minimum.accumulate(profile)[:-2]
        maximum = (inner > profile[:-2]) & (inner >= profile[2:]) & (inner - lowest > RISE)
        peaks += inner[maximum].tolist()
    return float(min(max(peaks), 1.0))


def remove_trend(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Values less their Gaussian mean, float64 with mean 0; 0 where invalid.

    Args:
        values: (y, x) float; valid: (y, x) bool.
    """
    weight = gaussian_filter(valid.astype(np.float64), TREND)
    smooth = gaussian_filter(np.where(valid, values, 0).astype(np.float64), TREND)
    residual = np.where(valid, values - smooth / np.maximum(weight, 1e-12), 0.0)
    return np.where(valid, residual - residual[valid].mean(), 0.0)


def autocorrelation(
    residual: np.ndarray, valid: np.ndarray, direction: tuple[int, int], lags: range
) -> np.ndarray:
    """Autocorrelation at multiples of a direction, (lags,); 0 where no two valid pixels meet.

    Args:
        residual: (y, x) float64 with mean 0, 0 where invalid; valid: (y, x) bool.
        direction: step of one lag (rows, columns), in pixels of -1, 0 or 1.
    """
    variance = np.square(residual).sum() / np.count_nonzero(valid)
    found = []
    for lag in lags:
        first, second = _overlap(residual.shape, direction, lag)
        pairs = np.count_nonzero(valid[first] & valid[second])
        product = np.vdot(residual[first], residual[second])
        found.append(product / (pairs * variance) if pairs and variance else 0.0)
    return np.array(found)


def _overlap(shape: tuple[int, int], direction: tuple[int, int], lag: int):
    """The parts of an array that lie on each other when it is shifted by a lag."""
    ends = []
    for length, step in zip(shape, direction, strict=True):
        near, far = slice(0, length - lag * abs(step)), slice(lag * abs(step), length)
        ends.append((far, near) if step < 0 else (near, far))
    return tuple(end[0] for end in ends), tuple(end[1] for end in ends)


def count_periodic(peaks: np.ndarray) -> int:
    """Number of tiles with a periodic texture, of (tile,) `periodic_peak`; NaN does not count."""
    return int(np.count_nonzero(peaks > PEAK))


def texture_row(name: str, tiles: Iterable[np.ndarray]) -> dict:
    """One row of texture.csv.

    Args:
        name: method, or "image"; tiles: (y, x) float32 each, NaN = missing.
    """
    peaks = np.array([periodic_peak(tile) for tile in tiles])
    measured = peaks[np.isfinite(peaks)]
    return {
        "method": name,
        "tiles": len(measured),
        "periodic_tiles": count_periodic(measured),
        "mean_peak": float(measured.mean()) if len(measured) else float("nan"),
    }
