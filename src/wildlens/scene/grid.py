"""Geometry of a scene: its 10 m grid, and the position of each product in it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError, one_line
from wildlens.files import raster
from wildlens.scene.products import Product
from wildlens.scene.resampling import crs_name

RESOLUTION = 10.0  # m
STEP = 6  # px: corners of clips are on all grids of a product, including that of 60 m
COARSEST = 1.6  # largest side of a pixel that is reprojected, in pixels of the scene
Box = tuple[float, float, float, float]  # west, south, east, north in degrees


@dataclass(frozen=True)
class Placement:
    """Position of a product in a scene.

    Attributes:
        grid: the pixels of the scene's grid that the product is read on: its own, or those that it
            covers.
        top, left: of that grid in the scene, px; negative where the scene is clipped.
        warped: whether the product is on other pixels and is reprojected.
    """

    grid: GeoBox
    top: int
    left: int
    warped: bool


def scene_grid(products: Sequence[Product], crs: str | None, clip: Box | None) -> GeoBox:
    """The 10 m grid that contains all products, cut to the clip in steps of 60 m.

    Without a `crs`, products must be on the pixels of the first. With it, the grid is that of the
    first product in that CRS, extended; without such a product, its corner is at multiples of 60 m.

    Raises:
        WildLensError: products whose pixels do not fit together, are not of 10 m or in degrees,
            or do not touch the clip; a CRS that is not in metres.
    """
    if crs is None:
        for product in products:
            _check_own_grid(product)
        for product in products[1:]:
            _check_fit(products[0], product)
        grid = _union([product.grid for product in products], products[0].grid)
    else:
        target = _target_crs(crs)
        anchor = next((p.grid for p in products if _is_north_up(p.grid, target)), None)
        if anchor is None:
            anchor = GeoBox((1, 1), Affine(RESOLUTION, 0, 0, 0, -RESOLUTION, 0), target)
        grid = _union([product.grid for product in products], anchor)
        for product in products:
            _check_resolution(product, grid)
    return grid if clip is None else grid[_part(grid, clip, products)]


def placement_in(grid: GeoBox, product: Product) -> Placement | None:
    """Position of a product in a scene's grid; None if it does not touch it."""
    shift = _shift(product.grid, grid)
    if shift is not None:
        left, top = shift
        placement = Placement(product.grid, top, left, warped=False)
        rows, columns = product.grid.shape
    else:
        columns, rows = covered(product.grid, grid)
        top, left = max(0, rows[0]), max(0, columns[0])
        bottom, right = (min(end[1], n) for end, n in zip((rows, columns), grid.shape, strict=True))
        if top >= bottom or left >= right:
            return None
        placement = Placement(grid[top:bottom, left:right], top, left, warped=True)
        rows, columns = bottom - top, right - left
    touches = -rows < top < grid.shape[0] and -columns < left < grid.shape[1]
    return placement if touches else None


def covered(own: GeoBox, grid: GeoBox, step: int = 1) -> tuple[tuple[int, int], tuple[int, int]]:
    """Columns and rows (from, to) of a grid, and beyond it, that contain another grid."""
    # points along the edges, since they are curved
    box = own.footprint(grid.crs, npoints=400).boundingbox
    if not np.isfinite([*box]).all():
        raise WildLensError(
            f"scene.crs: {crs_name(grid.crs)} is not defined where a product lies: take that of"
            " its UTM zone"
        )
    return raster.whole_steps(grid, box, step)


def _check_own_grid(product: Product) -> None:
    grid = product.grid
    if grid.crs.geographic:
        raise WildLensError(
            f"{product.path}: its pixels are in degrees: get the product on its own UTM grid, or"
            " set scene.crs to that of the UTM zone (EPSG:326xx) to have it reprojected"
        )
    a, b, _, d, e, _ = grid.affine[:6]
    if not np.allclose((a, b, d, e), (RESOLUTION, 0, 0, -RESOLUTION), atol=1e-6):
        raise WildLensError(
            f"{product.path}: its finest pixels are {a:g} x {-e:g} m, expected 10 x 10 m, north up"
        )


def _check_fit(first: Product, other: Product) -> None:
    one, two = first.grid, other.grid
    advice = "set scene.crs to have them reprojected"
    if one.crs != two.crs:
        raise WildLensError(
            f"{other.path}: its CRS is {crs_name(two.crs)}, that of {first.path}"
            f" {crs_name(one.crs)}: {advice} (to one of the two, for example)"
        )
    if _shift(two, one) is None:
        x, y = (
            (two.affine.c - one.affine.c) % RESOLUTION,
            (one.affine.f - two.affine.f) % RESOLUTION,
        )
        raise WildLensError(
            f"{other.path}: its pixels are offset by {x:g} m and {y:g} m from those of"
            f" {first.path}: {advice}"
        )


def _check_resolution(product: Product, grid: GeoBox) -> None:
    span = raster.pixels_across(product.grid, grid)
    if not span <= COARSEST:  # also if it is not a number
        raise WildLensError(
            f"{product.path}: its finest pixels span {span:.3g} pixels of {RESOLUTION:g} m in"
            f" {crs_name(grid.crs)}: take its bands of 10 m, and a scene.crs that is defined there"
        )


def _target_crs(text: str) -> CRS:
    try:
        crs = CRS(text)
    except Exception as error:  # pyproj's, of several kinds
        raise WildLensError(f"scene.crs: {text} is not known: {one_line(error)}") from None
    units = {axis.unit_name for axis in crs.proj.axis_info}
    if not crs.projected or units != {"metre"}:
        raise WildLensError(
            f"scene.crs: {text} is not a projected system in metres: take that of the UTM zone, or"
            " EPSG:3035"
        )
    return crs


def _is_north_up(grid: GeoBox, crs: CRS) -> bool:
    a, b, _, d, e, _ = grid.affine[:6]
    sides = (RESOLUTION, 0, 0, -RESOLUTION)
    return grid.crs == crs and np.allclose((a, b, d, e), sides, atol=1e-6)


def _shift(own: GeoBox, grid: GeoBox) -> tuple[int, int] | None:
    """Columns and rows from the corner of `grid` to that of `own`; None off its pixels."""
    if not _is_north_up(own, grid.crs):
        return None
    across = (
        (own.affine.c - grid.affine.c) / RESOLUTION,
        (grid.affine.f - own.affine.f) / RESOLUTION,
    )
    whole = tuple(round(n) for n in across)
    return whole if np.allclose(across, whole, rtol=0, atol=1e-4) else None


def _union(grids: Sequence[GeoBox], anchor: GeoBox) -> GeoBox:
    """The grid on the pixels of `anchor` that contains all grids; whole steps from its corner."""
    spans = []
    for own in grids:
        shift = _shift(own, anchor)
        if shift is None:
            spans.append(covered(own, anchor, step=STEP))
        else:
            spans.append([(s, s + n) for s, n in zip(shift, reversed(own.shape), strict=True)])
    columns, rows = zip(*spans, strict=True)
    left, top = (min(low for low, _ in axis) for axis in (columns, rows))
    right, bottom = (max(high for _, high in axis) for axis in (columns, rows))
    corner = anchor.affine * Affine.translation(left, top)
    return GeoBox((bottom - top, right - left), corner, anchor.crs)


def _part(grid: GeoBox, clip: Box, products: Sequence[Product]) -> tuple[slice, slice]:
    """Rows and columns of a grid that cover a box, in whole steps of 60 m."""
    west, south, east, north = clip
    if west >= east or south >= north:
        raise WildLensError(f"clip: {clip} is not a box: give west, south, east, north in degrees")
    part = raster.part_that_covers(grid, clip, STEP)
    if part is None or all(placement_in(grid[part], product) is None for product in products):
        paths = ", ".join(str(product.path) for product in products)
        raise WildLensError(f"{paths}: does not touch the box of clip {clip} (degrees)")
    return part
