"""CORINE as polygons: the classes of the pixels whose centres they hold."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyogrio
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.features import rasterize
from rasterio.windows import Window

from wildlens.errors import WildLensError
from wildlens.files import vector
from wildlens.legend import CORINE

SUFFIXES = (".gpkg", ".shp", ".geojson", ".fgb", ".gdb")

_FIELD = re.compile(r"code_\d\d", re.IGNORECASE)  # CODE_18, Code_12
_MISSING = ("", "990", "995", "999")
_NAMED = 8


def polygon_reader(path: Path, grid: GeoBox) -> Callable[[Window], np.ndarray]:
    """A function that gives the class indices (uint8, 0 = no data) of a window of a grid.

    Args:
        path: Shapefile, GeoPackage, ...; one of its layers has polygons and a field like CODE_18.
        grid: only polygons near it are read.

    Raises:
        WildLensError: no such layer or field, several of them, codes that CORINE does not have, or
            edits that are not merged into the file.
    """
    source = vector.gdal_source(path)
    layer, field = _layer(path, source)
    info = vector.read(pyogrio.read_info, path, source, layer=layer)
    if info["crs"] is None:
        raise WildLensError(f"{path}: has no coordinate reference system (is its .prj there?)")
    box = grid.footprint(info["crs"]).boundingbox
    polygons = vector.read(
        pyogrio.read_dataframe, path, source,
        layer=layer, columns=[field], bbox=tuple(box), on_invalid="ignore",
    )  # fmt: skip
    codes = polygons[field].map(_text)
    known = {str(c.code): c.index for c in CORINE.classes} | dict.fromkeys(_MISSING, 0)
    unknown = sorted(set(codes) - known.keys())
    if unknown:
        raise WildLensError(f"{path}, {field}: no CORINE codes: {', '.join(unknown[:_NAMED])}")
    polygons = polygons.set_geometry(polygons.geometry.force_2d())
    on_grid = polygons.geometry.segmentize(_step(info["crs"])).to_crs(grid.crs.to_wkt())
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


def _layer(path: Path, source: str) -> tuple[str, str]:
    """The layer of polygons that has a field of CORINE codes, and that field."""
    found, seen = [], []
    for layer, kind in vector.list_layers(path, source):
        if not kind or "Polygon" not in kind:
            continue
        info = vector.read(pyogrio.read_info, path, source, layer=layer)
        if info["driver"] not in vector.DRIVERS:
            expected = ", ".join(vector.DRIVERS)
            raise WildLensError(f"{path}: is {info['driver']}, expected {expected}")
        seen += [f"{layer}.{name}" for name in info["fields"]]
        found += [(layer, str(name)) for name in info["fields"] if _FIELD.fullmatch(str(name))]
    if len(found) != 1:
        names = ", ".join(".".join(f) for f in found) or ", ".join(seen[:_NAMED]) or "no polygons"
        raise WildLensError(
            f"{path}: {len(found)} fields of CORINE codes (CODE_18) in its layers of polygons"
            f" ({names}): give a file with one"
        )
    return found[0]


def _text(value) -> str:
    """A code as text; some files hold numbers."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None or value != value else str(value).strip()


def _step(crs: str) -> float:
    """Longest edge that is left straight: edges bend between projections. 1 km, or 0.01 degrees."""
    return 0.01 if Transformer.from_crs(crs, crs).source_crs.is_geographic else 1000.0
