"""Polygons across the antimeridian, as their authors write them, brought into -180..180 degrees."""

import numpy as np
import shapely


def unwrapped(geometries: np.ndarray) -> np.ndarray:
    """(N,) polygons in degrees, of which those that leap across the antimeridian no longer do.

    A polygon with corners at 179 and -179 degrees means the short way: its western longitudes
    become 181. It is known by its width: more than half of the Earth as it stands, and less if read
    the other way. Parts of a multipolygon are looked at one by one.
    """
    result = np.array(geometries, dtype=object)
    for i in np.flatnonzero(_width(result) > 180):
        parts = shapely.get_parts(result[i])
        if (shapely.get_type_id(parts) == shapely.GeometryType.POLYGON).all():
            result[i] = shapely.multipolygons([_short_way(part) for part in parts])
    return result


def within_180(geometries: np.ndarray) -> np.ndarray:
    """(N,) valid polygons in degrees; what lies beyond 180 degrees comes back on the other side."""
    result = np.array(geometries, dtype=object)
    west, _, east, _ = shapely.bounds(result).T
    for i in np.flatnonzero((west < -180) | (east > 180)):  # not so of empty ones
        pieces = []
        for turn in (-360, 0, 360):
            strip = shapely.box(-180 + turn, -91, 180 + turn, 91)
            piece = shapely.intersection(result[i], strip)
            pieces.append(shapely.transform(piece, lambda xy, turn=turn: xy - [turn, 0]))
        result[i] = shapely.union_all(pieces)
    return result


def _width(geometries: np.ndarray) -> np.ndarray:
    west, _, east, _ = shapely.bounds(geometries).T
    return np.nan_to_num(east - west)


def _short_way(part: shapely.Polygon) -> shapely.Polygon:
    if _width(part) <= 180:
        return part
    moved = shapely.transform(part, lambda xy: xy + (xy[:, :1] < 0) * [360, 0])
    # of width 0: a band around the Earth, from -180 to 180
    return moved if 0 < _width(moved) < 180 else part
