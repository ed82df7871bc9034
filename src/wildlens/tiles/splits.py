"""Split into training, validation and test by spatial blocks, so that no pixel is in two of them.

Blocks are cells of a grid fixed to the Earth and do not depend on the data: a location is in the
same block in every scene and UTM zone.
"""

import hashlib

import geopandas
import numpy as np
import pandas
import shapely
from pyproj import Transformer

from wildlens.areas.antimeridian import DEGREES

SPLITS = ("train", "val", "test")  # from laxest to strictest
DROPPED = "dropped"

_KM_PER_DEGREE = 6371.0088 * np.pi / 180  # on the sphere of the Earth's mean radius
_REGION_KM = 500.0  # side of regions with one projection for distances: distortion below 0.1 %
_LEAST_RADIUS_M = 6.3e6  # lower bound of the Earth's radius of curvature
_TOLERANCE_M = 0.1  # adjacent tiles share an edge, up to rounding, but no pixel


def assign_splits(
    footprints: geopandas.GeoSeries,
    *,
    block_km: float,
    validation: float,
    test: float,
    distance_m: float,
    seed: int,
) -> pandas.DataFrame:
    """Assign each tile to a split.

    Blocks are ordered by a hash of `seed` and their names. The first blocks, with a share `test` of
    the tiles, are for testing, the next, with a share `validation`, for validation, the rest for
    training. Then training tiles are dropped that overlap a validation or test tile or are nearer
    than `distance_m` to one, and validation tiles that overlap or are near a test tile.

    Parameters
    ----------
    footprints
        Outlines of the N tiles in EPSG:4326.
    block_km
        Side of the blocks, km.
    validation, test
        Shares of the tiles, 0..1.
    distance_m
        Least distance between tiles of two splits, m; 0: they may touch, but not overlap.
    seed
        Decides the order of the blocks.

    Returns
    -------
    DataFrame with the index of `footprints` and columns `split` ('train', 'val', 'test' or
    'dropped') and `block` (name of the block of the tile's centre).
    """
    blocks = block_names(footprints, block_km)
    split = drop_near(footprints, _by_block(blocks, validation, test, seed), distance_m)
    return pandas.DataFrame({"split": split, "block": blocks}, index=footprints.index)


def drop_near(footprints: geopandas.GeoSeries, split: np.ndarray, distance_m: float) -> np.ndarray:
    """Drop tiles that overlap a tile of a later split (train, val, test), or are too near to one.

    Parameters
    ----------
    footprints
        Outlines of the N tiles in EPSG:4326.
    split
        Split of each tile, str (N,).
    distance_m
        See `assign_splits`.

    Returns
    -------
    str (N,): the split, or 'dropped'.
    """
    split = np.array(split, dtype="<U7")
    outlines = footprints.to_numpy()
    regions = block_names(footprints, _REGION_KM)
    # test first: dropped tiles must not cause others to be dropped
    for strict, lax in (("test", "val"), ("test", "train"), ("val", "train")):
        mine, theirs = np.flatnonzero(split == lax), np.flatnonzero(split == strict)
        split[mine[_near(outlines, regions, mine, theirs, distance_m)]] = DROPPED
    return split


def whole_groups(groups: pandas.Series, split: pandas.Series) -> pandas.Series:
    """Give all members of a group its most frequent split; ties go to the earlier of SPLITS."""
    counts = pandas.crosstab(groups, split).reindex(columns=list(SPLITS), fill_value=0)
    return groups.map(counts.idxmax(axis=1))


def block_names(footprints: geopandas.GeoSeries, block_km: float) -> np.ndarray:
    """Name of the block with the centre of each footprint (EPSG:4326).

    Rows of blocks are `block_km` high, from the south pole on; each row is divided evenly into
    columns of about `block_km`.

    Returns
    -------
    str (N,), such as 'r2865_c03120': row from the south pole, column from 180 degrees west.
    """
    lon, lat = _lon_lat(_centres(footprints.to_numpy()))
    height = block_km / _KM_PER_DEGREE  # degrees
    row = np.floor((lat + 90) / height).astype(int)
    middle = np.clip((row + 0.5) * height - 90, -90, 90)
    columns = np.maximum(np.round(360 * np.cos(np.radians(middle)) / height), 1).astype(int)
    column = np.floor((lon + 180) / 360 * columns).astype(int) % columns
    return np.array([f"r{r:04d}_c{c:05d}" for r, c in zip(row, column, strict=True)], dtype=str)


def _centres(outlines: np.ndarray) -> np.ndarray:
    """Centres of polygons in degrees as unit vectors (N, 3), which have no antimeridian.

    The mean of a polygon's corners; of a split polygon, the mean of its parts weighted by area.
    """
    total = np.zeros((len(outlines), 3))
    whole = shapely.get_type_id(outlines) == shapely.GeometryType.POLYGON
    rings = shapely.get_exterior_ring(outlines[whole])
    points, owner = shapely.get_coordinates(rings, return_index=True)
    last = np.append(np.diff(owner) > 0, True)  # a ring ends in its first point: count it once
    np.add.at(total, np.flatnonzero(whole)[owner[~last]], _vectors(points[~last]))
    parts, owner = shapely.get_parts(outlines[~whole], return_index=True)
    middles = _vectors(shapely.get_coordinates(shapely.centroid(parts)))
    weighted = middles * shapely.area(parts)[:, None]
    np.add.at(total, np.flatnonzero(~whole)[owner], weighted)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def _vectors(points: np.ndarray) -> np.ndarray:
    """Unit vectors (N, 3) from the centre of the Earth to points (N, 2) in degrees."""
    lon, lat = np.radians(points).T
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def _lon_lat(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude in degrees of vectors (N, 3) from the centre of the Earth."""
    x, y, z = vectors.T
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))


def _by_block(blocks: np.ndarray, validation: float, test: float, seed: int) -> np.ndarray:
    """Split of each tile from its block alone, str (N,)."""
    names, member, counts = np.unique(blocks, return_inverse=True, return_counts=True)
    keys = [hashlib.blake2b(f"{seed}:{name}".encode()).digest() for name in names]
    order = sorted(range(len(names)), key=keys.__getitem__)
    ordered = counts[order]
    middle = (np.cumsum(ordered) - ordered / 2) / max(len(blocks), 1)
    of_block = np.empty(len(names), dtype="<U7")
    of_block[order] = np.select(
        [middle < test, middle < test + validation], ["test", "val"], "train"
    )
    return of_block[member]


def _near(
    outlines: np.ndarray, regions: np.ndarray, mine: np.ndarray, theirs: np.ndarray, metres: float
) -> np.ndarray:
    """Which of the tiles `mine` overlap one of `theirs` or are nearer than `metres`, bool (M,).

    Distances are measured in an azimuthal equidistant projection around the centre of each region,
    so that they are correct even if scenes are on several continents.
    """
    near = np.zeros(len(mine), dtype=bool)
    if not len(mine) or not len(theirs):
        return near
    middles = _centres(outlines)
    points, owner = shapely.get_coordinates(outlines, return_index=True)
    radius = np.linalg.norm(_vectors(points) - middles[owner], axis=1).max()
    for region in np.unique(regions[mine]):
        here = mine[regions[mine] == region]
        middle = middles[here].mean(axis=0)
        # chords of the unit sphere: tiles farther from the middle cannot be near one of `here`
        reach = np.linalg.norm(middles[here] - middle, axis=1).max()
        reach += 2 * radius + metres / _LEAST_RADIUS_M
        close = theirs[np.linalg.norm(middles[theirs] - middle, axis=1) <= reach]
        project = _projection(middle)
        tree = shapely.STRtree(shapely.transform(outlines[close], project))
        shrunk = shapely.buffer(
            shapely.transform(outlines[here], project), -_TOLERANCE_M, join_style="mitre"
        )
        hits, _ = tree.query(shrunk, predicate="dwithin", distance=metres)
        near |= np.isin(mine, here[hits])
    return near


def _projection(middle: np.ndarray):
    """A function that projects degrees (N, 2) to metres (N, 2) around a unit vector (3,)."""
    lon, lat = _lon_lat(middle[None])
    local = f"+proj=aeqd +lat_0={lat[0]:.6f} +lon_0={lon[0]:.6f} +datum=WGS84 +units=m"
    transformer = Transformer.from_crs(DEGREES, local, always_xy=True)
    return lambda points: np.stack(transformer.transform(*points.T), axis=1)
