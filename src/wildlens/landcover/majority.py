"""The class that covers most of a pixel, from a square of sample points in it.

GDAL's own mode does not weigh source pixels by how much of the pixel they cover: between two grids
of 10 m that lie 3 m apart, it takes the wrong class in every second pixel.
"""

import math

import numpy as np
from affine import Affine
from odc.geo.geobox import GeoBox

from wildlens.files import raster

LEAST, MOST = 5, 21  # points along a side; odd, so that one is the centre
_BETWEEN = 2  # points that must fall on each source pixel along an axis


def points_along(own: GeoBox | None, grid: GeoBox) -> int:
    """How many points a side suit a source: at least two on each of its pixels, 5 to 21, odd.

    Args:
        own: grid of the source; None for polygons, which take the most that is usual, 5.
        grid: the wanted grid; what its middle pixel covers of the source decides.
    """
    if own is None:
        return LEAST
    span = raster.pixels_across(grid, own)
    wanted = math.ceil(_BETWEEN * span - 1e-6) if math.isfinite(span) else LEAST
    return min(max(wanted | 1, LEAST), MOST)


def refined(grid: GeoBox, points: int) -> GeoBox:
    """The grid whose pixel centres are the sample points: `points` along each side of a pixel."""
    rows, columns = grid.shape
    affine = grid.affine * Affine.scale(1 / points)
    return GeoBox((rows * points, columns * points), affine, grid.crs)


def majority(samples: np.ndarray, points: int) -> np.ndarray:
    """The class of most sample points of each pixel.

    No data counts as a class: a pixel that is unknown for the most part stays unknown. Where
    several classes have most points, it is the one at the centre if it is among them, else the one
    of the lowest index.

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
    few = squares[row, :, column, :].reshape(len(row), points**2)
    best = centre[mixed]
    # the centre's class stays where no other has more points; of others, the lowest comes first
    most = np.count_nonzero(few == best[:, None], axis=1)
    for index in np.unique(few):
        count = np.count_nonzero(few == index, axis=1)
        ahead = count > most
        best[ahead], most[ahead] = index, count[ahead]
    result[mixed] = best
    return result
