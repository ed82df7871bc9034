"""Geometries in degrees across the antimeridian: split and bounded as in RFC 7946.

A geometry that crosses 180 degrees is stored as several parts within -180..180 (section 3.1.9). The
box of such a geometry has its western edge east of its eastern edge (section 5.2).
"""

from collections.abc import Iterable

import geopandas
import numpy as np
import shapely
from odc.geo.geobox import GeoBox
from pyproj import Transformer

DEGREES = "EPSG:4326"
Bounds = tuple[float, float, float, float]  # west, south, east, north in degrees


def split(geometries: np.ndarray) -> np.ndarray:
    """Split polygons (N,) in degrees at the antimeridian, however their authors wrote them.

    Taken are corners beyond 180 degrees (179 and 181), and polygons more than 180 degrees wide that
    are narrower if read across the antimeridian (179 and -179). Geometries must be valid, or repair
    them between `unwrap` and `within_180`.
    """
    return within_180(unwrap(geometries))


def to_degrees(outlines: geopandas.GeoSeries) -> geopandas.GeoSeries:
    """Project polygons with a CRS to EPSG:4326, split at the antimeridian.

    Edges must be short enough (see `segmentize`) that none spans 180 degrees. A ring around a pole
    becomes a polygon that contains the pole.
    """
    projected = outlines.to_crs(DEGREES)
    shapes = np.array(projected.array, dtype=object)
    for i in np.flatnonzero(_width(shapes) > 180):
        shapes[i] = _continuous(shapes[i])
    return geopandas.GeoSeries(within_180(shapes), index=outlines.index, crs=DEGREES)


def grid_outline(grid: GeoBox, edges: int = 64) -> shapely.Polygon | shapely.MultiPolygon:
    """Outline of a grid in degrees, split at the antimeridian.

    Each side has `edges` edges: straight sides of a projected grid are curves in degrees.
    """
    sides = np.linspace(0, 1, edges, endpoint=False)
    zero, one = np.zeros_like(sides), np.ones_like(sides)
    height, width = grid.shape
    columns = np.concatenate([zero, sides, one, 1 - sides]) * width
    rows = np.concatenate([sides, one, 1 - sides, zero]) * height
    ring = shapely.Polygon(np.stack(grid.pix2wld(columns, rows), axis=-1))
    return to_degrees(geopandas.GeoSeries([ring], crs=grid.crs.to_wkt())).iloc[0]


def bounding_box(geometries: Iterable[shapely.Geometry]) -> Bounds:
    """The smallest box that contains geometries within -180..180 degrees.

    West is greater than east where the box crosses the antimeridian.
    """
    parts = shapely.get_parts(np.array(list(geometries), dtype=object))
    bounds = shapely.bounds(parts[~shapely.is_empty(parts)])
    if not len(bounds):
        raise ValueError("no geometry to bound")
    _, south, _, north = (*bounds[:, :2].min(axis=0), *bounds[:, 2:].max(axis=0))
    west, east = _longitudes(bounds[:, 0], bounds[:, 2])
    return west, float(south), east, float(north)


def boxes_of(bounds: Bounds) -> list[Bounds]:
    """A box as one, or two where it crosses the antimeridian, with west below east."""
    west, south, east, north = bounds
    if west <= east:
        return [bounds]
    return [(west, south, 180.0, north), (-180.0, south, east, north)]


def boxes_in(crs: str, bounds: Bounds) -> list[Bounds]:
    """Boxes in another CRS that contain a box in degrees; infinite where the CRS ends."""
    transformer = Transformer.from_crs(DEGREES, crs, always_xy=True)
    return [transformer.transform_bounds(*box, densify_pts=51) for box in boxes_of(bounds)]


def box_polygon(bounds: Bounds) -> shapely.Polygon | shapely.MultiPolygon:
    """A box as a polygon, or as two where it crosses the antimeridian."""
    boxes = [shapely.box(*box) for box in boxes_of(bounds)]
    return boxes[0] if len(boxes) == 1 else shapely.MultiPolygon(boxes)


def unwrap(geometries: np.ndarray) -> np.ndarray:
    """Make polygons (N,) with corners on both sides of the antimeridian continuous.

    A polygon with corners at 179 and -179 degrees means the short way: its western longitudes
    become 181. It is recognised by its width: more than 180 degrees as written, and less if read
    across the antimeridian. Parts of a multipolygon are tested one by one.
    """
    result = np.array(geometries, dtype=object)
    for i in np.flatnonzero(_width(result) > 180):
        parts = shapely.get_parts(result[i])
        if (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON).all():
            result[i] = shapely.multipolygons([_short_way(part) for part in parts])
    return result


def within_180(geometries: np.ndarray) -> np.ndarray:
    """Bring valid polygons (N,) within -180..180: parts beyond appear on the other side."""
    result = np.array(geometries, dtype=object)
    west, _, east, _ = shapely.bounds(result).T
    for i in np.flatnonzero((west < -180) | (east > 180)):  # false for empty ones
        pieces = []
        for turn in (-360, 0, 360):
            strip = shapely.box(-180 + turn, -91, 180 + turn, 91)
            piece = shapely.intersection(result[i], strip)
            pieces.append(shapely.transform(piece, lambda xy, turn=turn: xy - [turn, 0]))
        # a side on the antimeridian leaves a line on the other side
        solid = [part for part in shapely.get_parts(pieces) if shapely.area(part) > 0]
        result[i] = shapely.union_all(solid)
    return result


def _longitudes(west: np.ndarray, east: np.ndarray) -> tuple[float, float]:
    """The shortest range of longitudes that contains intervals (N,), west > east across 180."""
    order = np.argsort(west)
    west, reached = west[order], np.maximum.accumulate(east[order])
    gaps = west[1:] - reached[:-1]
    outside = west[0] + 360 - reached[-1]  # the gap that contains the antimeridian
    if len(gaps) and gaps.max() > outside:
        widest = int(gaps.argmax())
        return float(west[widest + 1]), float(reached[widest])
    return float(west[0]), float(reached[-1])


def _width(geometries: np.ndarray) -> np.ndarray:
    west, _, east, _ = shapely.bounds(geometries).T
    return np.nan_to_num(east - west)


def _short_way(part: shapely.Polygon) -> shapely.Polygon:
    if _width(part) <= 180:
        return part
    moved = shapely.transform(part, lambda xy: xy + (xy[:, :1] < 0) * [360, 0])
    # width 0: a band around the Earth, from -180 to 180
    return moved if 0 < _width(moved) < 180 else part


def _continuous(polygon: shapely.Polygon) -> shapely.Polygon:
    """A polygon without holes and jumps in longitude; closed over the pole that it contains."""
    longitude, latitude = shapely.get_coordinates(polygon).T
    # whole turns are added: np.unwrap's sums would not lead back to exactly the first corner
    jumps = np.rint(np.diff(longitude, prepend=longitude[0]) / 360)
    longitude = longitude - 360 * np.cumsum(jumps)
    if jumps.sum():
        pole = np.copysign(90.0, latitude.mean())
        longitude = np.append(longitude, longitude[[-1, 0, 0]])
        latitude = np.append(latitude, [pole, pole, latitude[0]])
    return shapely.Polygon(np.stack([longitude, latitude], axis=-1))
