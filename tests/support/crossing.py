"""A scene across the antimeridian: zone 60, 68.9 N, with 180 degrees at a third of its width."""

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.transform import from_origin

SIDE = 360
CORNER = 619_287.0, 7_647_600.0
GRID = GeoBox((SIDE, SIDE), from_origin(*CORNER, 10, 10), "EPSG:32660")


def longitudes_and_latitudes(grid: GeoBox) -> tuple[np.ndarray, np.ndarray]:
    """Points along the border of a grid in degrees, the longitudes in 0..360."""
    side = np.linspace(0, 1, 101)
    zero, one = np.zeros_like(side), np.ones_like(side)
    columns = np.concatenate([side, side, zero, one]) * grid.shape[1]
    rows = np.concatenate([zero, one, side, side]) * grid.shape[0]
    to_degrees = Transformer.from_crs(grid.crs.to_wkt(), 4326, always_xy=True)
    longitude, latitude = to_degrees.transform(*grid.pix2wld(columns, rows))
    return longitude % 360, latitude


def box_of(grid: GeoBox) -> list[float]:
    """West, south, east, north of a grid across the antimeridian, west > east."""
    longitude, latitude = longitudes_and_latitudes(grid)
    return [longitude.min(), latitude.min(), longitude.max() - 360, latitude.max()]


def widest(geometry) -> float:
    """Width in degrees of the widest part of a geometry."""
    parts = getattr(geometry, "geoms", [geometry])
    return max(part.bounds[2] - part.bounds[0] for part in parts)
