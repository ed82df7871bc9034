"""Bands of a product on its 10 m grid, window by window, whatever their own resolution.

All resolutions of a Sentinel-2 product share the upper-left corner, so that each coarse pixel holds
a whole number of fine ones. Both ways of resampling depend on the position in the grid alone, never
on the window that is read; the arithmetic is in integers and thus exact.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import rasterio
from affine import Affine
from odc.geo.crs import CRS
from odc.geo.geobox import GeoBox
from rasterio.windows import Window

from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.files.archives import gdal_name
from wildlens.scene.products.product import BandFile

Resampling = Literal["nearest", "bilinear"]
MAX_DN = np.iinfo(np.uint16).max
MAX_FACTOR = 6  # 60 m on 10 m; sums of `_weighted_mean` fit into 32 bits up to 60


@dataclass(frozen=True)
class BandOnGrid:
    """An open band that is read in windows of a grid `factor` times finer than its own.

    A pixel is missing where the band's pixel that holds it is missing, with either resampling.
    """

    dataset: rasterio.DatasetReader
    index: int
    factor: int
    resampling: Resampling

    def read(self, window: Window) -> np.ndarray:
        """Digital numbers of a window of the fine grid: (rows, columns) uint16, 0 = missing."""
        if self.factor == 1:
            return self._read(window)
        rows = _taps(window.row_off, window.height, self.factor, self.dataset.height)
        columns = _taps(window.col_off, window.width, self.factor, self.dataset.width)
        top, left = rows.first, columns.first
        own = self._read(Window(left, top, columns.last + 1 - left, rows.last + 1 - top))
        nearest = own[rows.own - top][:, columns.own - left]
        if self.resampling == "nearest":
            return nearest
        mean = _weighted_mean(own, rows, columns)
        mean[nearest == 0] = 0
        return mean

    def _read(self, window: Window) -> np.ndarray:
        values = raster.read(self.dataset, self.index, window=window)
        return digital_numbers(values, self.dataset.nodatavals[self.index - 1])


@contextmanager
def open_bands(
    files: Mapping[str, BandFile], grid: GeoBox, resampling: Resampling
) -> Iterator[dict[str, BandOnGrid]]:
    """Open bands to be read on `grid`; each file is opened once.

    Raises:
        WildLensError: a file is missing, has another CRS, corner, extent or a resolution that is
            no multiple of the grid's, or holds numbers that are not integers.
    """
    with opened(files) as datasets:
        yield {
            name: _on_grid(datasets[name], band.index, grid, resampling)
            for name, band in files.items()
        }


@contextmanager
def opened(files: Mapping[str, BandFile]) -> Iterator[dict[str, rasterio.DatasetReader]]:
    """The open file of each band; each file is opened once."""
    with ExitStack() as stack:
        datasets: dict[str, rasterio.DatasetReader] = {}
        for name, band in files.items():
            if gdal_name(band.path) in datasets:
                continue
            if not band.path.is_file():
                raise WildLensError(f"{band.path}: band {name} is missing: there is no such file")
            dataset = stack.enter_context(raster.open_raster(band.path))
            datasets[gdal_name(band.path)] = dataset
        yield {name: datasets[gdal_name(band.path)] for name, band in files.items()}


def check_integers(dataset: rasterio.DatasetReader, index: int) -> None:
    """Refuse a band that holds anything but digital numbers."""
    dtype = dataset.dtypes[index - 1]
    if not np.issubdtype(np.dtype(dtype), np.integer):
        raise WildLensError(
            f"{dataset.name}: holds {dtype} numbers, expected the integers (DN) of Sentinel-2"
        )


def _on_grid(
    dataset: rasterio.DatasetReader, index: int, grid: GeoBox, resampling: Resampling
) -> BandOnGrid:
    own = raster.grid_of(dataset)
    factor = round(abs(own.affine.a / grid.affine.a))
    a, b, left, d, e, top = grid.affine[:6]
    expected = Affine(a * factor, b, left, d, e * factor, top)
    rows, columns = own.shape
    if own.crs != grid.crs:
        raise WildLensError(
            f"{dataset.name}: its CRS is {crs_name(own.crs)}, that of the product"
            f" {crs_name(grid.crs)}"
        )
    fits = (rows * factor, columns * factor) == tuple(grid.shape)
    if not (fits and factor <= MAX_FACTOR and own.affine.almost_equals(expected, 1e-3)):
        raise WildLensError(
            f"{dataset.name}: its grid ({columns} x {rows} px of {own.affine.a:g} m at "
            f"{own.affine.c:.10g}, {own.affine.f:.10g}) does not share corner and extent with that "
            f"of the product ({grid.shape.x} x {grid.shape.y} px of {grid.affine.a:g} m at "
            f"{grid.affine.c:.10g}, {grid.affine.f:.10g})"
        )
    check_integers(dataset, index)
    return BandOnGrid(dataset, index, factor, resampling)


def crs_name(crs: CRS) -> str:
    """EPSG code of a CRS, or its text where it has none."""
    return f"EPSG:{crs.epsg}" if crs.epsg else str(crs)


def digital_numbers(values: np.ndarray, nodata: float | None) -> np.ndarray:
    """Integers of any type as uint16, where 0 is what is missing (0, negative, or `nodata`)."""
    if values.dtype != np.uint16:
        numbers = np.clip(values, 0, MAX_DN).astype(np.uint16)
    elif nodata:
        numbers = values.copy()
    else:
        return values
    if nodata:
        numbers[values == nodata] = 0
    return numbers


@dataclass(frozen=True)
class _Taps:
    """Coarse pixels from which the fine pixels of a stretch of one axis are interpolated.

    Attributes:
        own: the coarse pixel that holds the fine one.
        neighbour: the one on the side of the fine pixel's centre; at the edge, `own` again.
        own_weight, neighbour_weight: in units of 1 / (2 factor); they sum to 2 factor.
    """

    own: np.ndarray
    neighbour: np.ndarray
    own_weight: np.ndarray
    neighbour_weight: np.ndarray

    @property
    def first(self) -> int:
        return int(min(self.own[0], self.neighbour[0]))

    @property
    def last(self) -> int:
        return int(max(self.own[-1], self.neighbour[-1]))


def _taps(start: int, size: int, factor: int, length: int) -> _Taps:
    """Taps of fine pixels start .. start + size - 1 along an axis of `length` coarse pixels."""
    fine = np.arange(start, start + size)
    own = fine // factor
    # distance of the two centres in half fine pixels: 1 - factor, 3 - factor, ... factor - 1
    distance = 2 * (fine % factor) + 1 - factor
    neighbour = np.clip(own + np.sign(distance), 0, length - 1)
    weight = np.abs(distance).astype(np.int32)
    return _Taps(own, neighbour, 2 * factor - weight, weight)


def _weighted_mean(own: np.ndarray, rows: _Taps, columns: _Taps) -> np.ndarray:
    """Bilinear mean of the valid (> 0) coarse pixels, rounded half up; uint16.

    Missing pixels take no part: the weights of the others are raised accordingly. `own` starts at
    the first tap of either axis.
    """
    total = _interpolate(own.astype(np.int32), rows, columns)
    if own.all():
        weight = int(rows.own_weight[0] + rows.neighbour_weight[0]) ** 2
    else:
        weight = _interpolate((own > 0).astype(np.int32), rows, columns)
        weight[weight == 0] = 1
    return ((2 * total + weight) // (2 * weight)).astype(np.uint16)


def _interpolate(values: np.ndarray, rows: _Taps, columns: _Taps) -> np.ndarray:
    """Sum of the taps times their weights, first down the columns, then along the rows."""
    top, left = rows.first, columns.first
    values = (
        values[rows.own - top] * rows.own_weight[:, None]
        + values[rows.neighbour - top] * rows.neighbour_weight[:, None]
    )
    return (
        values[:, columns.own - left] * columns.own_weight
        + values[:, columns.neighbour - left] * columns.neighbour_weight
    )
