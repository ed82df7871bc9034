"""Protected areas: the polygons of a WDPA file that count, and their pixels on a grid."""

import logging
import warnings
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

from wildlens.errors import WildLensError

log = logging.getLogger(__name__)

DEGREES = "EPSG:4326"
Bounds = tuple[float, float, float, float]  # west, south, east, north in degrees

# What we need of a site, and what the WDPA, its successor WDPCA (since November 2025) and the API
# of Protected Planet call it, in lower case. The API's `type` is the designation.
_SPELLINGS = (
    ("category", ("iucn_cat",)),
    ("status", ("status",)),
    ("designation", ("desig_eng", "type")),
    ("kind", ("site_type", "pa_def")),
    ("site_id", ("wdpaid", "site_id", "wdpa_id")),
)
_REQUIRED = {"category": "IUCN_CAT", "status": "STATUS"}
# GDAL goes by a file's content: a virtual file under the name of a GeoPackage may lead anywhere
_DRIVERS = ("ESRI Shapefile", "GPKG", "GeoJSON", "OpenFileGDB", "FlatGeobuf")
_OECM = ("oecm", "0", "0.0")  # SITE_TYPE and PA_DEF of sites that are no protected areas


def read_areas(
    path: Path, categories: Sequence[str], statuses: Sequence[str], bounds: Bounds | None = None
) -> geopandas.GeoDataFrame:
    """The protected areas of a file that count.

    A site counts if its IUCN category is in `categories`, its status in `statuses`, and it is a
    polygon; UNESCO-MAB biosphere reserves and OECM sites never do.

    Parameters
    ----------
    path
        What pyogrio opens: Shapefile, GeoPackage, GeoJSON, in any CRS and any of the three
        spellings of the columns.
    categories, statuses
        Values of IUCN_CAT and STATUS.
    bounds
        West, south, east, north in degrees: sites whose bounding box lies elsewhere are not read.

    Returns
    -------
    GeoDataFrame in EPSG:4326 with columns `site_id` (str), `category` (str) and valid polygons or
    multipolygons as `geometry`.

    Raises
    ------
    WildLensError
        If the file cannot be read, has no polygon layer, lacks a column, or no polygon counts.
    """
    layers = {layer: _sites(path, layer, bounds) for layer in _polygon_layers(path)}
    wanted = {layer: sites[_counts(sites, categories, statuses)] for layer, sites in layers.items()}
    sites = pandas.concat(layers.values())
    parts = [_with_geometry(path, layer, few) for layer, few in wanted.items() if len(few)]
    if parts:
        read = pandas.concat(parts, ignore_index=True)
        broken = ~read.geometry.is_valid & read.geometry.notna()
        read.geometry = _repaired(read.geometry.array)
        areas = read[~read.geometry.is_empty].reset_index(drop=True)
    if not parts or areas.empty:
        raise WildLensError(_nothing_left(path, sites, categories, statuses, bounds))
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
    """Valid two-dimensional (multi)polygons of geometries (N,) of any kind and state.

    Overlapping parts of one site are united, not cut out as by the even-odd rule. What has no area
    becomes empty: points, lines, collapsed rings, None, coordinates that are not finite.
    """
    flat = shapely.force_2d(np.asarray(geometries, dtype=object))
    finite = np.isfinite(shapely.bounds(flat)).all(axis=1)  # not so of None and of empty ones
    flat[~finite] = shapely.Polygon()
    return _polygons(shapely.make_valid(flat, method="structure", keep_collapsed=False))


def _polygons(geometries: np.ndarray) -> np.ndarray:
    """The polygons in valid geometries (N,), as multipolygons (N,); empty where there are none."""
    parts, owner = shapely.get_parts(geometries, return_index=True)
    parts, of = shapely.get_parts(parts, return_index=True)  # multipolygons in collections
    solid = shapely.area(parts) > 0
    result = np.full(len(geometries), shapely.MultiPolygon(), dtype=object)
    shapely.multipolygons(parts[solid], indices=owner[of][solid], out=result)
    return result


def _polygon_layers(path: Path) -> list[str]:
    try:
        layers = pyogrio.list_layers(path)
    except RuntimeError as error:  # all of pyogrio's errors
        raise WildLensError(f"{path}: cannot be opened as polygons: {_line(error)}") from None
    # Unknown: a layer of mixed geometries
    fitting = [
        str(name)
        for name, kind in layers
        if kind and any(word in kind for word in ("Polygon", "Surface", "Unknown"))
    ]
    if not fitting:
        kinds = ", ".join(f"{name}: {kind or 'no geometry'}" for name, kind in layers)
        raise WildLensError(
            f"{path}: has no polygon layer (found {kinds or 'no layer'});"
            " give the file of the polygons"
        )
    return fitting


def _sites(path: Path, layer: str, bounds: Bounds | None) -> pandas.DataFrame:
    """What is known of each site of a layer, as text, indexed by feature number; no geometry."""
    info = _guarded(pyogrio.read_info, path, layer=layer)
    if info["driver"] not in _DRIVERS:
        raise WildLensError(f"{path}: is {info['driver']}, expected one of {', '.join(_DRIVERS)}")
    if info["crs"] is None:
        raise WildLensError(f"{path}: has no coordinate reference system (is its .prj missing?)")
    spelt = {str(column).lower(): str(column) for column in info["fields"]}
    columns = {}
    for name, spellings in _SPELLINGS:
        columns[name] = next((spelt[s] for s in spellings if s in spelt), None)
    for name, wdpa in _REQUIRED.items():
        if columns[name] is None:
            found = ", ".join(spelt.values()) or "none"
            raise WildLensError(f"{path}: has no column {wdpa} (columns found: {found})")
    if bounds is not None:
        to_layer = Transformer.from_crs(DEGREES, info["crs"], always_xy=True)
        bounds = to_layer.transform_bounds(*bounds, densify_pts=51)
    table = _guarded(
        pyogrio.read_dataframe, path, layer=layer, read_geometry=False, fid_as_index=True,
        bbox=bounds, columns=[c for c in columns.values() if c is not None],
    )  # fmt: skip
    sites = pandas.DataFrame(index=table.index)
    for name, column in columns.items():
        sites[name] = "" if column is None else table[column].map(_text)
    if columns["site_id"] is None:
        sites["site_id"] = sites.index.map(str)
    return sites


def _text(value) -> str:
    """A value as text: WDPAID is a number stored as double, and missing values are empty."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if pandas.isna(value) else str(value).strip()


def _counts(sites: pandas.DataFrame, categories, statuses) -> pandas.Series:
    return (
        sites["category"].isin(categories)
        & sites["status"].isin(statuses)
        & ~sites["designation"].str.lower().str.contains("unesco-mab", regex=False)
        & ~sites["kind"].str.lower().isin(_OECM)
    )


def _with_geometry(path: Path, layer: str, sites: pandas.DataFrame) -> geopandas.GeoDataFrame:
    read = _guarded(
        pyogrio.read_dataframe, path, layer=layer, columns=[], fid_as_index=True,
        fids=sites.index.to_numpy(), on_invalid="ignore",
    )  # fmt: skip
    return read[["geometry"]].join(sites).to_crs(DEGREES)


def _guarded(function, path: Path, **options):
    """Call one of pyogrio's readers; its errors name the file, and GDAL mends rings silently."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*rings with invalid winding order")
        try:
            return function(path, **options)
        except RuntimeError as error:
            raise WildLensError(f"{path}: cannot be read: {_line(error)}") from None


def _nothing_left(path: Path, sites, categories, statuses, bounds) -> str:
    where = "" if bounds is None else " near the scenes"
    if sites.empty:
        return f"{path}: has no site{where}; check that the file holds the region of the scenes"
    return (
        f"{path}: no polygon counts of {len(sites)} sites{where}:"
        f" categories found {_tally(sites['category'])}, wanted {', '.join(categories)}"
        f" (tiles.categories); statuses found {_tally(sites['status'])},"
        f" wanted {', '.join(statuses)} (tiles.statuses)"
    )


def _tally(values: pandas.Series) -> str:
    return ", ".join(f"{value or 'none'} {n}" for value, n in values.value_counts().items())


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
