"""One product of a scene, open to be read on the scene's pixels as stored reflectance."""

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.files.archives import File, on_disk
from wildlens.files.reflectance import HIGHEST, LOWEST, MISSING, SATURATED, SCALE
from wildlens.files.sidecars import MASK, appended
from wildlens.scene.grid import Placement, covered
from wildlens.scene.open_on_grid import open_on_grid
from wildlens.scene.products import Product
from wildlens.scene.products.product import SCL
from wildlens.scene.reprojection import WarpedBand
from wildlens.scene.resampling import AlignedBand, crs_name, factor_of, is_aligned
from wildlens.scene.scaling import Scaling, decide_scaling
from wildlens.settings import Scene

log = logging.getLogger(__name__)

MAX_CLASS = 11  # of the scene classification


def stored_values(offset: float, quantification: float) -> np.ndarray:
    """Stored value of each digital number: (65536,) uint16, 0 for DN 0.

    Reflectance = (DN + offset) / quantification; stored is reflectance x 10000, rounded, 1..65534;
    saturated (DN 65535) stays 65535.
    """
    numbers = np.arange(SATURATED + 1, dtype=np.float64)
    stored = np.rint((numbers + offset) * SCALE / quantification)
    table = np.clip(stored, LOWEST, HIGHEST).astype(np.uint16)
    table[0], table[SATURATED] = MISSING, SATURATED
    return table


@dataclass(frozen=True)
class Layer:
    """A product that is open to be read on the scene's pixels.

    Attributes:
        bands: readers of the requested bands, in their order.
        tables: stored value of each digital number of each band; see `stored_values`.
        classes: reader of the scene classification; None if no class is masked.
        masked: the classes that become missing.
    """

    product: Product
    placement: Placement
    scaling: Scaling
    bands: list[AlignedBand | WarpedBand]
    tables: list[np.ndarray]
    classes: AlignedBand | WarpedBand | None
    masked: list[int]

    def within(self, window: Window) -> Window | None:
        """The part of a window of the scene that the product covers, counted in the window."""
        rows, columns = self.placement.grid.shape
        top, left = self.placement.top - window.row_off, self.placement.left - window.col_off
        low = max(0, top), max(0, left)
        high = min(window.height, top + rows), min(window.width, left + columns)
        if low[0] >= high[0] or low[1] >= high[1]:
            return None
        return Window(low[1], low[0], high[1] - low[1], high[0] - low[0])

    def read(self, window: Window) -> np.ndarray:
        """Stored values of a window of the scene: (bands, rows, columns) uint16."""
        top, left = window.row_off - self.placement.top, window.col_off - self.placement.left
        own = Window(left, top, window.width, window.height)
        numbers = [band.read(own) for band in self.bands]
        valid = np.logical_and.reduce([n != MISSING for n in numbers])
        if self.classes is not None:
            valid &= ~np.isin(self._read_classes(own), self.masked)
        stored = np.stack([table[n] for table, n in zip(self.tables, numbers, strict=True)])
        stored *= valid
        return stored

    def _read_classes(self, window: Window) -> np.ndarray:
        classes = self.classes.read(window)
        if (highest := classes.max(initial=0)) > MAX_CLASS:
            raise WildLensError(
                f"{self.product.scl.path}: holds {highest}, but the classes of a scene"
                f" classification (SCL) are 0 to {MAX_CLASS}"
            )
        return classes

    def files(self) -> list[Path]:
        """All files on disk that the layer is read from, including sidecar masks."""
        images = [self.product.bands[name].path for name in self.scaling.offset]
        if self.classes is not None:
            images.append(self.product.scl.path)
        found = [on_disk(path) for path in (*self.product.metadata, *images)]
        return [*found, *(mask for path in found for mask in appended(path, [MASK]))]


def open_layer(
    product: Product, placement: Placement, settings: Scene, offset: int | None, stack: ExitStack
) -> Layer:
    """Open the requested bands and the scene classification of a product.

    Args:
        offset: DN to add, for products without metadata of the offset.
        stack: closes the files.
    """
    grid = placement.grid
    files = {name: product.bands[name] for name in settings.bands}
    bands = stack.enter_context(open_on_grid(files, grid, settings.resampling))
    for file, reader in zip(files.values(), bands.values(), strict=True):
        _check_band(file.path, raster.grid_of(reader.band.dataset), product)
    scaling = decide_scaling(product, settings.bands, offset, conflict=settings.offset_conflict)
    shifts = {name: bands[name].band.shift for name in settings.bands}
    tables = [
        stored_values(scaling.offset[name] - shifts[name], scaling.quantification[name])
        for name in settings.bands
    ]
    classes = None
    if settings.mask_classes and product.scl is None:
        log.warning("%s: has no scene classification (SCL): clouds are not masked", product.path)
    elif settings.mask_classes:
        classes = stack.enter_context(open_on_grid({SCL: product.scl}, grid, "nearest"))[SCL]
        _check_grid(product.scl.path, raster.grid_of(classes.band.dataset), product)
    readers = [bands[name] for name in settings.bands]
    return Layer(product, placement, scaling, readers, tables, classes, settings.mask_classes)


def _check_band(path: File, own: GeoBox, product: Product) -> None:
    """Refuse a band that contradicts its product's grid; warn of one that is not aligned to it."""
    grid = product.grid
    if own.crs != grid.crs:
        raise WildLensError(
            f"{path}: its CRS is {crs_name(own.crs)}, that of the product {crs_name(grid.crs)}"
        )
    # clips leave all bands of the finest resolution alike
    if factor_of(own, grid) == 1 and not is_aligned(own, grid):
        raise WildLensError(
            f"{path}: its grid ({_text(own)}) is not that of the product ({_text(grid)})"
        )
    _check_grid(path, own, product)


def _text(grid: GeoBox) -> str:
    size = f"{grid.shape.x} x {grid.shape.y} px of {grid.affine.a:g} m"
    return f"{size} at {grid.affine.c:.10g}, {grid.affine.f:.10g}"


def _check_grid(path: File, own: GeoBox, product: Product) -> None:
    """Refuse a file that does not touch its product; warn of one that is not aligned to it."""
    if is_aligned(own, product.grid):
        return
    (left, right), (top, bottom) = covered(own, product.grid)
    rows, columns = product.grid.shape
    if min(right, columns) <= max(left, 0) or min(bottom, rows) <= max(top, 0):
        raise WildLensError(f"{path}: does not touch {product.path}")
    log.warning(
        "%s: is not on the grid of %s: it is reprojected, and pixels beyond it are missing",
        path, product.path,
    )  # fmt: skip
