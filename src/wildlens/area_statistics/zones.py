"""Zones of the sites that touch scenes: the site itself, and the ring around it."""

from collections.abc import Sequence

import geopandas
import numpy as np
import shapely
from odc.geo.geobox import GeoBox

from wildlens.area_statistics.rings import areas_km2, build_rings
from wildlens.area_statistics.sites import TEXTS
from wildlens.area_statistics.tables import INSIDE, RING, Zone
from wildlens.areas.antimeridian import Bounds, grid_outline
from wildlens.areas.polygons import degree_bounds

METRES_PER_DEGREE = 20_000  # of longitude, near 80 degrees north: a wide margin elsewhere


def bounds_of_sites(grids: Sequence[GeoBox], ring_m: float) -> Bounds:
    """Box in degrees of scenes, with a margin for the sites whose rings reach them."""
    return degree_bounds(grids, margin=0.002 + ring_m / METRES_PER_DEGREE)


def build_zones(
    sites: geopandas.GeoDataFrame, grids: Sequence[GeoBox], ring_m: float
) -> tuple[list[shapely.Geometry], list[Zone]]:
    """Polygons in degrees and what they are, of sites that touch the ground of scenes.

    Args:
        sites: of `read_sites`; ring_m: width of the ring, m; 0: no rings.
    """
    shapes = sites.geometry.to_numpy()
    met = touching(sites, grids)
    kinds = {INSIDE: shapes[met]}
    if ring_m:
        kinds[RING] = build_rings(shapes[met], shapes, ring_m)
    sizes = {kind: areas_km2(of_kind) for kind, of_kind in kinds.items()}
    polygons, zones = [], []
    for number, texts in enumerate(sites.loc[met, list(TEXTS)].to_dict("records")):
        for kind, of_kind in kinds.items():
            polygons.append(of_kind[number])
            zones.append(Zone(texts, kind, float(sizes[kind][number])))
    return polygons, zones


def touching(sites: geopandas.GeoDataFrame, grids: Sequence[GeoBox]) -> np.ndarray:
    """Which sites meet the ground of scenes, bool (N,)."""
    outlines = [grid_outline(grid) for grid in grids]
    return shapely.intersects(sites.geometry.to_numpy(), shapely.union_all(outlines))
