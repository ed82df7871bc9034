"""From Sentinel-2 products to a scene: reflectance x 10000 on one 10 m grid."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.files.archives import on_disk
from wildlens.files.reflectance import SCALE
from wildlens.progress import track
from wildlens.provenance import record
from wildlens.scene.mosaic import Box, Place, clearest_first, place_in, scene_grid
from wildlens.scene.offset import Offset, decide_offset
from wildlens.scene.products import BandFile, Product, open_product
from wildlens.scene.products.product import SCL
from wildlens.scene.reprojection import WarpedBand, open_warped
from wildlens.scene.resampling import BandOnGrid, open_bands
from wildlens.settings import Scene

log = logging.getLogger(__name__)

NODATA = 0
SATURATED = np.iinfo(np.uint16).max  # in products as in scenes
# bytes; GDAL's own default is a share of the machine's memory, which jobs may not have
CACHE = 512 * 2**20


def build_scene(
    products: Path | Sequence[Path],
    output: Path,
    settings: Scene,
    *,
    offset: int | Sequence[int] | None = None,
    clip: Box | None = None,
) -> None:
    """Bring one product, or several of one date, into the form of a scene.

    The scene is a tiled GeoTIFF on a 10 m grid, one uint16 band for each of `settings.bands`, named
    in its description: reflectance x 10000, rounded; 0 = no data; what would be 0 or less is 1,
    what would exceed 65534 is that; 65535 = saturated. A pixel of a product is no data in all bands
    if its DN is 0 in any of them, since it could not be classified, or if its scene class (SCL) is
    one of `settings.mask_classes`. Tags tell where it comes from and which offset was applied.

    The grid is the product's own, extended to hold all of several; `settings.crs` asks for another,
    and what is not on it is reprojected (`settings.resampling`; scene classes, no data and
    saturation by nearest neighbour). Where products overlap, the clearest that is valid there gives
    all bands of the pixel (`mosaic.clearest_first`).

    Args:
        products: SAFE folders or zips, STAC items, ...; see `wildlens.scene.products.open_product`.
        output: the GeoTIFF to write.
        settings: bands, resampling of the coarser ones, masked classes, and CRS.
        offset: DN to add to every valid pixel, of products without metadata to say so; one for all,
            or one for each product.
        clip: the scene is cut to what covers this box (degrees), in steps of 60 m.

    Raises:
        WildLensError: a product cannot be read, lacks a wanted band, is not on a 10 m grid or not
            on that of the others, does not touch `clip`, or its offset is in doubt.
    """
    paths = [products] if isinstance(products, str | Path) else list(products)
    given = [offset] * len(paths) if offset is None or isinstance(offset, int) else [*offset]
    if len(given) != len(paths):
        raise WildLensError(
            f"{len(given)} offsets for {len(paths)} products: give one for all, or one for each"
        )
    sources = [open_product(path) for path in paths]
    grid = scene_grid(sources, settings.crs, clip)
    for source in sources:
        _check_bands(source, settings.bands)
    offsets = {id(source): value for source, value in zip(sources, given, strict=True)}
    with raster.gdal(CACHE), ExitStack() as stack:
        layers = []
        for source in clearest_first(sources, settings.mask_classes):
            if place := place_in(grid, source):
                layer = _open_layer(source, place, settings, offsets[id(source)], stack)
                layers.append(layer)
            else:
                log.warning("%s: does not touch the clip, and is not used", source.path)
        target = stack.enter_context(
            raster.writing_geotiff(
                output,
                grid,
                count=len(settings.bands),
                dtype="uint16",
                nodata=NODATA,
                tags=_tags(layers, settings),
                descriptions=settings.bands,
            )
        )
        valid, saturated = _convert(layers, grid, target)
    _report(layers, output, grid, valid, saturated)


def stored_values(offset: int, quantification: float) -> np.ndarray:
    """What a scene stores for each digital number: (65536,) uint16, 0 for DN 0.

    Reflectance = (DN + offset) / quantification; stored is reflectance x 10000, rounded, 1..65534;
    saturated (DN 65535) stays 65535.
    """
    numbers = np.arange(SATURATED + 1, dtype=np.float64)
    stored = np.rint((numbers + offset) * SCALE / quantification)
    table = np.clip(stored, 1, SATURATED - 1).astype(np.uint16)
    table[0], table[SATURATED] = NODATA, SATURATED
    return table


@dataclass(frozen=True)
class _Layer:
    """A product that is open to be read on the scene's pixels.

    Attributes:
        bands: readers of the wanted bands, in their order.
        tables: what each of them stores for a digital number; see `stored_values`.
        classes: reader of the scene classification; None, where nothing is masked by it.
        masked: the classes that become no data.
    """

    source: Product
    place: Place
    applied: Offset
    bands: list[BandOnGrid | WarpedBand]
    tables: list[np.ndarray]
    classes: BandOnGrid | WarpedBand | None
    masked: list[int]

    def within(self, window: Window) -> Window | None:
        """The part of a window of the scene that the product covers, counted in the window."""
        rows, columns = self.place.grid.shape
        top, left = self.place.top - window.row_off, self.place.left - window.col_off
        low = max(0, top), max(0, left)
        high = min(window.height, top + rows), min(window.width, left + columns)
        if low[0] >= high[0] or low[1] >= high[1]:
            return None
        return Window(low[1], low[0], high[1] - low[1], high[0] - low[0])

    def read(self, window: Window) -> np.ndarray:
        """Stored values of a window of the scene: (bands, rows, columns) uint16."""
        top, left = window.row_off - self.place.top, window.col_off - self.place.left
        own = Window(left, top, window.width, window.height)
        numbers = [band.read(own) for band in self.bands]
        valid = np.logical_and.reduce([n != 0 for n in numbers])
        if self.classes is not None:
            valid &= ~np.isin(self.classes.read(own), self.masked)
        stored = np.stack([table[n] for table, n in zip(self.tables, numbers, strict=True)])
        stored *= valid
        return stored


def _open_layer(
    source: Product, place: Place, settings: Scene, offset: int | None, stack: ExitStack
) -> _Layer:
    def opened(files: dict[str, BandFile], resampling: str) -> dict:
        opening = open_warped if place.warped else open_bands
        return stack.enter_context(opening(files, place.grid, resampling))

    bands = opened({name: source.bands[name] for name in settings.bands}, settings.resampling)
    classes = None
    if settings.mask_classes and source.scl is None:
        log.warning("%s: has no scene classification (SCL): clouds are not masked", source.path)
    elif settings.mask_classes:
        classes = opened({SCL: source.scl}, "nearest")[SCL]
    applied = decide_offset(source, settings.bands, offset, doubt=settings.offset_doubt)
    tables = [stored_values(applied.of_band[b], source.quantification) for b in settings.bands]
    readers = [bands[name] for name in settings.bands]
    return _Layer(source, place, applied, readers, tables, classes, settings.mask_classes)


def _convert(
    layers: Sequence[_Layer], grid: GeoBox, target: rasterio.io.DatasetWriter
) -> tuple[int, int]:
    """Read, convert and write all windows of a scene; the number of valid and saturated pixels."""
    valid = saturated = 0
    windows = list(raster.row_windows(grid))
    for window in track(windows, f"scene {layers[0].source.name}", unit="windows"):
        stored = _merged(layers, window, target.count)
        target.write(stored, window=window)
        valid += int(np.count_nonzero(stored[0]))
        saturated += int(np.count_nonzero((stored == SATURATED).any(axis=0)))
    return valid, saturated


def _merged(layers: Sequence[_Layer], window: Window, bands: int) -> np.ndarray:
    """A window of the scene: each pixel from the first layer that is valid there."""
    stored = np.full((bands, window.height, window.width), NODATA, dtype=np.uint16)
    for layer in layers:
        if part := layer.within(window):
            rows, columns = part.toslices()
            empty = stored[0, rows, columns] == NODATA
            if empty.any():
                shifted = (part.col_off + window.col_off, part.row_off + window.row_off)
                values = layer.read(Window(*shifted, part.width, part.height))
                np.copyto(stored[:, rows, columns], values, where=empty)
    return stored


def _check_bands(source: Product, wanted: list[str]) -> None:
    absent = [name for name in wanted if name not in source.bands]
    if absent:
        raise WildLensError(
            f"{source.path}: has no {', '.join(absent)}; it has {', '.join(source.bands)}"
        )


def _tags(layers: Sequence[_Layer], settings: Scene) -> dict[str, str]:
    """Where a scene comes from; of several products, texts that differ stand side by side."""
    inputs: dict[Path, None] = {}
    for layer in layers:
        inputs |= dict.fromkeys(map(on_disk, _files(layer, settings)))
    keys = dict.fromkeys(key for layer in layers for key in layer.source.description)
    description = {
        f"product_{key}": _joined(layer.source.description.get(key, "") for layer in layers)
        for key in keys
    }
    applied = [layer.applied.of_band for layer in layers]
    return (
        record("scene", settings, inputs)
        | {"product_name": _joined(layer.source.name for layer in layers)}
        | description
        | raster.tags_json(
            offset_applied=applied[0] if len(applied) == 1 else applied,
            offset_origin=_joined(layer.applied.origin for layer in layers),
        )
    )


def _files(layer: _Layer, settings: Scene) -> Iterator:
    """All files that a layer is made of."""
    yield from layer.source.metadata
    yield from (layer.source.bands[name].path for name in settings.bands)
    if settings.mask_classes and layer.source.scl is not None:
        yield layer.source.scl.path


def _joined(texts) -> str:
    return " + ".join(dict.fromkeys(text for text in texts if text))


def _report(
    layers: Sequence[_Layer], output: Path, grid: GeoBox, valid: int, saturated: int
) -> None:
    rows, columns = grid.shape
    name = ", ".join(str(layer.source.path) for layer in layers)
    if not valid:
        log.warning("%s: has no valid pixel: all is masked or without data", name)
    values = ", ".join(
        str(v) for v in sorted({v for layer in layers for v in layer.applied.of_band.values()})
    )
    warped = sum(layer.place.warped for layer in layers)
    log.info(
        "%s: %d x %d px, bands %s, offset %s (%s), %.1f %% valid%s%s%s",
        output, columns, rows, " ".join(layers[0].applied.of_band), values,
        _joined(layer.applied.origin for layer in layers), 100 * valid / (rows * columns),
        f", {saturated} px saturated" if saturated else "",
        f", of {len(layers)} products" if len(layers) > 1 else "",
        f", {warped} of them reprojected" if warped else "",
    )  # fmt: skip
