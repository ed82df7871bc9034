"""Protected areas as the page gets them: outlines on a scene's map, and their numbers as text."""

import math
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import shapely
from odc.geo.geobox import GeoBox

from wildlens.areas.antimeridian import DEGREES, grid_outline
from wildlens.errors import WildLensError
from wildlens.files.vector import gdal_source, read
from wildlens.registry import methods

# column of areas.gpkg -> heading of the page's table
HEADINGS = {
    "name": "name",
    "category": "IUCN",
    "designation": "designation",
    "area_km2": "area, km²",
    "covered_share": "share seen",
    "score_mean": "mean score",
    "ring_score_mean": "mean score, ring",
    "score_share_below_half": "share below 0.5",
    "landcover_main": "main land cover",
}
MARGIN = 0.01  # degrees around a scene within which outlines are projected
LINE, POLYGON = 1, 3  # shapely's numbers of kinds of geometries
EDGE = 0.005  # degrees: longer edges are divided, since straight lines are curves on the map


def read_sites(path: Path) -> geopandas.GeoDataFrame:
    """The protected areas of `wildlens area-statistics`, in degrees.

    Raises:
        WildLensError: the file cannot be read, or holds no georeferenced polygons.
    """
    table = read(pyogrio.read_dataframe, path, gdal_source(path))
    if not isinstance(table, geopandas.GeoDataFrame) or table.crs is None:
        raise WildLensError(
            f"{path}: holds no georeferenced polygons; give areas.gpkg of wildlens area-statistics"
        )
    table = table[~(table.geometry.isna() | table.geometry.is_empty)].to_crs(DEGREES)
    return table.set_geometry(shapely.make_valid(table.geometry.array))


def are_protected(sites: geopandas.GeoDataFrame) -> bool:
    """Whether these are protected areas, which have a category, and not polygons of the user."""
    return "category" in sites and bool((sites["category"].fillna("") != "").any())


def columns_of(sites: geopandas.GeoDataFrame) -> list[tuple[str, str]]:
    """Columns that the page shows and their headings: the fixed ones, then means by method."""
    means = {
        f"{name}_mean": f"{methods.title(name)}{_unit(name)}" for name in methods.attributions()
    }
    return [(name, text) for name, text in (HEADINGS | means).items() if name in sites]


def _unit(method: str) -> str:
    unit = methods.find(method).unit
    return ", mean" if unit == "none" else f", mean {unit}"


def sites_on(
    sites: geopandas.GeoDataFrame, columns: Sequence[str], grid: GeoBox, pixel: float
) -> list[dict]:
    """The sites that meet the ground of a grid.

    Args:
        columns: that are shown; pixel: side of a displayed pixel, in the unit of the grid's CRS.

    Returns:
        One dict per site: `cells` (text by column), `rings` ([xs, ys] in the grid's CRS, holes
        included) of its part on the grid, and `borders`, the part of its own border there.
        Simplified to half a displayed pixel.
    """
    near = grid_outline(grid).buffer(MARGIN)
    shapes = shapely.intersection(sites.geometry.to_numpy(), near)
    outlines = geopandas.GeoSeries(shapely.segmentize(shapes, EDGE), crs=DEGREES)
    outlines = shapely.simplify(outlines.to_crs(grid.crs.to_wkt()).to_numpy(), pixel / 2)
    decimals = max(0, math.ceil(-math.log10(pixel)) + 1)
    box, found = shapely.box(*grid.boundingbox), []
    for row, outline in zip(sites[list(columns)].to_dict("records"), outlines, strict=True):
        polygons = _polygons(shapely.make_valid(outline))
        rings = shapely.get_rings(_polygons(shapely.intersection(polygons, box)))
        if len(rings):
            borders = _lines(shapely.intersection(shapely.boundary(polygons), box))
            found.append(
                {
                    "cells": [_cell(row[name]) for name in columns],
                    "rings": _coordinates(rings, decimals),
                    "borders": _coordinates(borders, decimals),
                }
            )
    return found


def _coordinates(lines: np.ndarray, decimals: int) -> list[list[list[float]]]:
    return [np.asarray(line.coords)[:, :2].T.round(decimals).tolist() for line in lines]


def _lines(shapes: np.ndarray) -> np.ndarray:
    """All lines of geometries; points, where they only touch, are left out."""
    parts = shapely.get_parts(shapely.line_merge(shapes))
    return parts[(shapely.get_type_id(parts) == LINE) & ~shapely.is_empty(parts)]


def _polygons(shape: shapely.Geometry | np.ndarray) -> np.ndarray:
    """All polygons of geometries; lines and points are left out."""
    parts = shapely.get_parts(shapely.get_parts(shape))  # collections hold multipolygons
    return parts[(shapely.get_type_id(parts) == POLYGON) & ~shapely.is_empty(parts)]


def _cell(value: object) -> str:
    """A value as text: three significant digits, empty if it is missing."""
    if isinstance(value, str):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return ""
    if not math.isfinite(number):
        return ""
    text = f"{number:.0f}" if abs(number) >= 1000 else f"{number:.3g}"
    return text.replace("e-0", "e-").replace("-", "−")
