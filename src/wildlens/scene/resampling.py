"""Bands of a product, of any resolution, on its 10 m grid, window by window.

All resolutions of a Sentinel-2 product share the upper-left corner, so each coarse pixel contains
a whole number of fine ones; if a clip ends inside it, its remainder is not read. The result depends
on the position in the grid, not on the window that is read; the arithmetic is in integers and thus
exact.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from wildlens.files.reflectance import MISSING, SATURATED
from wildlens.scene.open_band import OpenBand

Resampling = Literal["nearest", "bilinear"]
MAX_FACTOR = 6  # 60 m on 10 m; sums of `_weighted_mean` fit into 32 bits up to 60


@dataclass(frozen=True)
class AlignedBand:
    """An open band that is read in windows of a grid `factor` times finer than its own.

    A pixel is missing or saturated if the band's pixel that contains it is; all others are means
    of the pixels around them that are neither.
    """

    band: OpenBand
    factor: int
    resampling: Resampling

    def read(self, window: Window) -> np.ndarray:
        """DN of a window of the fine grid, in the form of `OpenBand.read`."""
        if self.factor == 1:
            return self.band.read(window)
        height, width = self.band.dataset.shape
        rows = _taps(window.row_off, window.height, self.factor, height)
        columns = _taps(window.col_off, window.width, self.factor, width)
        top, left = rows.first, columns.first
        own = self.band.read(Window(left, top, columns.last + 1 - left, rows.last + 1 - top))
        nearest = own[rows.own - top][:, columns.own - left]
        if self.resampling == "nearest":
            return nearest
        return np.where(is_reflectance(nearest), _weighted_mean(own, rows, columns), nearest)


def is_reflectance(numbers: np.ndarray) -> np.ndarray:
    """Whether digital numbers are neither missing nor saturated; bool, same shape."""
    return (numbers != MISSING) & (numbers != SATURATED)


def is_aligned(own: GeoBox, grid: GeoBox) -> bool:
    """Whether a grid has the CRS and corner of another, up to 6 times finer one, and its extent.

    The last of the coarser pixels may stick out.
    """
    factor = factor_of(own, grid)
    a, b, left, d, e, top = grid.affine[:6]
    expected = Affine(a * factor, b, left, d, e * factor, top)
    return (
        own.crs == grid.crs
        and 1 <= factor <= MAX_FACTOR
        and tuple(own.shape) == tuple(math.ceil(side / factor) for side in grid.shape)
        and own.affine.almost_equals(expected, 1e-3)
    )


def factor_of(own: GeoBox, grid: GeoBox) -> int:
    """How many pixels of `grid` a pixel of `own` is wide, rounded."""
    return round(abs(own.affine.a / grid.affine.a))


def crs_name(crs: CRS) -> str:
    """EPSG code of a CRS, or its text where it has none."""
    return f"EPSG:{crs.epsg}" if crs.epsg else str(crs)


@dataclass(frozen=True)
class _Taps:
    """Coarse pixels from which the fine pixels of a stretch of one axis are interpolated.

    Attributes:
        own: the coarse pixel that contains the fine one.
        neighbour: the one on the side of the fine pixel's centre; at the edge, `own` again.
        own_weight, neighbour_weight: in units of 1 / (2 factor); they sum to 2 factor.
    """

    own: np.ndarray
    neighbour: np.ndarray
    own_weight: np.ndarray
    neighbour_weight: np.ndarray

    @property
    def first(self) -> int:
        return int(min(self.own[0], self.neighbour[0]))

    @property
    def last(self) -> int:
        return int(max(self.own[-1], self.neighbour[-1]))


def _taps(start: int, size: int, factor: int, length: int) -> _Taps:
    """Taps of fine pixels start .. start + size - 1 along an axis of `length` coarse pixels."""
    fine = np.arange(start, start + size)
    own = fine // factor
    # distance of the two centres in half fine pixels: 1 - factor, 3 - factor, ... factor - 1
    distance = 2 * (fine % factor) + 1 - factor
    neighbour = np.clip(own + np.sign(distance), 0, length - 1)
    weight = np.abs(distance).astype(np.int32)
    return _Taps(own, neighbour, 2 * factor - weight, weight)


def _weighted_mean(own: np.ndarray, rows: _Taps, columns: _Taps) -> np.ndarray:
    """Bilinear mean of coarse pixels, rounded half up; uint16.

    Missing and saturated pixels are excluded: the weights of the others are raised accordingly.
    `own` starts at the first tap of either axis.
    """
    used = is_reflectance(own)
    total = _interpolate(own.astype(np.int32) * used, rows, columns)
    if used.all():
        weight = int(rows.own_weight[0] + rows.neighbour_weight[0]) ** 2
    else:
        weight = _interpolate(used.astype(np.int32), rows, columns)
        weight[weight == 0] = 1
    return ((2 * total + weight) // (2 * weight)).astype(np.uint16)


def _interpolate(values: np.ndarray, rows: _Taps, columns: _Taps) -> np.ndarray:
    """Sum of the taps times their weights, first down the columns, then along the rows."""
    top, left = rows.first, columns.first
    values = (
        values[rows.own - top] * rows.own_weight[:, None]
        + values[rows.neighbour - top] * rows.neighbour_weight[:, None]
    )
    return (
        values[:, columns.own - left] * columns.own_weight
        + values[:, columns.neighbour - left] * columns.neighbour_weight
    )
