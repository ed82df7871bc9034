"""Numbers as 8-bit codes for transport: value = offset + scale x code, code 0 = missing."""

import base64
import zlib
from dataclasses import dataclass

import numpy as np

MISSING, FIRST, LAST = 0, 1, 255
TAILS = (0.1, 99.9)  # percentiles: rarer extremes would cost all other values their precision


@dataclass(frozen=True)
class Quantised:
    """Codes of an array, and what they mean.

    Values differ by at most half of `scale` from what their codes say, except those beyond the
    first or the last code, which only says "or less" or "or more".

    Attributes:
        codes: uint8, any shape, 0 = missing.
        scale: above 0; offset: value = offset + scale x code, in the values' unit.
        below, above: whether values lie beyond the first, the last code.
    """

    codes: np.ndarray
    scale: float
    offset: float
    below: bool
    above: bool

    def values(self) -> np.ndarray:
        """The values that the codes stand for, float64, NaN = missing."""
        known = self.codes != MISSING
        return np.where(known, self.offset + self.scale * self.codes, np.nan)


def quantise(values: np.ndarray) -> Quantised:
    """Quantise numbers between their percentiles `TAILS`.

    Args:
        values: float, any shape, NaN or infinite = missing.
    """
    known = np.isfinite(values)
    finite = values[known].astype(np.float64)
    low, high = np.percentile(finite, TAILS) if finite.size else (0.0, 1.0)
    scale = float(high - low) / (LAST - FIRST)
    if not scale > 0:  # one value, or too close for numbers to tell apart
        scale = 1.0
    offset = float(low) - scale * FIRST
    codes = np.zeros(values.shape, np.uint8)
    codes[known] = np.clip(np.rint((finite - offset) / scale), FIRST, LAST)
    half = scale / 2
    return Quantised(
        codes,
        scale,
        offset,
        below=bool((finite < low - half).any()),
        above=bool((finite > offset + scale * LAST + half).any()),
    )


def packed(codes: np.ndarray) -> str:
    """Codes (uint8) as zlib stream in base64, which scripts of browsers can read."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(codes).tobytes(), 6)).decode()
