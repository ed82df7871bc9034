"""Protected areas: the polygons of a file that count, and their pixels on a grid."""

import logging
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import pandas
import pyogrio
import shapely
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.features import rasterize

from wildlens.areas.antimeridian import unwrapped, within_180
from wildlens.areas.sites import (
    DEGREES,
    REALMS,
    Bounds,
    Layer,
    counting,
    polygon_layers,
    read_sites,
)
from wildlens.errors import WildLensError

log = logging.getLogger(__name__)


def read_areas(
    path: Path,
    categories: Sequence[str],
    statuses: Sequence[str],
    bounds: Bounds | None = None,
    *,
    realms: Sequence[str] = REALMS,
    oecm: bool = False,
) -> geopandas.GeoDataFrame:
    """The protected areas of a file that count.

    A site counts by its IUCN category, status and realm, if it is a polygon; see `sites.counting`.

    Parameters
    ----------
    path
        Shapefile, GeoPackage, GeoJSON, file geodatabase or FlatGeobuf, in any CRS and any spelling
        of the columns; or a zip of such files, or of such zips: all of its polygons.
    categories, statuses
        Values of IUCN_CAT and STATUS, in upper or lower case.
    bounds
        West, south, east, north in degrees: sites whose bounding box lies elsewhere are not read.
    realms
        Terrestrial, coastal, marine sites; see `REALMS`.
    oecm
        Whether other effective conservation measures count, too.

    Returns
    -------
    GeoDataFrame in EPSG:4326 with columns `site_id` (str), `category` (str) and valid polygons or
    multipolygons as `geometry`, within -180..180 degrees.

    Raises
    ------
    WildLensError
        If the file cannot be read, has no polygon layer, lacks a column, or no polygon counts.
    """
    layers = polygon_layers(path)
    tables = read_sites(layers, bounds)
    parts = []
    for layer, table in zip(layers, tables, strict=True):
        if table is None:
            continue
        few = table[counting(table, categories, statuses, realms, oecm)]
        if len(few):
            parts.append(_with_geometry(layer, few))
    sites = pandas.concat([table for table in tables if table is not None])
    if parts:
        read = pandas.concat(parts, ignore_index=True)
        broken = ~read.geometry.is_valid & read.geometry.notna()
        read.geometry = _repaired(read.geometry.array)
        areas = read[~read.geometry.is_empty].reset_index(drop=True)
    if not parts or areas.empty:
        raise WildLensError(_nothing_left(path, sites, categories, statuses, realms, bounds))
    log.info(
        "%s: %d of %d sites count (%s); %d geometries repaired, %d without area left out",
        path, len(areas), len(sites), _tally(areas["category"]), broken.sum(),
        len(read) - len(areas),
    )  # fmt: skip
    return areas[["site_id", "category", "geometry"]]


def degree_bounds(grid: GeoBox) -> list[Bounds]:
    """Boxes in degrees that hold a grid with a small margin; two where it crosses the antimeridian.

    The outline is densified: between two corners, the edge of a UTM grid leaves their box.
    """
    height, width = grid.shape
    step = np.linspace(0, 1, 65)
    low, high = np.zeros_like(step), np.ones_like(step)
    columns = np.concatenate([step, step, low, high]) * width
    rows = np.concatenate([low, high, step, step]) * height
    x, y = grid.pix2wld(columns, rows)
    lon, lat = Transformer.from_crs(grid.crs.to_wkt(), DEGREES, always_xy=True).transform(x, y)
    margin = 0.002
    south, north = lat.min() - margin, lat.max() + margin
    if np.ptp(lon) <= 180:
        return [(lon.min() - margin, south, lon.max() + margin, north)]
    west, east = lon[lon > 0].min() - margin, lon[lon <= 0].max() + margin
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def cut_areas(areas: geopandas.GeoDataFrame, grid: GeoBox) -> geopandas.GeoDataFrame:
    """The parts of protected areas (EPSG:4326) on and closely around a grid, still in degrees.

    Cutting comes before projecting: a transverse Mercator projection of far-away polygons may be
    infinite, or fall onto the grid.
    """
    parts = []
    for bounds in degree_bounds(grid):
        box = shapely.box(*bounds)
        near = areas.iloc[areas.sindex.query(box, predicate="intersects")]
        parts.append(near.set_geometry(_polygons(shapely.intersection(near.geometry.array, box))))
    cut = pandas.concat(parts, ignore_index=True)
    return cut[~cut.geometry.is_empty].reset_index(drop=True)


def rasterize_areas(areas: geopandas.GeoDataFrame, grid: GeoBox) -> np.ndarray:
    """Which pixels of a grid are protected.

    Parameters
    ----------
    areas
        Polygons in EPSG:4326, of anywhere on Earth.
    grid
        Shape (H, W); may be a window of a larger grid, `grid[top:bottom, :]`.

    Returns
    -------
    bool (H, W): True where the centre of the pixel lies in any of the polygons.
    """
    cut = cut_areas(areas, grid)
    if cut.empty:
        return np.zeros(grid.shape, dtype=bool)
    # edges are straight in degrees and bent on the grid: 100 km along a parallel by 200 m
    bent = cut.geometry.segmentize(0.001).to_crs(grid.crs.to_wkt())
    burnt = rasterize(
        bent.array, out_shape=grid.shape, transform=grid.affine, fill=0, dtype="uint8"
    )
    return burnt.astype(bool)


def _repaired(geometries: np.ndarray) -> np.ndarray:
    """Valid two-dimensional (multi)polygons of geometries (N,) of any kind and state, in degrees.

    Overlapping parts of one site are united, not cut out as by the even-odd rule. What has no area
    becomes empty: points, lines, collapsed rings, None, coordinates that are not finite.
    """
    flat = shapely.force_2d(np.asarray(geometries, dtype=object))
    finite = np.isfinite(shapely.bounds(flat)).all(axis=1)  # not so of None and of empty ones
    flat[~finite] = shapely.Polygon()
    valid = shapely.make_valid(unwrapped(flat), method="structure", keep_collapsed=False)
    return _polygons(within_180(_polygons(valid)))


def _polygons(geometries: np.ndarray) -> np.ndarray:
    """The polygons in valid geometries (N,), as multipolygons (N,); empty where there are none."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    parts, of = shapely.get_parts(parts, return_index=True)  # multipolygons in collections
    solid = shapely.area(parts) > 0
    result = np.full(len(geometries), shapely.MultiPolygon(), dtype=object)
    shapely.multipolygons(parts[solid], indices=owner[of][solid], out=result)
    return result


def _with_geometry(layer: Layer, sites: pandas.DataFrame) -> geopandas.GeoDataFrame:
    read = layer.read(
        pyogrio.read_dataframe, columns=[], fid_as_index=True, fids=sites.index.to_numpy(),
        on_invalid="ignore",
    )  # fmt: skip
    return read[["geometry"]].join(sites).to_crs(DEGREES)


def _nothing_left(path: Path, sites, categories, statuses, realms, bounds) -> str:
    where = "" if bounds is None else " near the scenes"
    if sites.empty:
        return f"{path}: has no site{where}; check that the file holds the region of the scenes"
    return (
        f"{path}: no polygon counts of {len(sites)} sites{where}:"
        f" categories found {_tally(sites['category'])}, wanted {', '.join(categories)}"
        f" (tiles.categories); statuses found {_tally(sites['status'])},"
        f" wanted {', '.join(statuses)} (tiles.statuses); realms found {_tally(sites['realm'])},"
        f" wanted {', '.join(realms)} (tiles.realms)"
    )


def _tally(values: pandas.Series) -> str:
    return ", ".join(f"{value or 'none'} {n}" for value, n in values.value_counts().items())
