"""Numbers for each protected area: zonal statistics of score, attribution maps and land cover.

area_statistics.csv  one row per site and zone (inside, ring around it)
area_classes.csv     one row per site, zone and land-cover class
areas.gpkg           the sites, whole, with the first table's numbers as attributes
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from wildlens.area_statistics.geopackage import with_statistics, write_geopackage
from wildlens.area_statistics.layers import methods_of, scene_layers
from wildlens.area_statistics.scan import scan
from wildlens.area_statistics.sites import read_sites
from wildlens.area_statistics.tables import INSIDE, classes_table, statistics_table
from wildlens.area_statistics.thresholds import read_thresholds
from wildlens.area_statistics.zones import bounds_of_sites, build_zones, touching
from wildlens.errors import WildLensError
from wildlens.files.frames import write_frame
from wildlens.files.raster import read_grid
from wildlens.settings import Areas, Tiles

log = logging.getLogger(__name__)


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
    sites = read_sites(areas, bounds_of_sites(grids, settings.ring_m), settings, tiles)
    values = {} if thresholds is None else read_thresholds(thresholds)
    polygons, zones = build_zones(sites, [scene.grid for scene in mapped], settings.ring_m)
    totals = scan(mapped, polygons, values)
    methods = methods_of(mapped)
    without = [scene.name for scene in mapped if scene.landcover is None]
    table = statistics_table(zones, totals, methods, values, len(without) < len(mapped))
    write_frame(output, table)
    write_frame(classes, classes_table(zones, totals, methods))
    shown = sites[touching(sites, grids)]
    write_geopackage(geopackage, with_statistics(shown, table))
    if without:
        log.info("area-statistics: without land cover, left out of it: %s", ", ".join(without))
    _report(output, table)


def _report(output: Path, table: pd.DataFrame) -> None:
    inside = table[table["zone"] == INSIDE]
    log.info("area-statistics: %d protected areas in mapped scenes -> %s", len(inside), output)
    columns = ["site_id", "name", "category", "area_km2", "covered_share", "score_mean"]
    if len(inside):
        few = inside.nlargest(10, "covered_km2")[columns]
        few = few.assign(name=few["name"].str.slice(0, 40))
        for line in few.to_string(index=False, float_format="{:.3f}".format).splitlines():
            log.info(line)
