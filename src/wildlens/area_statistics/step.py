"""Numbers for each protected area: zonal statistics of score, attribution maps and land cover.

area_statistics.csv  one row per site and zone (inside, ring around it)
area_classes.csv     one row per site, zone and land-cover class
areas.gpkg           the sites, whole, with the first table's numbers as attributes
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import shapely
from odc.geo.geobox import GeoBox

from wildlens.area_statistics.geopackage import with_statistics, write_geopackage
from wildlens.area_statistics.layers import SceneLayers, methods_of, scene_layers
from wildlens.area_statistics.rings import areas_km2, build_rings
from wildlens.area_statistics.scan import scan
from wildlens.area_statistics.sites import TEXTS, read_sites
from wildlens.area_statistics.tables import (
    INSIDE,
    RING,
    Zone,
    classes_table,
    statistics_table,
)
from wildlens.area_statistics.thresholds import read_thresholds
from wildlens.areas.antimeridian import grid_outline
from wildlens.areas.polygons import degree_bounds
from wildlens.errors import WildLensError
from wildlens.files.atomic import write_text
from wildlens.files.raster import read_grid
from wildlens.settings import Areas, Tiles

log = logging.getLogger(__name__)

METRES_PER_DEGREE = 20_000  # of longitude, near 80 degrees north: a wide margin elsewhere


def build_statistics(
    areas: Path,
    scenes: Sequence[Path],
    maps: Sequence[Path],
    landcovers: Sequence[Path],
    thresholds: Path | None,
    output: Path,
    classes: Path,
    geopackage: Path,
    settings: Areas,
    tiles: Tiles,
) -> None:
    """Write the two tables and the GeoPackage.

    Args:
        areas: protected areas, as `areas.polygons.select_sites` takes them; or polygons of the
            user's own, if the settings say so.
        scenes: rasters whose ground the GeoPackage shows, beside that of the maps.
        maps: score and attribution maps; landcovers: of these scenes, named by the scene.
        thresholds: methods.csv of the evaluation; None: no share of high attribution.
        settings: the ring; tiles: which protected areas count.

    Raises:
        WildLensError: no scene, rasters that do not belong together, or no protected area near.
    """
    mapped = scene_layers(maps, landcovers)
    grids = [scene.grid for scene in mapped] + [read_grid(path) for path in scenes]
    if not grids:
        raise WildLensError(f"{output}: needs a scene or a map (--scene, --map)")
    bounds = degree_bounds(grids, margin=0.002 + settings.ring_m / METRES_PER_DEGREE)
    sites = read_sites(areas, bounds, settings, tiles)
    values = {} if thresholds is None else read_thresholds(thresholds)
    polygons, zones = _zones(sites, mapped, settings)
    totals = scan(mapped, polygons, values)
    methods = methods_of(mapped)
    without = [scene.name for scene in mapped if scene.landcover is None]
    table = statistics_table(zones, totals, methods, values, len(without) < len(mapped))
    _write_table(output, table)
    _write_table(classes, classes_table(zones, totals, methods))
    shown = sites[_touching(sites, grids)]
    write_geopackage(geopackage, with_statistics(shown, table))
    if without:
        log.info("area-statistics: without land cover, left out of it: %s", ", ".join(without))
    _report(output, table)


def _zones(
    sites: geopandas.GeoDataFrame, mapped: Sequence[SceneLayers], settings: Areas
) -> tuple[list[shapely.Geometry], list[Zone]]:
    """Polygons in degrees and what they are, of sites that touch a mapped scene."""
    shapes = sites.geometry.to_numpy()
    met = _touching(sites, [scene.grid for scene in mapped])
    kinds = {INSIDE: shapes[met]}
    if settings.ring_m:
        kinds[RING] = build_rings(shapes[met], shapes, settings.ring_m)
    sizes = {kind: areas_km2(of_kind) for kind, of_kind in kinds.items()}
    polygons, zones = [], []
    for number, texts in enumerate(sites.loc[met, list(TEXTS)].to_dict("records")):
        for kind, of_kind in kinds.items():
            polygons.append(of_kind[number])
            zones.append(Zone(texts, kind, float(sizes[kind][number])))
    return polygons, zones


def _touching(sites: geopandas.GeoDataFrame, grids: Sequence[GeoBox]) -> np.ndarray:
    """Which sites meet the ground of scenes, bool (N,)."""
    outlines = [grid_outline(grid) for grid in grids]
    return shapely.intersects(sites.geometry.to_numpy(), shapely.union_all(outlines))


def _write_table(path: Path, table: pd.DataFrame) -> None:
    """CSV with six significant digits; missing numbers are empty cells."""
    write_text(path, table.to_csv(index=False, float_format="%.6g"))


def _report(output: Path, table: pd.DataFrame) -> None:
    inside = table[table["zone"] == INSIDE]
    log.info("area-statistics: %d protected areas in mapped scenes -> %s", len(inside), output)
    columns = ["site_id", "name", "category", "area_km2", "covered_share", "score_mean"]
    if len(inside):
        few = inside.nlargest(10, "covered_km2")[columns]
        few = few.assign(name=few["name"].str.slice(0, 40))
        for line in few.to_string(index=False, float_format="{:.3f}".format).splitlines():
            log.info(line)
