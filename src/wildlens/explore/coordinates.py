"""Longitude and latitude of a displayed scene, at nodes between which a script interpolates."""

import numpy as np
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from wildlens.areas.antimeridian import DEGREES

NODES = 33  # per side: in a scene of 110 km, interpolation is off by about a metre
DECIMALS = 6  # of degrees: 0.1 m


def degrees_at_nodes(grid: GeoBox, shape: tuple[int, int]) -> dict[str, list[float]]:
    """Longitude and latitude of nodes from the upper left corner of a grid, row by row.

    Args:
        shape: pixels of `grid` down and across which the nodes span; it may exceed the grid.

    Returns:
        `lon` (continuous: beyond 180 across the antimeridian) and `lat`, degrees, NODES² each.
    """
    rows, columns = np.meshgrid(
        np.linspace(0, shape[0], NODES), np.linspace(0, shape[1], NODES), indexing="ij"
    )
    x, y = grid.pix2wld(columns.ravel(), rows.ravel())
    lon, lat = Transformer.from_crs(grid.crs.to_wkt(), DEGREES, always_xy=True).transform(x, y)
    middle = lon[len(lon) // 2]
    lon = middle + (lon - middle + 180) % 360 - 180
    return {"lon": lon.round(DECIMALS).tolist(), "lat": lat.round(DECIMALS).tolist()}
