"""The change between two dates: a map per method, and a table of the protected areas.

{method}.tif  signed change, second date minus first, on the grid that both scenes share
areas.csv     one row per protected area and map: mean change, that of the ring, and its noise

Memory depends on windows and on the number of cells of 16 x 16 pixels, not on pixels.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from wildlens import provenance
from wildlens.area_statistics.layers import scene_layers
from wildlens.area_statistics.sites import read_sites
from wildlens.area_statistics.zones import bounds_of_sites
from wildlens.areas.polygons import NoSites
from wildlens.compare.areas import changes_of_areas
from wildlens.compare.cells import Cells
from wildlens.compare.change_map import sum_change, write_change
from wildlens.compare.earlier import TABLE, is_comparison
from wildlens.compare.pairs import Pair, check_origin, find_pair
from wildlens.compare.tables import changes_table
from wildlens.files.acquisition import TIME
from wildlens.files.atomic import atomic
from wildlens.files.earlier import check_replaceable
from wildlens.files.frames import write_frame
from wildlens.files.map_tags import tags_of
from wildlens.files.raster import gdal
from wildlens.progress import track
from wildlens.settings import Areas, Compare, Tiles
from wildlens.warnings import log_warnings

log = logging.getLogger(__name__)

CACHE = 128 * 2**20  # bytes of GDAL's block cache


def compare_dates(
    maps: Sequence[Path],
    areas: Path | None,
    output: Path,
    settings: Compare,
    of_areas: Areas,
    tiles: Tiles,
) -> list[Path]:
    """Write the folder `output` as a whole: a map of the change per method, and the table.

    Args:
        maps: score and attribution maps of all scenes that the settings name; images are left out.
        areas: protected areas or polygons of the user's own; None: no table.
        of_areas, tiles: ring, and which protected areas count.

    Returns:
        Paths of the maps of the change.

    Raises:
        WildLensError: maps are missing or were made with different models, the scenes have no
            pixels in common, or `output` holds something other than a comparison.
    """
    check_replaceable(output, is_comparison)
    scenes = scene_layers(maps, [])
    pair = find_pair(scenes, (settings.before, settings.after))
    unchanged = [find_pair(scenes, names) for names in settings.unchanged]
    check_origin([pair, *unchanged])
    _warn_of_order(pair)
    with gdal(CACHE), atomic(output, is_comparison) as folder:
        folder.mkdir()
        cells = {
            method: write_change(
                pair, method, folder / f"{method}.tif",
                provenance.record("compare", settings, pair.maps[method]),
            )
            for method in track(pair.maps, "maps", unit="map")
        }  # fmt: skip
        if areas is not None:
            noise = {m: [sum_change(p, m) for p in unchanged] for m in cells} if unchanged else {}
            table = _table(areas, pair, folder, cells, noise, unchanged, of_areas, tiles)
            write_frame(folder / TABLE, table)
            _report(table)
    names = " and ".join(pair.names)
    log.info("compare: %d maps of the change between %s -> %s", len(cells), names, output)
    return [output / f"{method}.tif" for method in cells]


def _table(
    areas: Path,
    pair: Pair,
    folder: Path,
    cells: Mapping[str, Cells],
    noise: Mapping[str, Sequence[Cells]],
    unchanged: Sequence[Pair],
    of_areas: Areas,
    tiles: Tiles,
) -> pd.DataFrame:
    """The table of the sites; without any near, it has no rows: the maps are results by themselves.

    A warning then says so, since training needs areas, which may lie elsewhere.
    """
    bounds = bounds_of_sites([pair.common.grid], of_areas.ring_m)
    try:
        sites = read_sites(areas, bounds, of_areas, tiles)
    except NoSites as error:
        log_warnings("compare", [f"{error}; {TABLE} has no rows"])
        return changes_table([], pair.names, {})
    maps = {method: folder / f"{method}.tif" for method in cells}
    source = "; ".join(f"unchanged pair {' and '.join(p.names)}" for p in unchanged)
    found = changes_of_areas(sites, pair, maps, cells, noise, source, of_areas.ring_m)
    units = {method: "".join(tags_of([path], "unit")) for method, path in maps.items()}
    return changes_table(found, pair.names, units)


def _warn_of_order(pair: Pair) -> None:
    """Warn if the second date is before the first one."""
    first, second = (tags_of(paths, TIME) for paths in zip(*pair.maps.values(), strict=True))
    if first and second and second[0] < first[0]:
        text = f"{pair.names[1]} ({second[0]}) is earlier than {pair.names[0]} ({first[0]})"
        log_warnings("compare", [f"{text}: swap compare.before and compare.after"])


def _report(table: pd.DataFrame) -> None:
    first = table[table["method"] == table["method"].iloc[0]] if len(table) else table
    beyond = first[first["beyond_noise"] == "yes"]
    log.info("compare: %d protected areas, %d beyond their noise", len(first), len(beyond))
    columns = ["site_id", "name", "change_mean", "noise_low", "noise_high", "covered_share"]
    if len(beyond):
        shown = beyond[columns].assign(name=beyond["name"].str.slice(0, 40)).head(10)
        for line in shown.to_string(index=False, float_format="{:.3f}".format).splitlines():
            log.info(line)
