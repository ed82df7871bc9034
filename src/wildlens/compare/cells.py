"""Sums of a change over square cells, from which the means of larger blocks follow."""

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

SIDE = 16  # px; windows of a scene start at multiples of it
LEAST_VALID = 0.5  # share of a block that must have values


class Cells:
    """Sums of values of a grid over cells of `SIDE` x `SIDE` pixels, added window by window.

    Attributes:
        total: (R, C) float64 sums of the values; count: (R, C) int64 numbers of them.
    """

    def __init__(self, shape: tuple[int, int]):
        cells = tuple(-(-side // SIDE) for side in shape)
        self.total, self.count = np.zeros(cells), np.zeros(cells, np.int64)

    def add(self, values: np.ndarray, window: Window) -> None:
        """Add a window, (h, w) float32, NaN = missing, whose corner is a multiple of `SIDE`."""
        padding = [(0, -side % SIDE) for side in values.shape]
        padded = np.pad(values, padding, constant_values=np.nan)
        valid = np.isfinite(padded)
        rows, columns = (side // SIDE for side in padded.shape)
        top, left = window.row_off // SIDE, window.col_off // SIDE
        here = np.s_[top : top + rows, left : left + columns]
        self.total[here] += _summed(np.where(valid, padded, 0).astype(np.float64), SIDE)
        self.count[here] += _summed(valid.astype(np.int64), SIDE)

    def block_means(self, side: int, left_out: np.ndarray | None = None) -> np.ndarray:
        """Means (n,) float64 of blocks of `side` x `side` cells that lie whole on the grid.

        Blocks with values on less than `LEAST_VALID` of their pixels are left out.

        Args:
            left_out: (R, C) bool, cells whose blocks are left out, too.
        """
        count = _summed(self.count, side)
        kept = count >= LEAST_VALID * (side * SIDE) ** 2
        if left_out is not None:
            kept &= _summed(left_out.astype(np.int64), side) == 0
        return _summed(self.total, side)[kept] / count[kept]


def cell_grid(grid: GeoBox) -> GeoBox:
    """The grid whose pixels are the cells of a grid; the last ones reach beyond its border."""
    shape = tuple(-(-side // SIDE) for side in grid.shape)
    return GeoBox(shape, grid.affine * Affine.scale(SIDE), grid.crs)


def _summed(values: np.ndarray, side: int) -> np.ndarray:
    """Sums over blocks of `side` x `side`; what is left at the lower and right border is cut."""
    rows, columns = (length // side for length in values.shape)
    cut = values[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side).sum(axis=(1, 3))
