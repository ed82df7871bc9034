"""Raster files: grids, and reading and writing of GeoTIFFs window by window."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import odc.geo.geom
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.enums import ColorInterp, Resampling
from rasterio.windows import Window

from wildlens.errors import WildLensError, one_line
from wildlens.files.archives import File, gdal_name
from wildlens.files.atomic import atomic
from wildlens.files.bands import describe_bands
from wildlens.files.vector import gdal_source

BLOCK = 512  # side of the blocks of our GeoTIFFs, px
DATASET_MASK = 0  # instead of a band: the mask of the whole file

# GDAL goes by a file's content: a VRT under the name of an image could read any other file or URL
_DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".jp2": "JP2OpenJPEG"}


def gdal(cache: int) -> rasterio.Env:
    """GDAL environment: the threads of the job (GDAL_NUM_THREADS), and a cache of `cache` bytes."""
    threads = os.environ.get("GDAL_NUM_THREADS", "ALL_CPUS")
    return rasterio.Env(GDAL_NUM_THREADS=threads, GDAL_CACHEMAX=cache)


@contextmanager
def open_raster(path: File | str) -> Iterator[rasterio.DatasetReader]:
    """Open a raster for reading; an error names the file.

    The format of `.tif` and `.jp2` files must be that of their suffix.
    """
    suffix = Path(path).suffix if isinstance(path, str) else path.suffix
    try:
        name = gdal_source(path) if isinstance(path, Path) else gdal_name(path)
        dataset = rasterio.open(name, driver=_DRIVERS.get(suffix.lower()))
    except rasterio.errors.RasterioIOError as error:
        raise WildLensError(f"{path}: cannot be opened as a raster: {one_line(error)}") from None
    with dataset:
        yield dataset


def read(
    dataset: rasterio.DatasetReader, bands: int | Sequence[int] | None = None, **options
) -> np.ndarray:
    """`dataset.read` whose errors (a truncated file, for example) name the file."""
    try:
        return dataset.read(bands, **options)
    except rasterio.errors.RasterioIOError as error:
        raise WildLensError(f"{dataset.name}: cannot be read: {one_line(error)}") from None


def read_mask(dataset: rasterio.DatasetReader, band: int, **options) -> np.ndarray:
    """The file's own mask (band 0) or an alpha band; 0 where pixels are missing."""
    if band != DATASET_MASK:
        return read(dataset, band, **options)
    try:
        return dataset.read_masks(1, **options)
    except rasterio.errors.RasterioIOError as error:
        raise WildLensError(f"{dataset.name}: its mask cannot be read: {one_line(error)}") from None


def is_alpha(dataset: rasterio.DatasetReader, band: int) -> bool:
    """Whether a band is tagged as alpha, so that it masks the others where it is 0."""
    return dataset.colorinterp[band - 1] == ColorInterp.alpha


def grid_of(dataset: rasterio.DatasetReader) -> GeoBox:
    """Grid (CRS, affine transform and shape) of an open raster."""
    if dataset.crs is None:
        raise WildLensError(f"{dataset.name}: has no coordinate reference system")
    return GeoBox((dataset.height, dataset.width), dataset.transform, dataset.crs.to_wkt())


def stated_grid(path: File, shape: tuple[int, int], affine: Affine, crs: str) -> GeoBox:
    """The grid that a product's metadata state; an impossible one is an error."""
    if not all(0 < side < 10**6 for side in shape) or not affine.determinant:
        raise WildLensError(f"{path}: states a grid without pixels: {shape}, {affine[:6]}")
    try:
        return GeoBox(shape, affine, crs)
    except (ValueError, RuntimeError):  # the latter is pyproj's
        raise WildLensError(f"{path}: states an unknown reference system: {crs}") from None


def read_grid(path: Path | str) -> GeoBox:
    """The grid of a raster file."""
    with open_raster(path) as dataset:
        return grid_of(dataset)


def whole_steps(grid: GeoBox, box, step: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Columns and rows (from, to) that cover a box in the grid's CRS, in whole steps of pixels.

    Counted from the grid's corner; they may be outside the grid.
    """
    corners = grid.wld2pix(box.left, box.top), grid.wld2pix(box.right, box.bottom)
    columns, rows = (
        (math.floor(low / step) * step, math.ceil(high / step) * step)
        for low, high in zip(*corners, strict=True)
    )
    return columns, rows


def part_that_covers(
    grid: GeoBox, box: tuple[float, float, float, float], step: int
) -> tuple[slice, slice] | None:
    """Rows and columns of a grid that cover a box, in whole steps; None if it does not.

    Args:
        box: west, south, east, north in degrees.
    """
    # points along its edges, since they are curved on the grid
    curved = odc.geo.geom.box(*box, "EPSG:4326").to_crs(grid.crs, 0.01)
    columns, rows = (
        slice(max(0, low), min(length, high))
        for (low, high), length in zip(
            whole_steps(grid, curved.boundingbox, step), reversed(grid.shape), strict=True
        )
    )
    apart = rows.start >= rows.stop or columns.start >= columns.stop
    return None if apart else (rows, columns)


def pixels_across(own: GeoBox, grid: GeoBox) -> float:
    """Size of the middle pixel of `own` in pixels of `grid`, along the wider axis."""
    row, column = (side // 2 for side in own.shape)
    corners = np.array([column, column + 1, column]), np.array([row, row, row + 1])
    crs = (own.crs.to_wkt(), grid.crs.to_wkt())
    x, y = Transformer.from_crs(*crs, always_xy=True).transform(*own.pix2wld(*corners))
    return max(float(np.abs(axis[1:] - axis[0]).max()) for axis in grid.wld2pix(x, y))


def row_windows(grid: GeoBox, rows: int = BLOCK) -> Iterator[Window]:
    """Full-width windows of `rows` rows that cover a grid from top to bottom."""
    height, width = grid.shape
    for top in range(0, height, rows):
        yield Window(0, top, width, min(rows, height - top))


def profile(grid: GeoBox, *, count: int, dtype: str, nodata: float) -> dict:
    """rasterio's profile of a tiled, compressed GeoTIFF on a grid."""
    height, width = grid.shape
    floating = np.issubdtype(np.dtype(dtype), np.floating)
    return {
        "driver": "GTiff",
        "crs": rasterio.crs.CRS.from_wkt(grid.crs.to_wkt()),
        "transform": grid.affine,
        "height": height,
        "width": width,
        "count": count,
        "dtype": dtype,
        "nodata": nodata,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "DEFLATE",
        "predictor": 3 if floating else 2,
        "BIGTIFF": "IF_SAFER",
    }


@contextmanager
def writing_geotiff(
    path: Path,
    grid: GeoBox,
    *,
    count: int,
    dtype: str,
    nodata: float,
    tags: Mapping[str, str],
    descriptions: Sequence[str] = (),
    unit: str = "",
    scale: float = 1.0,
    overviews: Resampling | None = None,
) -> Iterator[rasterio.io.DatasetWriter]:
    """A new GeoTIFF to write windows to; it appears under `path` only when it is complete.

    Args:
        descriptions, unit, scale: of its bands; see `describe_bands`.
        overviews: how pixels are combined in its overviews, which programs draw when they zoom out;
            None: without overviews.
    """
    options = profile(grid, count=count, dtype=dtype, nodata=nodata)
    with atomic(path) as temporary:
        with rasterio.open(temporary, "w", **options) as dataset:
            dataset.update_tags(**tags)
            describe_bands(dataset, descriptions, unit, scale)
            yield dataset
        if overviews is not None and max(grid.shape) > BLOCK:
            _add_overviews(temporary, overviews)
        check_complete(temporary)


def _add_overviews(path: Path, resampling: Resampling) -> None:
    """Add overviews inside a GeoTIFF, each of half the size, until one fits into a block."""
    with rasterio.open(path, "r+") as dataset:
        predictor = dataset.tags(ns="IMAGE_STRUCTURE").get("PREDICTOR", "1")
        factors, side = [2], max(dataset.shape)
        while side / factors[-1] > BLOCK:
            factors.append(2 * factors[-1])
        with rasterio.Env(PREDICTOR_OVERVIEW=predictor, GDAL_TIFF_OVR_BLOCKSIZE=BLOCK):
            dataset.build_overviews(factors, resampling)


def check_complete(path: Path) -> None:
    """Raise OSError unless all blocks of a GeoTIFF and of its overviews can be read back.

    GDAL writes the last blocks and the directory when a file is closed, and rasterio does not
    report that this failed: on a full disk a truncated file would look finished.
    """
    try:
        with rasterio.open(path) as dataset:
            levels = range(len(dataset.overviews(1)))
            _check_blocks(dataset)
        for level in levels:
            with rasterio.open(path, OVERVIEW_LEVEL=level) as dataset:
                _check_blocks(dataset)
    except rasterio.errors.RasterioIOError:
        raise OSError("it is incomplete: is the disk full?") from None


def _check_blocks(dataset: rasterio.DatasetReader) -> None:
    for band in dataset.indexes:
        for (row, column), window in dataset.block_windows(band):
            # a block without length reads as no data; the others have a checksum
            if not dataset.get_tag_item(f"BLOCK_SIZE_{column}_{row}", "TIFF", bidx=band):
                raise OSError("it is incomplete: is the disk full?")
            dataset.read(band, window=window)


def tags_json(**values) -> dict[str, str]:
    """GeoTIFF tags of Python values: strings unchanged, all others as JSON."""
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
