"""Patchworks of land: mires with one direction of strings, and parcels with straight edges.

A patchwork is a grid of 128 px cells with frayed borders; each patch has its own random values.
Parcels are a rotated grid of rectangles within a patch, like fields and clear-cuts seen from above.
"""

from dataclasses import dataclass

import numpy as np

from wildlens.demo.neighbourhood import Neighbourhoods
from wildlens.demo.noise import rng_of

CELL = 128  # px
FRAY = 34.0  # px; displacement of the patches' borders
TABLE = 1 << 20  # parcels are numbered by a hash into this many draws; a collision does no harm


@dataclass(frozen=True)
class Pixels:
    """Some pixels of a scene: flat index, row and column, each (n,)."""

    flat: np.ndarray
    row: np.ndarray
    column: np.ndarray

    @classmethod
    def where(cls, mask: np.ndarray) -> "Pixels":
        """The pixels of a boolean (H, W)."""
        flat = np.flatnonzero(mask)
        row = flat // mask.shape[1]
        column = flat - row * mask.shape[1]
        return cls(flat, row.astype(np.float32), column.astype(np.float32))


class Patchwork:
    """Cells with frayed borders over one scene."""

    def __init__(self, hood: Neighbourhoods, name: str):
        self.seed, self.name = hood.seed, name
        self._fray = [hood.full(FRAY * hood.normal(f"{name} fray {axis}")) for axis in "yx"]
        height, width = hood.shape
        # the frayed position may be some cells outside the scene
        self._columns = width // CELL + 9
        self.count = (height // CELL + 9) * self._columns

    def at(self, pixels: Pixels) -> np.ndarray:
        """Number of the patch of each pixel, int32 (n,)."""
        y, x = (
            ((at + fray.ravel()[pixels.flat]) / CELL + 4).astype(np.int32)
            for at, fray in zip((pixels.row, pixels.column), self._fray, strict=True)
        )
        return np.clip(y * self._columns + x, 0, self.count - 1)

    def draw(self, what: str, low: float, high: float) -> np.ndarray:
        """One uniform draw per patch, float32 (count,)."""
        rng = rng_of(self.seed, f"{self.name} {what}")
        return rng.uniform(low, high, self.count).astype(np.float32)

    def along(self, pixels: Pixels, patch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates in pixels along and across the direction of each pixel's patch."""
        angle = self.draw("angle", 0, np.pi)
        cosine, sine = np.cos(angle)[patch], np.sin(angle)[patch]
        return (
            pixels.column * cosine + pixels.row * sine,
            pixels.row * cosine - pixels.column * sine,
        )


class Parcels:
    """Rectangles of 20-44 by 10-24 px in rows with offsets, one size and direction per patch."""

    def __init__(self, patchwork: Patchwork, pixels: Pixels):
        patch = patchwork.at(pixels)
        along, self.across = patchwork.along(pixels, patch)
        row = np.floor(self.across / patchwork.draw("width", 10, 24)[patch]).astype(np.int64)
        length = patchwork.draw("length", 20, 44)[patch]
        # golden-ratio offsets keep the ends of neighbouring rows apart
        place = np.floor(along / length + row * 0.618034).astype(np.int64)
        self.number = (patch * 7919 + row * 104729 + place * 1299709) % TABLE
        self._seed, self._name = patchwork.seed, patchwork.name

    def draw(self, what: str) -> np.ndarray:
        """One standard normal draw per parcel, float32 (n,)."""
        rng = rng_of(self._seed, f"{self._name} parcel {what}")
        return rng.standard_normal(TABLE, np.float32)[self.number]

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Mean of `values` (n,) over each parcel, made standard normal, float32 (n,)."""
        count = np.maximum(np.bincount(self.number, minlength=TABLE), 1)
        mean = (np.bincount(self.number, values, TABLE) / count)[self.number]
        return ((mean - mean.mean()) / max(mean.std(), 1e-9)).astype(np.float32)
