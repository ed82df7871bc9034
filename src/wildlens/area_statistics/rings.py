"""The ring around each site: ground outside its border that is in no protected site."""

from collections.abc import Sequence

import geopandas
import numpy as np
import shapely

from wildlens.areas.antimeridian import DEGREES, bounding_box, within_180
from wildlens.areas.polygons import polygon_parts

EDGE = 0.01  # degrees: longest edge when polygons are projected, since long edges are curved
RING_EDGE = 1000.0  # m, the same for projected rings


def build_rings(shapes: np.ndarray, sites: np.ndarray, width: float) -> np.ndarray:
    """Rings (N,) around polygons (N,), multipolygons in degrees within -180..180.

    A ring holds the ground within `width` metres of a polygon's border that is in none of the sites
    (M,), of which the polygon is one; it is empty if other sites surround it.
    """
    tree = shapely.STRtree(sites)
    rings = []
    for shape in shapes:
        (wide,) = polygon_parts(np.array([_buffered(shape, width)], dtype=object))
        near = sites[tree.query(wide)]
        rings.append(shapely.difference(wide, shapely.union_all(near)))
    return polygon_parts(np.array(rings, dtype=object))


def areas_km2(shapes: Sequence[shapely.Geometry]) -> np.ndarray:
    """Areas (N,) on the ellipsoid of polygons in degrees, km²."""
    series = geopandas.GeoSeries(shapes, crs=DEGREES).segmentize(EDGE)
    return series.to_crs("EPSG:6933").area.to_numpy() / 1e6  # a cylindrical equal-area projection


def _buffered(shape: shapely.Geometry, width: float) -> shapely.Geometry:
    """A polygon in degrees, widened by `width` metres in a projection centred on it."""
    west, south, east, north = bounding_box([shape])
    longitude = (west + east + 360 * (east < west)) / 2
    local = f"+proj=laea +lat_0={(south + north) / 2} +lon_0={longitude} +datum=WGS84 +units=m"
    flat = geopandas.GeoSeries([shape], crs=DEGREES).segmentize(EDGE).to_crs(local)
    valid = flat.make_valid(method="structure", keep_collapsed=False)
    wide = valid.buffer(width, quad_segs=16).segmentize(RING_EDGE).to_crs(DEGREES)

    def continuous(xy: np.ndarray) -> np.ndarray:
        turned = longitude + (xy[:, 0] - longitude + 180) % 360 - 180
        return np.stack([turned, xy[:, 1]], axis=-1)

    return within_180(shapely.make_valid(shapely.transform(wide.to_numpy(), continuous)))[0]
