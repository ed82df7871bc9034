"""Several products as one scene: the grid they share, where each lies in it, who comes first."""

import logging
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

log = logging.getLogger(__name__)

RESOLUTION = 10.0  # m
STEP = 6  # px: corners of clips lie on all of a product's grids, of 60 m, too
COARSEST = 1.6  # of pixels that are reprojected, in pixels of the scene
SAMPLE_SIDE = 1024  # px of the decimated read of a scene classification
Box = tuple[float, float, float, float]  # west, south, east, north in degrees


@dataclass(frozen=True)
class Place:
    """Where a product lies in a scene.

    Attributes:
        grid: the pixels of the scene's grid that it is read on: its own, or those that it covers.
        top, left: of that grid in the scene, px; may be negative, where the scene is clipped.
        warped: its own pixels are others, and it is reprojected.
    """

    grid: GeoBox
    top: int
    left: int
    warped: bool


def scene_grid(sources: Sequence[Product], crs: str | None, clip: Box | None) -> GeoBox:
    """The 10 m grid that holds all products, cut to what covers the clip, in steps of 60 m.

    Without a `crs`, products must lie on the pixels of the first. With it, the grid is the first
    product's that is in that CRS already, extended, or else has its corner on whole 60 m.

    Raises:
        WildLensError: products whose pixels do not fit together, are not of 10 m or in degrees,
            or do not touch the clip; a CRS that is not in metres.
    """
    if crs is None:
        for source in sources:
            _check_own_grid(source)
        for source in sources[1:]:
            _check_fit(sources[0], source)
        grid = _around([source.grid for source in sources], sources[0].grid)
    else:
        target = _target_crs(crs)
        anchor = next((s.grid for s in sources if _is_north_up(s.grid, target)), None)
        if anchor is None:
            anchor = GeoBox((1, 1), Affine(RESOLUTION, 0, 0, 0, -RESOLUTION, 0), target)
        grid = _around([source.grid for source in sources], anchor)
        for source in sources:
            _check_resolution(source, grid)
    return grid if clip is None else grid[_part(grid, clip, sources)]


def place_in(grid: GeoBox, source: Product) -> Place | None:
    """Where a product lies in a scene's grid; None if it does not touch it."""
    shift = _shift(source.grid, grid)
    if shift is not None:
        left, top = shift
        place = Place(source.grid, top, left, warped=False)
        rows, columns = source.grid.shape
    else:
        columns, rows = _covered(source.grid, grid)
        top, left = max(0, rows[0]), max(0, columns[0])
        bottom, right = (min(end[1], n) for end, n in zip((rows, columns), grid.shape, strict=True))
        if top >= bottom or left >= right:
            return None
        place = Place(grid[top:bottom, left:right], top, left, warped=True)
        rows, columns = bottom - top, right - left
    touches = -rows < top < grid.shape[0] and -columns < left < grid.shape[1]
    return place if touches else None


def clearest_first(sources: Sequence[Product], masked: Sequence[int]) -> list[Product]:
    """Products by the share of their valid pixels whose scene class (SCL) is not masked.

    Counted on every n-th pixel, at most 1024 x 1024. Products of equal shares stay in their order,
    and so do all if one of them has no scene classification.
    """
    _warn_of_dates(sources)
    if len(sources) == 1 or not masked:
        return list(sources)
    absent = [source.name for source in sources if source.scl is None]
    if absent:
        log.warning(
            "%s: has no scene classification (SCL): where products overlap, the order of the list"
            " decides", ", ".join(absent),
        )  # fmt: skip
        return list(sources)
    shares = [_clear_share(source, masked) for source in sources]
    order = sorted(range(len(sources)), key=lambda i: -shares[i])
    for i in order:
        log.info("%s: %.1f %% of its pixels are clear", sources[i].name, 100 * shares[i])
    return [sources[i] for i in order]


def _clear_share(source: Product, masked: Sequence[int]) -> float:
    with raster.open_raster(source.scl.path) as dataset:
        shape = tuple(min(side, SAMPLE_SIDE) for side in dataset.shape)
        classes = raster.read(dataset, source.scl.index, out_shape=shape)
    valid = classes[classes != 0]
    return float(np.mean(~np.isin(valid, masked))) if valid.size else 0.0


def _warn_of_dates(sources: Sequence[Product]) -> None:
    dates = {source.description.get("sensing_time", "")[:10] for source in sources} - {""}
    if len(dates) > 1:
        log.warning(
            "%s: are of %d dates (%s): a scene that changes along their borders teaches borders",
            ", ".join(s.name for s in sources), len(dates), ", ".join(sorted(dates)),
        )  # fmt: skip


def _check_own_grid(source: Product) -> None:
    grid = source.grid
    if grid.crs.geographic:
        raise WildLensError(
            f"{source.path}: its pixels are in degrees: get the product on its own UTM grid, or set"
            " scene.crs to that of the UTM zone (EPSG:326xx) to have it reprojected"
        )
    a, b, _, d, e, _ = grid.affine[:6]
    if not np.allclose((a, b, d, e), (RESOLUTION, 0, 0, -RESOLUTION), atol=1e-6):
        raise WildLensError(
            f"{source.path}: its finest pixels are {a:g} x {-e:g} m, expected 10 x 10 m, north up"
        )


def _check_fit(first: Product, other: Product) -> None:
    one, two = first.grid, other.grid
    advice = "set scene.crs to have them reprojected"
    if one.crs != two.crs:
        raise WildLensError(
            f"{other.path}: its CRS is {crs_name(two.crs)}, that of {first.path}"
            f" {crs_name(one.crs)}: {advice} (to one of the two, say)"
        )
    if _shift(two, one) is None:
        x, y = (
            (two.affine.c - one.affine.c) % RESOLUTION,
            (one.affine.f - two.affine.f) % RESOLUTION,
        )
        raise WildLensError(
            f"{other.path}: its pixels lie {x:g} m and {y:g} m beside those of {first.path}:"
            f" {advice}"
        )


def _check_resolution(source: Product, grid: GeoBox) -> None:
    span = raster.pixels_across(source.grid, grid)
    if not span <= COARSEST:  # not a number, either
        raise WildLensError(
            f"{source.path}: its finest pixels span {span:.3g} pixels of {RESOLUTION:g} m in"
            f" {crs_name(grid.crs)}: take its bands of 10 m, and a scene.crs that holds its place"
        )


def _target_crs(text: str) -> CRS:
    try:
        crs = CRS(text)
    except Exception as error:  # pyproj's, of several kinds
        raise WildLensError(f"scene.crs: {text} is not known: {one_line(error)}") from None
    units = {axis.unit_name for axis in crs.proj.axis_info}
    if not crs.projected or units != {"metre"}:
        raise WildLensError(
            f"scene.crs: {text} is no projected system in metres: take that of the UTM zone, or"
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


def _around(grids: Sequence[GeoBox], anchor: GeoBox) -> GeoBox:
    """The grid on the pixels of `anchor` that holds all grids; corners are whole steps off its."""
    spans = []
    for own in grids:
        shift = _shift(own, anchor)
        if shift is None:
            spans.append(_covered(own, anchor, step=STEP))
        else:
            spans.append([(s, s + n) for s, n in zip(shift, reversed(own.shape), strict=True)])
    columns, rows = zip(*spans, strict=True)
    left, top = (min(low for low, _ in axis) for axis in (columns, rows))
    right, bottom = (max(high for _, high in axis) for axis in (columns, rows))
    corner = anchor.affine * Affine.translation(left, top)
    return GeoBox((bottom - top, right - left), corner, anchor.crs)


def _covered(own: GeoBox, grid: GeoBox, step: int = 1) -> tuple[tuple[int, int], tuple[int, int]]:
    """Columns and rows (from, to) of a grid, and beyond it, that hold another grid."""
    # points along the edges, since they are bent
    box = own.footprint(grid.crs, npoints=400).boundingbox
    if not np.isfinite([*box]).all():
        raise WildLensError(f"scene.crs: {crs_name(grid.crs)} does not hold the place of a product")
    return raster.whole_steps(grid, box, step)


def _part(grid: GeoBox, clip: Box, sources: Sequence[Product]) -> tuple[slice, slice]:
    """Rows and columns of a grid that cover a box, in whole steps of 60 m."""
    west, south, east, north = clip
    if west >= east or south >= north:
        raise WildLensError(f"clip: {clip} is no box: give west, south, east, north in degrees")
    part = raster.part_that_covers(grid, clip, STEP)
    if part is None or all(place_in(grid[part], source) is None for source in sources):
        paths = ", ".join(str(source.path) for source in sources)
        raise WildLensError(f"{paths}: does not touch the box of clip {clip} (degrees)")
    return part
