"""Grids and GeoTIFFs: where pixels lie, and how rasters are read and written window by window."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import odc.geo.geom
import rasterio
import rasterio.shutil
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.enums import ColorInterp
from rasterio.windows import Window

from wildlens.errors import WildLensError, one_line
from wildlens.files.archives import File, gdal_name
from wildlens.files.atomic import atomic, scratch
from wildlens.files.vector import gdal_source

BLOCK = 512  # side of the blocks of our GeoTIFFs, px
DATASET_MASK = 0  # in place of a band: the mask of the whole file

# GDAL goes by a file's content: a VRT under the name of an image could read any other file or URL
_DRIVERS = {".tif": "GTiff", ".tiff": "GTiff", ".jp2": "JP2OpenJPEG"}


def gdal(cache: int) -> rasterio.Env:
    """GDAL with the threads of the job (GDAL_NUM_THREADS) and a cache of so many bytes."""
    threads = os.environ.get("GDAL_NUM_THREADS", "ALL_CPUS")
    return rasterio.Env(GDAL_NUM_THREADS=threads, GDAL_CACHEMAX=cache)


@contextmanager
def open_raster(path: File | str) -> Iterator[rasterio.DatasetReader]:
    """Open a raster for reading; what is no raster is refused in one line that names the file.

    GeoTIFF and JPEG 2000 must be what their name says.
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
    """`dataset.read` whose failure (a truncated file, say) names the file that failed."""
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
    """CRS, affine transform and shape of an open raster as one value."""
    if dataset.crs is None:
        raise WildLensError(f"{dataset.name}: has no coordinate reference system")
    return GeoBox((dataset.height, dataset.width), dataset.transform, dataset.crs.to_wkt())


def stated_grid(path: File, shape: tuple[int, int], affine: Affine, crs: str) -> GeoBox:
    """The grid that a product's metadata state; one that cannot be is refused."""
    if not all(0 < side < 10**6 for side in shape) or not affine.determinant:
        raise WildLensError(f"{path}: states a grid without pixels: {shape}, {affine[:6]}")
    try:
        return GeoBox(shape, affine, crs)
    except (ValueError, RuntimeError):  # the latter is pyproj's
        raise WildLensError(f"{path}: states a reference system that is not known: {crs}") from None


def read_grid(path: Path | str) -> GeoBox:
    """The grid of a raster file."""
    with open_raster(path) as dataset:
        return grid_of(dataset)


def whole_steps(grid: GeoBox, box, step: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Columns and rows (from, to) that cover a box in the grid's CRS, in whole steps of pixels.

    Counted from the grid's corner; they may lie beyond the grid.
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
    """Rows and columns of a grid that cover a box, in whole steps; None where it lies beside.

    Args:
        box: west, south, east, north in degrees.
    """
    # points along its edges, since they are bent on the grid
    bent = odc.geo.geom.box(*box, "EPSG:4326").to_crs(grid.crs, 0.01)
    columns, rows = (
        slice(max(0, low), min(length, high))
        for (low, high), length in zip(
            whole_steps(grid, bent.boundingbox, step), reversed(grid.shape), strict=True
        )
    )
    beside = rows.start >= rows.stop or columns.start >= columns.stop
    return None if beside else (rows, columns)


def pixels_across(own: GeoBox, grid: GeoBox) -> float:
    """How many pixels of `grid` the middle pixel of `own` spans, along the wider axis."""
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
) -> Iterator[rasterio.io.DatasetWriter]:
    """A new GeoTIFF to write windows to; it stands under `path` only once it is complete."""
    options = profile(grid, count=count, dtype=dtype, nodata=nodata)
    with atomic(path) as temporary:
        with rasterio.open(temporary, "w", **options) as dataset:
            dataset.update_tags(**tags)
            for band, description in enumerate(descriptions, start=1):
                dataset.set_band_description(band, description)
            yield dataset
        _check_whole(temporary)


@contextmanager
def writing_cog(
    path: Path,
    grid: GeoBox,
    *,
    tags: Mapping[str, str],
    descriptions: Sequence[str],
    dtype: str = "float32",
    nodata: float = float("nan"),
) -> Iterator[rasterio.io.DatasetWriter]:
    """A Cloud-Optimised GeoTIFF of one band for each description, to write windows to.

    Overviews lie before the pixels in a COG, so it cannot be written window by window: the windows
    go to a scratch file beside it, which is copied at the end, with overviews and exact statistics
    (GDAL's own estimate fails on a scene with data in one corner only).
    """
    count = len(descriptions)
    # uncompressed: it is read twice within a minute, and then goes
    options = profile(grid, count=count, dtype=dtype, nodata=nodata) | {"compress": "NONE"}
    del options["predictor"]
    if count > 2:
        options["num_threads"] = 1  # GDAL 3.10's threads raise a false alarm about the extra bands
    with atomic(path) as final, scratch(path.with_suffix(".windows.tif")) as windows:
        with rasterio.open(windows, "w+", **options) as dataset:
            dataset.update_tags(**tags)
            for band, description in enumerate(descriptions, start=1):
                dataset.set_band_description(band, description)
            yield dataset
            for band in dataset.indexes:
                dataset.update_tags(band, **_statistics(dataset, band))
        _check_whole(windows)
        rasterio.shutil.copy(
            windows,
            final,
            driver="COG",
            BLOCKSIZE=BLOCK,
            COMPRESS="DEFLATE",
            LEVEL=1,  # higher ones take twice the time for 2 % of the size
            PREDICTOR="YES",
            OVERVIEW_RESAMPLING="AVERAGE",
            BIGTIFF="IF_SAFER",
        )


def _check_whole(path: Path) -> None:
    """OSError unless all blocks of a GeoTIFF can be read back.

    GDAL writes the last blocks and the directory when a file is closed, and rasterio does not pass
    on that this failed: on a full disk a truncated file would look finished.
    """
    try:
        with rasterio.open(path) as dataset:
            for band in dataset.indexes:
                for (row, column), window in dataset.block_windows(band):
                    # a block without length reads as no data; the others carry a checksum
                    if not dataset.get_tag_item(f"BLOCK_SIZE_{column}_{row}", "TIFF", bidx=band):
                        raise OSError("it is not whole: is the disk full?")
                    dataset.read(band, window=window)
    except rasterio.errors.RasterioIOError:
        raise OSError("it is not whole: is the disk full?") from None


def _statistics(dataset: rasterio.DatasetReader, band: int) -> dict[str, str]:
    """GDAL's STATISTICS_* tags of a band, exact, over the valid pixels; empty if there are none."""
    count, total, squares = 0, 0.0, 0.0
    low, high = np.inf, -np.inf
    for _, window in dataset.block_windows(band):
        values = dataset.read(band, window=window)
        valid = values[np.isfinite(values) & (values != dataset.nodata)].astype(np.float64)
        if valid.size:
            count += valid.size
            total += valid.sum()
            squares += np.square(valid).sum()
            low, high = min(low, valid.min()), max(high, valid.max())
    if not count:
        return {}
    height, width = dataset.shape
    mean = total / count
    return {
        "STATISTICS_MINIMUM": repr(float(low)),
        "STATISTICS_MAXIMUM": repr(float(high)),
        "STATISTICS_MEAN": repr(float(mean)),
        "STATISTICS_STDDEV": repr(float(max(squares / count - mean**2, 0.0) ** 0.5)),
        "STATISTICS_VALID_PERCENT": f"{100 * count / (height * width):.4g}",
    }


def tags_json(**values) -> dict[str, str]:
    """GeoTIFF tags from Python values: strings as they are, the rest as JSON."""
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in values.items()}
