"""From a Sentinel-2 product to a scene: reflectance x 10000 on the product's own 10 m grid."""

import logging
import math
import os
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import odc.geo.geom
import rasterio
from rasterio.windows import Window

from wildlens import raster
from wildlens.errors import WildLensError
from wildlens.files import on_disk
from wildlens.progress import track
from wildlens.provenance import record
from wildlens.settings import Scene
from wildlens.sources import Product, open_product
from wildlens.sources.bands import BandOnGrid, open_bands
from wildlens.sources.offset import Offset, decide_offset
from wildlens.sources.product import SCL
from wildlens.stored import SCALE

log = logging.getLogger(__name__)

RESOLUTION = 10.0  # m
NODATA = 0
SATURATED = np.iinfo(np.uint16).max  # in products as in scenes
Box = tuple[float, float, float, float]  # west, south, east, north in degrees
STEP = 6  # px: corners of clips lie on all of a product's grids, of 60 m, too
# bytes; GDAL's own default is a share of the machine's memory, which jobs may not have
CACHE = 512 * 2**20


def build_scene(
    product: Path,
    output: Path,
    settings: Scene,
    *,
    offset: int | None = None,
    clip: Box | None = None,
) -> None:
    """Bring one product into the form of a scene.

    The scene is a tiled GeoTIFF on the product's 10 m grid, one uint16 band for each of
    `settings.bands`, named in its description: reflectance x 10000, rounded; 0 = no data; what
    would be 0 or less is 1, what would exceed 65534 is that; 65535 = saturated. A pixel is no data
    in all bands if its DN is 0 in any of them, since it could not be classified, or if its scene
    class (SCL) is one of `settings.mask_classes`. Tags tell where it comes from and which offset
    was applied.

    Args:
        product: SAFE folder or zip, STAC item, ...; see `wildlens.sources.open_product`.
        output: the GeoTIFF to write.
        settings: bands, resampling of the coarser ones, and masked classes.
        offset: DN to add to every valid pixel, where the product has no metadata to say so.
        clip: the scene is cut to what covers this box (degrees), in steps of 60 m.

    Raises:
        WildLensError: the product cannot be read, lacks a wanted band, is not on a 10 m grid, does
            not touch `clip`, or its offset is in doubt.
    """
    source = open_product(product)
    _check_grid(source)
    part = _part(source, clip)
    _check_bands(source, settings.bands)
    threads = os.environ.get("GDAL_NUM_THREADS", "ALL_CPUS")
    with rasterio.Env(GDAL_NUM_THREADS=threads, GDAL_CACHEMAX=CACHE), ExitStack() as stack:
        files = {name: source.bands[name] for name in settings.bands}
        bands = stack.enter_context(open_bands(files, source.grid, settings.resampling))
        classes = _open_classes(source, settings, stack)
        applied = decide_offset(source, settings.bands, offset, doubt=settings.offset_doubt)
        target = stack.enter_context(
            raster.writing_geotiff(
                output,
                source.grid[part],
                count=len(settings.bands),
                dtype="uint16",
                nodata=NODATA,
                tags=_tags(source, settings, applied),
                descriptions=settings.bands,
            )
        )
        readers = [bands[name] for name in settings.bands]
        tables = [
            stored_values(applied.of_band[name], source.quantification) for name in settings.bands
        ]
        valid, saturated = _convert(
            source, part, readers, tables, classes, settings.mask_classes, target
        )
    _report(source, output, applied, valid, saturated)


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


def _convert(
    source: Product,
    part: tuple[slice, slice],
    readers: list[BandOnGrid],
    tables: list[np.ndarray],
    classes: BandOnGrid | None,
    masked: list[int],
    target: rasterio.io.DatasetWriter,
) -> tuple[int, int]:
    """Read, convert and write all windows of a part; the number of valid and saturated pixels."""
    valid_pixels = saturated_pixels = 0
    top, left = (axis.start for axis in part)
    windows = list(raster.row_windows(source.grid[part]))
    for window in track(windows, f"scene {source.name}", unit="windows"):
        own = Window(left, top + window.row_off, window.width, window.height)
        numbers = [reader.read(own) for reader in readers]
        valid = np.logical_and.reduce([n != 0 for n in numbers])
        if classes is not None:
            valid &= ~np.isin(classes.read(own), masked)
        saturated = np.logical_or.reduce([n == SATURATED for n in numbers]) & valid
        stored = np.stack([table[n] for table, n in zip(tables, numbers, strict=True)])
        stored *= valid
        target.write(stored, window=window)
        valid_pixels += int(np.count_nonzero(valid))
        saturated_pixels += int(np.count_nonzero(saturated))
    return valid_pixels, saturated_pixels


def _part(source: Product, clip: Box | None) -> tuple[slice, slice]:
    """Rows and columns of the product's grid that cover a box, in whole steps of 60 m."""
    shape = source.grid.shape
    if clip is None:
        return slice(0, shape[0]), slice(0, shape[1])
    west, south, east, north = clip
    if west >= east or south >= north:
        raise WildLensError(f"clip: {clip} is no box: give west, south, east, north in degrees")
    # points along its edges, since they are bent on the grid
    box = odc.geo.geom.box(west, south, east, north, "EPSG:4326").to_crs(source.grid.crs, 0.01)
    left, bottom, right, top = box.boundingbox
    corners = source.grid.wld2pix(left, top), source.grid.wld2pix(right, bottom)
    parts = []
    for start, stop, length in zip(*corners, (shape[1], shape[0]), strict=True):
        low, high = math.floor(start / STEP) * STEP, math.ceil(stop / STEP) * STEP
        parts.append(slice(max(0, low), min(length, high)))
    columns, rows = parts
    if rows.start >= rows.stop or columns.start >= columns.stop:
        raise WildLensError(f"{source.path}: does not touch the box of clip {clip} (degrees)")
    return rows, columns


def _open_classes(source: Product, settings: Scene, stack: ExitStack) -> BandOnGrid | None:
    if not settings.mask_classes:
        return None
    if source.scl is None:
        log.warning("%s: has no scene classification (SCL): clouds are not masked", source.path)
        return None
    return stack.enter_context(open_bands({SCL: source.scl}, source.grid, "nearest"))[SCL]


def _check_grid(source: Product) -> None:
    grid = source.grid
    if grid.crs.geographic:
        raise WildLensError(
            f"{source.path}: its pixels are in degrees; WildLens takes products on their own UTM "
            "grid and does not reproject them: get the product in UTM"
        )
    a, b, _, d, e, _ = grid.affine[:6]
    if not np.allclose((a, b, d, e), (RESOLUTION, 0, 0, -RESOLUTION), atol=1e-6):
        raise WildLensError(
            f"{source.path}: its finest pixels are {a:g} x {-e:g} m, expected 10 x 10 m, north up"
        )


def _check_bands(source: Product, wanted: list[str]) -> None:
    absent = [name for name in wanted if name not in source.bands]
    if absent:
        raise WildLensError(
            f"{source.path}: has no {', '.join(absent)}; it has {', '.join(source.bands)}"
        )


def _tags(source: Product, settings: Scene, applied: Offset) -> dict[str, str]:
    inputs = [*source.metadata, *(source.bands[name].path for name in settings.bands)]
    if settings.mask_classes and source.scl is not None:
        inputs.append(source.scl.path)
    description = {f"product_{key}": text for key, text in source.description.items()}
    return (
        record("scene", settings, dict.fromkeys(map(on_disk, inputs)))
        | {"product_name": source.name}
        | description
        | raster.tags_json(offset_applied=applied.of_band, offset_origin=applied.origin)
    )


def _report(source: Product, output: Path, applied: Offset, valid: int, saturated: int) -> None:
    rows, columns = raster.read_grid(output).shape
    share = valid / (rows * columns)
    if not valid:
        log.warning("%s: has no valid pixel: all is masked or without data", source.path)
    values = ", ".join(map(str, sorted(set(applied.of_band.values()))))
    log.info(
        "%s: %d x %d px, bands %s, offset %s (%s), %.1f %% valid%s",
        output, columns, rows, " ".join(applied.of_band), values, applied.origin, 100 * share,
        f", {saturated} px saturated" if saturated else "",
    )  # fmt: skip
