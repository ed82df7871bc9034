"""The common grid of two scenes: the pixels that both have."""

from dataclasses import dataclass

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from wildlens.errors import WildLensError

TOLERANCE = 1e-3  # of a pixel: coordinates are written with rounding


@dataclass(frozen=True)
class CommonGrid:
    """The overlap of two grids of the same pixels.

    Attributes:
        grid: of the overlap; corners: row and column of its first pixel in the first and in the
            second grid.
    """

    grid: GeoBox
    corners: tuple[tuple[int, int], tuple[int, int]]

    def windows(self, window: Window) -> tuple[Window, Window]:
        """A window of the overlap as a window of the first and of the second grid."""
        left, top, width, height = window.flatten()
        first, second = (Window(left + c, top + r, width, height) for r, c in self.corners)
        return first, second


def common_grid(names: tuple[str, str], grids: tuple[GeoBox, GeoBox]) -> CommonGrid:
    """Cut two grids to their overlap; nothing is resampled.

    Args:
        names: of the scenes, for messages.

    Raises:
        WildLensError: the grids differ in reference system or pixels, or do not overlap.
    """
    first, second = grids
    if first.crs != second.crs:
        raise WildLensError(
            f"compare: {names[0]} is in {_crs_name(first)}, {names[1]} in {_crs_name(second)}: set"
            f" scene.crs to {_crs_name(first)}, which puts both on the same pixels"
        )
    pixel, other = ((g.affine.a, g.affine.b, g.affine.d, g.affine.e) for g in grids)
    if not np.allclose(pixel, other, rtol=1e-6, atol=1e-9):
        raise WildLensError(
            f"compare: pixels of {names[0]} are {pixel[0]:g} x {-pixel[3]:g}, those of {names[1]}"
            f" {other[0]:g} x {-other[3]:g}: make both scenes again with wildlens scene"
        )
    shift = first.wld2pix(second.affine.c, second.affine.f)  # column, row
    column, row = (round(float(value)) for value in shift)
    if not np.allclose(shift, (column, row), rtol=0, atol=TOLERANCE):
        raise WildLensError(
            f"compare: the pixels of {names[1]} are offset by a fraction of a pixel from those of"
            f" {names[0]}: set scene.crs to another system, such as EPSG:3035, which puts both on"
            " the same pixels"
        )
    top, left = max(0, row), max(0, column)
    bottom, right = (
        min(first.shape[0], row + second.shape[0]),
        min(first.shape[1], column + second.shape[1]),
    )
    if top >= bottom or left >= right:
        raise WildLensError(
            f"compare: {names[0]} and {names[1]} have no ground in common: name two dates of the"
            " same ground"
        )
    return CommonGrid(first[top:bottom, left:right], ((top, left), (top - row, left - column)))


def _crs_name(grid: GeoBox) -> str:
    return f"EPSG:{grid.crs.epsg}" if grid.crs.epsg else grid.crs.proj.name
