"""CORINE polygons, rasterised: each pixel takes the class of the polygon at its centre."""

import re
from collections.abc import Callable
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import shapely
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from rasterio.windows import Window

from wildlens.areas.antimeridian import DEGREES, Bounds, box_polygon
from wildlens.areas.layers import Layer, polygon_layers
from wildlens.areas.polygons import degree_bounds, polygon_parts, repaired
from wildlens.errors import WildLensError
from wildlens.files import vector
from wildlens.legend import CORINE

SUFFIXES = (".gpkg", ".shp", ".geojson", ".fgb", ".gdb")

_FIELD = re.compile(r"code_\d\d", re.IGNORECASE)  # CODE_18, Code_12
_MISSING = ("", "990", "995", "999")
_NAMED = 8


def polygon_reader(path: Path, grid: GeoBox) -> Callable[[Window], np.ndarray]:
    """Return a function that rasterises a window of a grid to class indices (uint8, 0 = no data).

    Args:
        path: Shapefile, GeoPackage, ...; one of its layers has polygons and a field like CODE_18.
        grid: only polygons near it are read.

    Raises:
        WildLensError: no such layer or field, several of them, unknown codes, or edits that are
            not merged into the file.
    """
    layer, field = _layer(path)
    crs = layer.read(pyogrio.read_info)["crs"]
    if crs is None:
        raise WildLensError(f"{path}: has no coordinate reference system (is its .prj there?)")
    bounds = degree_bounds([grid])
    polygons = layer.read_near(bounds, columns=[field], on_invalid="ignore")
    codes = polygons[field].map(_text)
    known = {str(c.code): c.index for c in CORINE.classes} | dict.fromkeys(_MISSING, 0)
    unknown = sorted(set(codes) - known.keys())
    if unknown:
        raise WildLensError(f"{path}, {field}: no CORINE codes: {', '.join(unknown[:_NAMED])}")
    on_grid = _projected(polygons.geometry.force_2d(), bounds, grid)
    classes = codes.map(known).to_numpy()

    def read(window: Window) -> np.ndarray:
        part = grid[window.row_off : window.row_off + window.height, :]
        near = on_grid.sindex.query(part.extent.geom, predicate="intersects")
        near.sort()  # where polygons overlap, the later one is on top
        shapes = [(on_grid.iloc[i], classes[i]) for i in near if not on_grid.iloc[i].is_empty]
        if not shapes:
            return np.zeros(tuple(part.shape), dtype=np.uint8)
        return rasterize(shapes, out_shape=part.shape, transform=part.affine, fill=0, dtype="uint8")

    return read


def _projected(polygons: geopandas.GeoSeries, bounds: Bounds, grid: GeoBox) -> geopandas.GeoSeries:
    """Polygons in the CRS of a grid, densified, since straight edges become curves.

    Polygons in degrees are first cut to the grid: far from it, the projection is not defined.
    """
    step = 1000.0  # m: longest edge that stays straight
    if polygons.crs.is_geographic:
        step = 0.01
        degrees = polygons.to_crs(DEGREES)
        cut = shapely.intersection(repaired(degrees.array), box_polygon(bounds))
        polygons = geopandas.GeoSeries(polygon_parts(cut), index=polygons.index, crs=DEGREES)
    return polygons.segmentize(step).to_crs(grid.crs.to_wkt())


def _layer(path: Path) -> tuple[Layer, str]:
    """The polygon layer with a field of CORINE codes, and the name of that field."""
    found, seen = [], []
    for layer in polygon_layers(path):
        info = layer.read(pyogrio.read_info)
        if info["driver"] not in vector.DRIVERS:
            expected = ", ".join(vector.DRIVERS)
            raise WildLensError(f"{path}: is {info['driver']}, expected {expected}")
        seen += [f"{layer.name}.{name}" for name in info["fields"]]
        found += [(layer, str(name)) for name in info["fields"] if _FIELD.fullmatch(str(name))]
    if len(found) != 1:
        names = (
            ", ".join(f"{layer.name}.{field}" for layer, field in found)
            or ", ".join(seen[:_NAMED])
            or "no polygons"
        )
        raise WildLensError(
            f"{path}: {len(found)} fields of CORINE codes (CODE_18) in its layers of polygons"
            f" ({names}): give a file with one"
        )
    return found[0]


def _text(value) -> str:
    """A code as text; some files have numbers."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None or value != value else str(value).strip()
