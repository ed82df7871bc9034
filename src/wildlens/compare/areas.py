"""Mean change of each protected area and of the ring around it, and its noise."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas
import numpy as np
import shapely
from rasterio.windows import Window

from wildlens.area_statistics.coverage import Pieces
from wildlens.area_statistics.layers import SceneLayers
from wildlens.area_statistics.scan import scan
from wildlens.area_statistics.tables import INSIDE, RING, Zone
from wildlens.area_statistics.totals import LayerTotals, ZoneTotals
from wildlens.area_statistics.zones import build_zones
from wildlens.compare.cells import Cells, cell_grid
from wildlens.compare.noise import OTHER_GROUND, Noise, noise_of_area
from wildlens.compare.pairs import Pair
from wildlens.compare.tables import AreaChange


def changes_of_areas(
    sites: geopandas.GeoDataFrame,
    pair: Pair,
    maps: Mapping[str, Path],
    cells: Mapping[str, Cells],
    unchanged: Mapping[str, Sequence[Cells]],
    source: str,
    ring_m: float,
) -> list[AreaChange]:
    """Changes of all sites that touch the common grid, of every map.

    Args:
        sites: of `area_statistics.sites.read_sites`; ring_m: width of the ring, m.
        maps: method -> map of the change; cells: method -> its sums.
        unchanged: method -> sums of pairs without change, and source: what they are; empty: the
            noise is that of the other ground of the pair itself.
    """
    grid = pair.common.grid
    polygons, zones = build_zones(sites, [grid], ring_m)
    layers = SceneLayers(" and ".join(pair.names), grid, dict(maps), None)
    totals = scan([layers], polygons, {})
    touched = _touched_cells(polygons, pair)
    found = []
    for number, zone in enumerate(zones):
        if zone.kind != INSIDE:
            continue
        ring = _ring_of(number, zones, totals)
        for method in maps:
            inside = totals[number].layers.get(method, LayerTotals())
            pixel_km2 = _pixel_km2(totals[number])
            pixels = inside.weight.sum() / pixel_km2 if pixel_km2 else 0.0
            noise = _noise(method, pixels, cells, unchanged, source, touched[number])
            around = ring.layers.get(method, LayerTotals())
            found.append(AreaChange(zone, method, inside, around, noise, pixel_km2))
    return found


def _noise(
    method: str,
    pixels: float,
    cells: Mapping[str, Cells],
    unchanged: Mapping[str, Sequence[Cells]],
    source: str,
    touched: np.ndarray,
) -> Noise:
    if unchanged:
        return noise_of_area(unchanged[method], source, pixels)
    left_out = np.zeros(cells[method].total.shape, bool)
    left_out.ravel()[touched] = True
    return noise_of_area([cells[method]], OTHER_GROUND, pixels, left_out)


def _touched_cells(polygons: Sequence[shapely.Geometry], pair: Pair) -> list[np.ndarray]:
    """Positions (n,) in the flattened cells that each polygon touches."""
    grid = cell_grid(pair.common.grid)
    pieces = Pieces(polygons, grid)
    height, width = grid.shape
    found: list[list[np.ndarray]] = [[] for _ in polygons]
    for piece, positions, _ in pieces.covered(Window(0, 0, width, height)):
        found[pieces.owners[piece]].append(positions)
    return [np.concatenate(parts or [np.zeros(0, np.int64)]) for parts in found]


def _ring_of(number: int, zones: Sequence[Zone], totals: Sequence[ZoneTotals]) -> ZoneTotals:
    """Sums of the ring that follows a site; empty without rings."""
    follows = number + 1 < len(zones) and zones[number + 1].kind == RING
    return totals[number + 1] if follows else ZoneTotals()


def _pixel_km2(total: ZoneTotals) -> float:
    """Ground of a pixel, km²; 0 where none was seen."""
    return float(total.seen.sum() / total.pixels) if total.pixels else 0.0
