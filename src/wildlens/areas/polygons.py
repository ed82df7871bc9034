"""Protected areas: polygons of the sites that count, clipped to a grid and rasterised."""

import logging
from collections.abc import Iterable
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pyogrio
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize

from wildlens.areas.antimeridian import (
    DEGREES,
    Bounds,
    bounding_box,
    boxes_of,
    grid_outline,
    unwrap,
    within_180,
)
from wildlens.areas.criteria import Criteria, tally
from wildlens.areas.layers import Layer, polygon_layers
from wildlens.areas.sites import read_sites
from wildlens.errors import WildLensError

log = logging.getLogger(__name__)

TERMS = (  # said wherever polygons of others are among the results
    "The WDPA's terms forbid passing its polygons on without leave: remove areas.gpkg and"
    " explore.html before you send this folder to others."
)


class NoSites(WildLensError):
    """No site that counts lies near; `compare` has results without any."""


def select_sites(
    path: Path, criteria: Criteria, bounds: Bounds | None = None
) -> geopandas.GeoDataFrame:
    """Read all sites of a file, with the reason why a site is left out.

    Parameters
    ----------
    path
        Shapefile, GeoPackage, GeoJSON, file geodatabase or FlatGeobuf, in any CRS and any spelling
        of the columns; or a zip of such files, or of such zips: all of its polygons.
    criteria
        Which sites count.
    bounds
        West, south, east, north in degrees, west > east across the antimeridian: sites whose
        bounding box lies elsewhere are not read.

    Returns
    -------
    GeoDataFrame in EPSG:4326, one row per site, with the text columns of `sites.read_sites`,
    `reason` (why it is left out; empty if it counts) and `geometry`: valid polygons or
    multipolygons within -180..180 degrees, None for sites that are left out.

    Raises
    ------
    WildLensError
        If the file cannot be read, has no polygon layer or lacks a column; `NoSites` if no polygon
        counts.
    """
    layers = polygon_layers(path)
    tables = read_sites(layers, bounds)
    parts = []
    for layer, table in zip(layers, tables, strict=True):
        if table is not None:
            reasons = criteria.exclusions(table)
            parts.append(_with_geometry(layer, table.assign(reason=reasons)))
    sites = geopandas.GeoDataFrame(pandas.concat(parts, ignore_index=True), crs=DEGREES)
    read = sites["reason"] == ""
    shapes = sites.geometry.array[read]
    broken = int((~shapely.is_valid(shapes) & ~shapely.is_missing(shapes)).sum())
    valid = repaired(shapes)
    flat = shapely.is_empty(valid)
    sites.loc[read, "geometry"] = valid
    sites.loc[sites.index[read][flat], ["reason", "geometry"]] = ["no area", None]
    areas = that_count(sites)
    if areas.empty:
        raise NoSites(_nothing_left(path, sites, criteria, bounds))
    log.info(
        "%s: %d of %d sites count (%s); %d geometries repaired, %d without area left out",
        path, len(areas), len(sites), tally(areas["category"]), broken, flat.sum(),
    )  # fmt: skip
    return sites


def that_count(sites: geopandas.GeoDataFrame) -> geopandas.GeoDataFrame:
    """The sites of `select_sites` that count: columns `site_id`, `category` and `geometry`."""
    columns = ["site_id", "category", "geometry"]
    return sites.loc[sites["reason"] == "", columns].reset_index(drop=True)


def degree_bounds(grids: Iterable[GeoBox], margin: float = 0.002) -> Bounds:
    """Box in degrees around grids, with a small margin; west > east across the antimeridian."""
    west, south, east, north = bounding_box(map(grid_outline, grids))
    return west - margin, south - margin, east + margin, north + margin


def cut_areas(areas: geopandas.GeoDataFrame, grid: GeoBox) -> geopandas.GeoDataFrame:
    """Clip protected areas (EPSG:4326) to a grid with a small margin; the result is in degrees.

    Clipping comes before projecting: a transverse Mercator projection of distant polygons may be
    infinite, or overlap the grid.
    """
    parts = []
    for bounds in boxes_of(degree_bounds([grid])):
        box = shapely.box(*bounds)
        near = areas.iloc[areas.sindex.query(box, predicate="intersects")]
        parts.append(
            near.set_geometry(polygon_parts(shapely.intersection(near.geometry.array, box)))
        )
    cut = pandas.concat(parts, ignore_index=True)
    return cut[~cut.geometry.is_empty].reset_index(drop=True)


def rasterize_areas(areas: geopandas.GeoDataFrame, grid: GeoBox) -> np.ndarray:
    """Rasterise protected areas to a mask.

    Parameters
    ----------
    areas
        Polygons in EPSG:4326, anywhere on Earth.
    grid
        Shape (H, W); may be a window of a larger grid, `grid[top:bottom, :]`.

    Returns
    -------
    bool (H, W): true where the centre of the pixel is in one of the polygons.
    """
    cut = cut_areas(areas, grid)
    if cut.empty:
        return np.zeros(grid.shape, dtype=bool)
    # edges are straight in degrees, not on the grid: 100 km along a parallel deviate by 200 m
    projected = cut.geometry.segmentize(0.001).to_crs(grid.crs.to_wkt())
    burnt = rasterize(
        projected.array, out_shape=grid.shape, transform=grid.affine, fill=0, dtype="uint8"
    )
    return burnt.astype(bool)


def repaired(geometries: np.ndarray) -> np.ndarray:
    """Valid two-dimensional multipolygons within -180..180 from geometries (N,) in degrees.

    Overlapping parts of a site are merged, not cut out as by the even-odd rule. Geometries without
    area become empty: points, lines, collapsed rings, None, non-finite coordinates.
    """
    flat = shapely.force_2d(np.asarray(geometries, dtype=object))
    finite = np.isfinite(shapely.bounds(flat)).all(axis=1)  # not so of None and of empty ones
    flat[~finite] = shapely.Polygon()
    valid = shapely.make_valid(unwrap(flat), method="structure", keep_collapsed=False)
    return polygon_parts(within_180(polygon_parts(valid)))


def polygon_parts(geometries: np.ndarray) -> np.ndarray:
    """The polygons in valid geometries (N,), as multipolygons (N,), which may be empty."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    parts, of = shapely.get_parts(parts, return_index=True)  # multipolygons in collections
    solid = shapely.area(parts) > 0
    result = np.full(len(geometries), shapely.MultiPolygon(), dtype=object)
    shapely.multipolygons(parts[solid], indices=owner[of][solid], out=result)
    return result


def _with_geometry(layer: Layer, sites: pandas.DataFrame) -> geopandas.GeoDataFrame:
    """Sites of a layer; geometry is read only for sites that count."""
    wanted = sites.index[sites["reason"] == ""].to_numpy()
    shapes = geopandas.GeoSeries([None] * len(sites), index=sites.index, crs=DEGREES)
    if len(wanted):
        read = layer.read(
            pyogrio.read_dataframe, columns=[], fid_as_index=True, fids=wanted,
            on_invalid="ignore",
        )  # fmt: skip
        shapes[read.index] = read.geometry.to_crs(DEGREES)
    return geopandas.GeoDataFrame(sites, geometry=shapes)


def _nothing_left(
    path: Path, sites: pandas.DataFrame, criteria: Criteria, bounds: Bounds | None
) -> str:
    where = "" if bounds is None else " near the scenes"
    if sites.empty:
        return f"{path}: has no site{where}; check that the file covers the region of the scenes"
    return f"{path}: no polygon counts of {len(sites)} sites{where}: {criteria.describe(sites)}"
