"""Pixels counted from the origin of a coordinate reference system, not from a file's corner.

A pixel keeps its number in every cut of a scene, so strides of networks, overlapping tiles and
noise, which are aligned to these numbers, are at the same location in every file. A grid whose
corner is no multiple of its pixel is counted in its own whole pixels: its cuts agree among
themselves; grids shifted by a fraction of a pixel share no pixels, and need not agree.
"""

import math

from odc.geo.geobox import GeoBox

TOLERANCE = 3  # decimals of a pixel: coordinates are written with rounding


def ground_offset(grid: GeoBox) -> tuple[int, int]:
    """Row and column, in whole pixels from the CRS's origin, of the grid's first pixel.

    Rows are counted as the grid counts them: downwards, where north is up.
    """
    column, row = ~grid.affine @ (0, 0)  # of the CRS's origin, seen from the grid
    return math.floor(round(-row, TOLERANCE)), math.floor(round(-column, TOLERANCE))
