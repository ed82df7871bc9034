"""From Sentinel-2 products to a scene: reflectance x 10000 on one 10 m grid."""

import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling
from rasterio.windows import Window

from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.files.reflectance import MISSING, SATURATED, SCALE, UNIT
from wildlens.progress import track
from wildlens.provenance import record
from wildlens.scene.grid import Box, placement_in, scene_grid
from wildlens.scene.layer import Layer, open_layer
from wildlens.scene.mosaic import check_distinct, clearest_first
from wildlens.scene.products import Product, open_product, open_scl
from wildlens.settings import Scene

log = logging.getLogger(__name__)

# bytes; GDAL's own default is a share of the machine's memory, which a job may not have
CACHE = 512 * 2**20


def build_scene(
    products: Path | Sequence[Path],
    output: Path,
    settings: Scene,
    *,
    offset: int | Sequence[int] | None = None,
    clip: Box | None = None,
    scl: Path | Sequence[Path] | None = None,
) -> None:
    """Convert one product, or several of one date, into a scene.

    The scene is a tiled GeoTIFF on a 10 m grid, one uint16 band for each of `settings.bands`, named
    in its description: reflectance x 10000, rounded; 0 = no data; 0 and less is stored as 1, more
    than 65534 as 65534; 65535 = saturated. A pixel of a product is no data in all bands if it is
    missing in any of them, since it could not be classified, or if its scene class (SCL) is one of
    `settings.mask_classes`. Tags state its inputs and the scaling that was applied.

    The grid is the product's own, extended to contain several products, or one in `settings.crs`;
    products that are not on it are reprojected (`settings.resampling`; scene classes, no data and
    saturation by nearest neighbour). Where products overlap, all bands of a pixel are taken from
    the clearest product that is valid there (`mosaic.clearest_first`).

    Args:
        products: SAFE folders or zips, STAC items, ...; see `wildlens.scene.products.open_product`.
        output: the GeoTIFF to write.
        settings: bands, resampling of the coarser ones, masked classes, and CRS.
        offset: DN to add to every valid pixel, for products without metadata of the offset; one for
            all, or one for each product.
        clip: the scene is cut to this box (degrees), extended to steps of 60 m.
        scl: raster of the scene classification, for products without one; one for each product.

    Raises:
        WildLensError: a product cannot be read, lacks a requested band, is not on a 10 m grid or
            not on that of the others, does not touch `clip`, or its offset is unclear.
    """
    paths = [products] if isinstance(products, str | Path) else list(products)
    scl = [scl] if isinstance(scl, str | Path) else scl
    with raster.gdal(CACHE), ExitStack() as stack:
        layers, grid = open_scene(paths, settings, offset, clip, scl, stack)
        target = stack.enter_context(
            raster.writing_geotiff(
                output,
                grid,
                count=len(settings.bands),
                dtype="uint16",
                nodata=MISSING,
                tags=_tags(layers, settings),
                descriptions=settings.bands,
                unit=UNIT,
                scale=1 / SCALE,
                overviews=Resampling.average,
            )
        )
        valid, saturated = _convert(layers, grid, target)
    _report(layers, output, grid, valid, saturated)


def open_scene(
    paths: Sequence[Path],
    settings: Scene,
    offset: int | Sequence[int] | None,
    clip: Box | None,
    scl: Sequence[Path] | None,
    stack: ExitStack,
) -> tuple[list[Layer], GeoBox]:
    """Open products and decide grid and scaling: all that can be refused before conversion.

    Args: see `build_scene`; stack: closes the files.

    Returns:
        Layers, the clearest first, and the grid of the scene.
    """
    offsets = [offset] * len(paths) if offset is None or isinstance(offset, int) else [*offset]
    if len(offsets) != len(paths):
        raise WildLensError(
            f"{len(offsets)} offsets for {len(paths)} products: give one for all, or one for each"
        )
    opened = _open_products(paths, scl)
    check_distinct(opened)
    grid = scene_grid(opened, settings.crs, clip)
    for product in opened:
        _check_bands(product, settings.bands)
    given = {id(product): value for product, value in zip(opened, offsets, strict=True)}
    layers = []
    for product in clearest_first(opened, settings.mask_classes):
        if placement := placement_in(grid, product):
            layers.append(open_layer(product, placement, settings, given[id(product)], stack))
        else:
            log.warning("%s: does not touch the clip, and is not used", product.path)
    return layers, grid


def _open_products(paths: Sequence[Path], scl: Sequence[Path] | None) -> list[Product]:
    """The products, each with the scene classification that is given for it."""
    opened = [open_product(path) for path in paths]
    if not scl:
        return opened
    if len(scl) != len(opened):
        raise WildLensError(
            f"{len(scl)} scene classifications (SCL) for {len(opened)} products: give one for each"
        )
    for product in opened:
        if product.scl is not None:
            raise WildLensError(
                f"{product.path}: has its own scene classification: leave out `scl`"
            )
    pairs = zip(opened, scl, strict=True)
    return [replace(product, scl=open_scl(Path(path))) for product, path in pairs]


def _convert(
    layers: Sequence[Layer], grid: GeoBox, target: rasterio.io.DatasetWriter
) -> tuple[int, int]:
    """Read, convert and write all windows of a scene; the number of valid and saturated pixels."""
    valid = saturated = 0
    windows = list(raster.row_windows(grid))
    for window in track(windows, f"scene {layers[0].product.name}", unit="windows"):
        stored = _merged(layers, window, target.count)
        target.write(stored, window=window)
        valid += int(np.count_nonzero(stored[0]))
        saturated += int(np.count_nonzero((stored == SATURATED).any(axis=0)))
    return valid, saturated


def _merged(layers: Sequence[Layer], window: Window, bands: int) -> np.ndarray:
    """A window of the scene: each pixel from the first layer that is valid there."""
    stored = np.full((bands, window.height, window.width), MISSING, dtype=np.uint16)
    for layer in layers:
        if part := layer.within(window):
            rows, columns = part.toslices()
            empty = stored[0, rows, columns] == MISSING
            if empty.any():
                shifted = (part.col_off + window.col_off, part.row_off + window.row_off)
                values = layer.read(Window(*shifted, part.width, part.height))
                np.copyto(stored[:, rows, columns], values, where=empty)
    return stored


def _check_bands(product: Product, requested: list[str]) -> None:
    absent = [name for name in requested if name not in product.bands]
    if absent:
        raise WildLensError(
            f"{product.path}: has no {', '.join(absent)}; it has {', '.join(product.bands)}"
        )


def _tags(layers: Sequence[Layer], settings: Scene) -> dict[str, str]:
    """Origin of a scene; of several products, texts that differ stand side by side."""
    inputs = dict.fromkeys(path for layer in layers for path in layer.files())
    keys = dict.fromkeys(key for layer in layers for key in layer.product.description)
    description = {
        f"product_{key}": _joined(layer.product.description.get(key, "") for layer in layers)
        for key in keys
    }
    return (
        record("scene", settings, inputs)
        | {"product_name": _joined(layer.product.name for layer in layers)}
        | description
        | raster.tags_json(
            offset_applied=_one_or_all([layer.scaling.offset for layer in layers]),
            quantification=_one_or_all([layer.scaling.quantification for layer in layers]),
            offset_origin=_joined(layer.scaling.origin for layer in layers),
        )
    )


def _one_or_all(values: list):
    return values[0] if len(values) == 1 else values


def _joined(texts: Iterable[str]) -> str:
    return " + ".join(dict.fromkeys(text for text in texts if text))


def _report(
    layers: Sequence[Layer], output: Path, grid: GeoBox, valid: int, saturated: int
) -> None:
    rows, columns = grid.shape
    name = ", ".join(str(layer.product.path) for layer in layers)
    if not valid:
        log.warning("%s: has no valid pixel: all is masked or without data", name)
    offsets = {value for layer in layers for value in layer.scaling.offset.values()}
    warped = sum(layer.placement.warped for layer in layers)
    log.info(
        "%s: %d x %d px, bands %s, offset %s (%s), %.1f %% valid, %d px saturated%s%s",
        output, columns, rows, " ".join(layers[0].scaling.offset),
        ", ".join(f"{value:g}" for value in sorted(offsets)),
        _joined(layer.scaling.origin for layer in layers), 100 * valid / (rows * columns),
        saturated,
        f", of {len(layers)} products" if len(layers) > 1 else "",
        f", {warped} of them reprojected" if warped else "",
    )  # fmt: skip
