"""Mean change of each protected area and of the ring around it, and its noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Site:
    """A site on the common grid.

    Attributes:
        inside, ring: sums of the changes in it and around it; cells: positions (n,) in the
            flattened cells that it touches.
    """

    zone: Zone
    inside: ZoneTotals
    ring: ZoneTotals
    cells: np.ndarray

    @property
    def pixel_km2(self) -> float:
        """Ground of a pixel, km²; 0 where none was seen."""
        seen = self.inside
        return float(seen.seen.sum() / seen.pixels) if seen.pixels else 0.0

    def layer(self, method: str) -> LayerTotals:
        """Sums of a method's change; empty where it has no value."""
        return self.inside.layers.get(method, LayerTotals())

    def pixels(self, method: str) -> float:
        """Pixels in which a method's change has a value."""
        return self.layer(method).weight.sum() / self.pixel_km2 if self.pixel_km2 else 0.0


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
    found = []
    on_grid = _sites_on_grid(sites, pair, maps, ring_m)
    for method in maps:
        if unchanged:
            noises = [
                noise_of_area(unchanged[method], source, site.pixels(method)) for site in on_grid
            ]
        else:
            noises = _noises_of_other_ground(on_grid, method, cells[method])
        for site, noise in zip(on_grid, noises, strict=True):
            ring = site.ring.layers.get(method, LayerTotals())
            inside = site.layer(method)
            found.append(AreaChange(site.zone, method, inside, ring, noise, site.pixel_km2))
    return found


def _noises_of_other_ground(sites: Sequence[_Site], method: str, cells: Cells) -> list[Noise]:
    """Noise of each site from the blocks that do not touch it.

    Sites that change beyond it are then left out of the noise of the others, once.
    """

    def noise(site: _Site, *left_out: np.ndarray) -> Noise:
        mask = np.zeros(cells.total.shape, bool)
        for positions in (site.cells, *left_out):
            mask.ravel()[positions] = True
        return noise_of_area([cells], OTHER_GROUND, site.pixels(method), mask)

    noises = [noise(site) for site in sites]
    changed = [
        site.cells
        for site, own in zip(sites, noises, strict=True)
        if own.exceeded_by(site.layer(method).mean)
    ]
    return [noise(site, *changed) for site in sites] if changed else noises


def _sites_on_grid(
    sites: geopandas.GeoDataFrame, pair: Pair, maps: Mapping[str, Path], ring_m: float
) -> list[_Site]:
    grid = pair.common.grid
    polygons, zones = build_zones(sites, [grid], ring_m)
    layers = SceneLayers(" and ".join(pair.names), grid, dict(maps), None)
    totals = scan([layers], polygons, {})
    cells = _touched_cells(polygons, pair)
    found = []
    for number, zone in enumerate(zones):
        if zone.kind == INSIDE:
            followed = number + 1 < len(zones) and zones[number + 1].kind == RING
            ring = totals[number + 1] if followed else ZoneTotals()
            found.append(_Site(zone, totals[number], ring, cells[number]))
    return found


def _touched_cells(polygons: Sequence[shapely.Geometry], pair: Pair) -> list[np.ndarray]:
    """Positions (n,) in the flattened cells that each polygon touches."""
    grid = cell_grid(pair.common.grid)
    pieces = Pieces(polygons, grid)
    height, width = grid.shape
    found: list[list[np.ndarray]] = [[] for _ in polygons]
    for piece, positions, _ in pieces.covered(Window(0, 0, width, height)):
        found[pieces.owners[piece]].append(positions)
    return [np.concatenate(parts or [np.zeros(0, np.int64)]) for parts in found]
