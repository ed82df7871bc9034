"""One pass over the rasters of all scenes, window by window."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

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


@dataclass(frozen=True)
class _Ground:
    """What the rasters of a scene hold in one window of P pixels, flattened.

    Attributes:
        scene: its name; new: bool (P,), pixels that no earlier scene saw.
        classes: uint8 (P,) CORINE indices; 0 without land cover.
        values: method -> float32 (P,), NaN = no data; marked: method -> bool (P,), high attribution
            or a low score.
    """

    scene: str
    new: np.ndarray
    classes: np.ndarray
    values: Mapping[str, np.ndarray]
    marked: Mapping[str, np.ndarray]

    def add_to(
        self, zone: ZoneTotals, cells: np.ndarray, shares: np.ndarray, pixel_km2: float
    ) -> None:
        """Add pixels to the sums of a zone.

        Args:
            cells: int64 (n,) their positions; shares: float64 (n,) that the zone covers of each.
            pixel_km2: ground of a pixel, km².
        """
        new = self.new[cells]
        cells, shares = cells[new], shares[new]
        km2, classes = shares * pixel_km2, self.classes[cells]
        seen = np.isfinite(next(iter(self.values.values()))[cells])
        zone.add_seen(self.scene, shares[seen], km2[seen], classes[seen])
        for method, values in self.values.items():
            of_zone = values[cells]
            kept = np.isfinite(of_zone)
            marked = self.marked[method][cells[kept]]
            zone.layer(method).add(
                of_zone[kept].astype(np.float64), marked, km2[kept], classes[kept]
            )


def scan(
    scenes: Sequence[SceneLayers],
    polygons: Sequence[shapely.Geometry],
    thresholds: Mapping[str, float],
) -> list[ZoneTotals]:
    """Sums over polygons (N,) in degrees of the maps and land cover of scenes.

    Ground that several scenes saw counts once, in the first of them. Memory does not grow with the
    number of polygons that cover a window: they are added one after the other.

    Args:
        thresholds: method -> its threshold of high attribution; others mark nothing.
    """
    totals = [ZoneTotals() for _ in polygons]
    for number, scene in enumerate(track(scenes, "scenes", unit="scene")):
        pieces = Pieces(polygons, scene.grid)
        with _Rasters.of(scene, scenes[:number], thresholds) as rasters:
            for window in windows(scene.grid):
                _add_window(rasters, window, pieces, totals)
        if number and not any(scene.name in zone.scenes for zone in totals):
            log.info(
                "area-statistics: scene %s adds no ground: earlier scenes saw its protected areas",
                scene.name,
            )
    return totals


def _add_window(
    rasters: "_Rasters", window: Window, pieces: Pieces, totals: Sequence[ZoneTotals]
) -> None:
    """Add a window to the sums of the zones in it; without any, its rasters are not read."""
    ground = None
    for piece, cells, shares in pieces.covered(window):
        if ground is None:
            ground = rasters.read(window)
        ground.add_to(totals[pieces.owners[piece]], cells, shares, pieces.pixel_km2[piece])


@dataclass(frozen=True)
class _Rasters:
    """The opened rasters of a scene.

    Attributes:
        maps: method -> its map; landcover: CORINE indices, None without; before: earlier scenes.
        thresholds: of `scan`.
    """

    scene: SceneLayers
    maps: Mapping[str, rasterio.DatasetReader]
    landcover: rasterio.DatasetReader | None
    before: "_Earlier"
    thresholds: Mapping[str, float]

    @classmethod
    @contextmanager
    def of(
        cls, scene: SceneLayers, before: Sequence[SceneLayers], thresholds: Mapping[str, float]
    ) -> Iterator["_Rasters"]:
        """Open the rasters of a scene, and close them in the end."""
        with ExitStack() as stack:
            maps = {m: stack.enter_context(open_raster(path)) for m, path in scene.maps.items()}
            cover = scene.landcover and stack.enter_context(open_raster(scene.landcover))
            yield cls(scene, maps, cover, _Earlier(before), thresholds)

    def read(self, window: Window) -> _Ground:
        """All rasters in a window."""
        rows, columns = window.toslices()
        new = ~self.before.seen(self.scene.grid[rows, columns]).ravel()
        classes = self._classes(window)
        values = {m: read(dataset, 1, window=window).ravel() for m, dataset in self.maps.items()}
        marked = {m: self._marked(m, of_method) for m, of_method in values.items()}
        return _Ground(self.scene.name, new, classes, values, marked)

    def _classes(self, window: Window) -> np.ndarray:
        if self.landcover is None:
            return np.zeros(window.width * window.height, np.uint8)
        classes = read(self.landcover, 1, window=window).ravel()
        CORINE.check(classes, self.scene.landcover)
        return classes

    def _marked(self, method: str, values: np.ndarray) -> np.ndarray:
        """Pixels of high attribution; of the score, those below one half. NaN is never marked."""
        if method == SCORE:
            return values < np.float32(HALF)
        return values >= np.float32(self.thresholds.get(method, np.inf))


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
