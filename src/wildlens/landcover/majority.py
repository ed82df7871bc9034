"""Majority resampling: the class that covers most of a pixel, from a square of sample points.

GDAL's `mode` does not weight source pixels by their overlap: between two 10 m grids that are offset
by 3 m it takes the wrong class in every second pixel.
"""

import math

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from wildlens.files import raster

LEAST, MOST = 5, 21  # points along a side; odd, so that one is the centre
_PER_PIXEL = 2  # least points on each source pixel, along an axis


def points_along(own: GeoBox | None, grid: GeoBox) -> int:
    """Number of sample points along a pixel's side: at least two per source pixel, 5 to 21, odd.

    Args:
        own: grid of the source; None for polygons, which take 5.
        grid: target grid; the extent of its middle pixel on the source decides.
    """
    if own is None:
        return LEAST
    span = raster.pixels_across(grid, own)
    wanted = math.ceil(_PER_PIXEL * span - 1e-6) if math.isfinite(span) else LEAST
    return min(max(wanted | 1, LEAST), MOST)


def refined(grid: GeoBox, points: int) -> GeoBox:
    """The grid whose pixel centres are the sample points, `points` along each side of a pixel."""
    rows, columns = grid.shape
    affine = grid.affine * Affine.scale(1 / points)
    return GeoBox((rows * points, columns * points), affine, grid.crs)


def majority(samples: np.ndarray, points: int) -> np.ndarray:
    """The class with the most sample points in each pixel.

    No data counts as a class: a pixel that is mostly no data stays no data. Ties go to the class at
    the centre if it is among them, else to the lowest index.

    Args:
        samples: (H * points, W * points) uint8 class indices, 0 = no data.
        points: along each side of a pixel; odd.

    Returns:
        (H, W) uint8.
    """
    height, width = (side // points for side in samples.shape)
    squares = samples.reshape(height, points, width, points)
    centre = squares[:, points // 2, :, points // 2]
    result = centre.copy()
    mixed = squares.min(axis=(1, 3)) != squares.max(axis=(1, 3))
    row, column = np.nonzero(mixed)
    points_of = squares[row, :, column, :].reshape(len(row), points**2)
    best = centre[mixed]
    # the class at the centre stays unless another has more points; of others, the lowest index wins
    most = np.count_nonzero(points_of == best[:, None], axis=1)
    for index in np.unique(points_of):
        count = np.count_nonzero(points_of == index, axis=1)
        more = count > most
        best[more], most[more] = index, count[more]
    result[mixed] = best
    return result
