"""The noise of an area's mean change: what blocks of its size change by without a known change.

The noise is an interval that 95 % of the blocks lie in, by empirical quantiles, so it holds for
skewed and heavy-tailed changes and contains the shift of a whole scene (season, haze). Blocks are
squares no larger than the area. If a scene has too few of that size, they are smaller: means of
smaller blocks spread more, and the interval is then too wide rather than too narrow.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wildlens.compare.cells import SIDE, Cells

SHARE = 0.95  # of the blocks
LEAST_BLOCKS = 40  # one beyond each end of the interval
OTHER_GROUND = "other ground of the same scenes"


@dataclass(frozen=True)
class Noise:
    """Interval of the mean changes of blocks.

    Attributes:
        low, high: its ends, in the unit of the map; NaN if it is not known.
        source: where the blocks are, or why the interval is not known.
        blocks: their number; side: px.
    """

    low: float
    high: float
    source: str
    blocks: int = 0
    side: int = 0

    def exceeded_by(self, change: float) -> bool | None:
        """Whether a mean change lies outside; None if one of the two is not known."""
        if math.isnan(self.low) or math.isnan(change):
            return None
        return not self.low <= change <= self.high


def noise_of_area(
    fields: Sequence[Cells], source: str, pixels: float, left_out: np.ndarray | None = None
) -> Noise:
    """The noise of the mean change of an area.

    Args:
        fields: changes of pairs of scenes; source: what they are, in words.
        pixels: size of the area; left_out: (R, C) bool, the area's own cells in each of `fields`.
    """
    side = math.isqrt(int(pixels)) // SIDE
    if side == 0:
        return _unknown(f"none: the area is smaller than {SIDE} x {SIDE} pixels")
    cells = sum(field.total.size for field in fields)
    for smaller in range(min(side, math.isqrt(cells // LEAST_BLOCKS)), 0, -1):
        means = np.concatenate([field.block_means(smaller, left_out) for field in fields])
        if len(means) >= LEAST_BLOCKS:
            low, high = np.quantile(means, [(1 - SHARE) / 2, (1 + SHARE) / 2])
            return Noise(float(low), float(high), source, len(means), smaller * SIDE)
    return _unknown(f"none: fewer than {LEAST_BLOCKS} blocks of {SIDE} x {SIDE} pixels")


def _unknown(reason: str) -> Noise:
    return Noise(math.nan, math.nan, reason)
