"""One pass over the rasters of all scenes, window by window."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import numpy as np
import rasterio
import shapely
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from wildlens.area_statistics.coverage import Pieces, windows
from wildlens.area_statistics.layers import SCORE, SceneLayers
from wildlens.area_statistics.totals import ZoneTotals
from wildlens.areas.antimeridian import grid_outline
from wildlens.errors import WildLensError, one_line
from wildlens.files.raster import open_raster, read
from wildlens.legend import CORINE
from wildlens.progress import track

log = logging.getLogger(__name__)

HALF = 0.5  # below it, the classifier decides for anthropogenic


def scan(
    scenes: Sequence[SceneLayers],
    polygons: Sequence[shapely.Geometry],
    thresholds: Mapping[str, float],
) -> list[ZoneTotals]:
    """Sums over polygons (N,) in degrees of the maps and land cover of scenes.

    Ground that several scenes saw counts once, in the first of them.

    Args:
        thresholds: method -> its threshold of high attribution; others mark nothing.
    """
    totals = [ZoneTotals() for _ in polygons]
    for number, scene in enumerate(track(scenes, "scenes", unit="scene")):
        pieces = Pieces(polygons, scene.grid)
        before = _Earlier(scenes[:number])
        with ExitStack() as stack:
            opened = {m: stack.enter_context(open_raster(p)) for m, p in scene.maps.items()}
            cover = scene.landcover and stack.enter_context(open_raster(scene.landcover))
            for window in windows(scene.grid):
                covered = list(pieces.covered(window))
                if covered:
                    new = _new_ground(before, scene, window)
                    classes = _classes(cover, scene, window)
                    found = [
                        (totals[pieces.owners[piece]], cells[new[cells]], shares[new[cells]],
                         pieces.pixel_km2[piece])
                        for piece, cells, shares in covered
                    ]  # fmt: skip
                    for method, dataset in opened.items():
                        values = read(dataset, 1, window=window).ravel()
                        if method == next(iter(opened)):
                            _add_seen(found, scene.name, np.isfinite(values), classes)
                        marked = _marked(method, values, thresholds)
                        _add_layer(found, method, values, marked, classes)
        if number and not any(scene.name in zone.scenes for zone in totals):
            log.info(
                "area-statistics: scene %s adds no ground: earlier scenes saw its protected areas",
                scene.name,
            )
    return totals


def _add_seen(found, scene: str, seen: np.ndarray, classes: np.ndarray) -> None:
    for zone, cells, shares, pixel_km2 in found:
        kept = seen[cells]
        zone.add_seen(scene, shares[kept], shares[kept] * pixel_km2, classes[cells[kept]])


def _add_layer(found, method: str, values: np.ndarray, marked: np.ndarray, classes: np.ndarray):
    for zone, cells, shares, pixel_km2 in found:
        kept = np.isfinite(values[cells])
        cells, km2 = cells[kept], shares[kept] * pixel_km2
        of_zone = values[cells].astype(np.float64)
        zone.layer(method).add(of_zone, marked[cells], km2, classes[cells])


def _marked(method: str, values: np.ndarray, thresholds: Mapping[str, float]) -> np.ndarray:
    """Pixels of high attribution; of the score, pixels below one half. NaN is never marked."""
    if method == SCORE:
        return values < np.float32(HALF)
    return values >= np.float32(thresholds.get(method, np.inf))


def _classes(dataset, scene: SceneLayers, window: Window) -> np.ndarray:
    """CORINE indices of a window, flattened; 0 without land cover."""
    if dataset is None:
        return np.zeros(window.width * window.height, np.uint8)
    classes = read(dataset, 1, window=window).ravel()
    CORINE.check(classes, scene.landcover)
    return classes


def _new_ground(before: "_Earlier", scene: SceneLayers, window: Window) -> np.ndarray:
    """Pixels of a window that no earlier scene saw, flattened bool."""
    rows, columns = window.toslices()
    return ~before.seen(scene.grid[rows, columns]).ravel()


class _Earlier:
    """What earlier scenes saw."""

    def __init__(self, scenes: Sequence[SceneLayers]):
        self._scenes = [(scene, grid_outline(scene.grid)) for scene in scenes]

    def seen(self, grid: GeoBox) -> np.ndarray:
        """Pixels of a grid, bool (H, W), whose centre is in a valid pixel of an earlier scene."""
        seen = np.zeros(grid.shape, bool)
        outline = grid_outline(grid, edges=8) if self._scenes else None
        for scene, earlier in self._scenes:
            if shapely.intersects(earlier, outline):
                seen |= np.isfinite(_on_grid(scene, grid))
        return seen


def _on_grid(scene: SceneLayers, grid: GeoBox) -> np.ndarray:
    """The first map of a scene on another grid by nearest neighbour, NaN outside."""
    height, width = grid.shape
    crs = rasterio.crs.CRS.from_wkt(grid.crs.to_wkt())
    form = {"crs": crs, "transform": grid.affine, "width": width, "height": height}
    with open_raster(scene.first) as dataset:
        try:
            with WarpedVRT(
                dataset, resampling=Resampling.nearest, nodata=np.nan, dtype="float32", **form
            ) as warped:
                return read(warped, 1)
        except rasterio.errors.RasterioError as error:
            raise WildLensError(f"{scene.first}: cannot be read: {one_line(error)}") from None
