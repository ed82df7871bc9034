"""Bands of a product on another grid: in another CRS, or on other pixels.

The centre of each pixel is transformed separately, so the result does not depend on the window that
is read (GDAL's warper interpolates positions between those of a window's rows and columns).
"""

from dataclasses import dataclass

import numpy as np
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.windows import Window
from scipy.ndimage import map_coordinates

from wildlens.files.reflectance import MISSING
from wildlens.scene.open_band import OpenBand
from wildlens.scene.resampling import Resampling, is_reflectance

Positions = tuple[np.ndarray, np.ndarray]


class PixelCentres:
    """Centres of a grid's pixels in another CRS; those of the last window are kept."""

    def __init__(self, grid: GeoBox, crs: CRS):
        self._affine = grid.affine
        self._transformer = Transformer.from_crs(grid.crs.to_wkt(), crs.to_wkt(), always_xy=True)
        self._last: tuple[tuple, Positions] | None = None

    def of(self, window: Window) -> Positions:
        """x and y of a window's pixels, each (rows, columns) float64; infinite where undefined."""
        key = window.flatten()
        if self._last is None or self._last[0] != key:
            column, row = np.meshgrid(
                np.arange(window.width) + window.col_off + 0.5,
                np.arange(window.height) + window.row_off + 0.5,
            )
            self._last = key, self._transformer.transform(*(self._affine * (column, row)))
        return self._last[1]


@dataclass(frozen=True)
class WarpedBand:
    """An open band that is read in windows of another grid.

    A pixel is missing or saturated if the band's pixel at its centre is; all others are
    that pixel, or bilinear means of the pixels around the centre that are neither.
    """

    band: OpenBand
    grid: GeoBox
    centres: PixelCentres
    resampling: Resampling

    def read(self, window: Window) -> np.ndarray:
        """DN of a window of the other grid, in the form of `OpenBand.read`."""
        shape = int(window.height), int(window.width)
        column, row = ~self.grid.affine * self.centres.of(window)
        height, width = self.grid.shape
        with np.errstate(invalid="ignore"):
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        if not inside.any():
            return np.full(shape, MISSING, np.uint16)
        row, column = row[inside], column[inside]
        # one pixel more on each side, for the means
        top, left = (max(0, int(axis.min()) - 1) for axis in (row, column))
        bottom = min(height, int(row.max()) + 2)
        right = min(width, int(column.max()) + 2)
        own = self.band.read(Window(left, top, right - left, bottom - top))
        values = own[row.astype(int) - top, column.astype(int) - left]
        if self.resampling == "bilinear":
            mean = _bilinear(own, row - top, column - left)
            values = np.where(is_reflectance(values), mean, values)
        result = np.full(shape, MISSING, np.uint16)
        result[inside] = values
        return result


def _bilinear(own: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Means of the four pixels around each position, rounded half up; uint16.

    Missing and saturated pixels, and positions beyond the edges, are excluded: the weights of the
    others are raised accordingly.

    Args:
        own: (rows, columns) uint16.
        row, column: (n) float64, in pixels from the upper-left corner of `own`.
    """
    used = is_reflectance(own)
    positions = np.stack([row, column]) - 0.5
    total, weight = (
        map_coordinates(
            values, positions, np.float64, order=1, mode="grid-constant", prefilter=False
        )
        for values in (own * used, used.astype(np.uint8))
    )
    return np.floor(total / np.where(weight > 0, weight, 1) + 0.5).astype(np.uint16)
