"""Bands of a product on a grid that is not its own: of another CRS, or off its pixels."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.enums import Resampling as Kernel
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from wildlens.errors import WildLensError, one_line
from wildlens.files import raster
from wildlens.scene.products.product import BandFile
from wildlens.scene.resampling import MAX_DN, Resampling, check_integers, digital_numbers, opened

# Largest error of a position, in source pixels: 1 cm at 10 m. GDAL's default is an eighth.
TOLERANCE = 1e-3


@dataclass(frozen=True)
class WarpedBand:
    """An open band that is read in windows of another grid.

    A pixel is missing or saturated where the band's pixel that holds its centre is.
    """

    nearest: WarpedVRT
    bilinear: WarpedVRT | None
    index: int

    def read(self, window: Window) -> np.ndarray:
        """Digital numbers of a window of the grid: (rows, columns) uint16, 0 = missing."""
        nearest = self._read(self.nearest, window)
        if self.bilinear is None:
            return nearest
        apart = (nearest == 0) | (nearest == MAX_DN)
        return np.where(apart, nearest, self._read(self.bilinear, window))

    def _read(self, dataset: WarpedVRT, window: Window) -> np.ndarray:
        return digital_numbers(raster.read(dataset, self.index, window=window), 0)


@contextmanager
def open_warped(
    files: Mapping[str, BandFile], grid: GeoBox, resampling: Resampling
) -> Iterator[dict[str, WarpedBand]]:
    """Open bands, each in its own CRS and resolution, to be read on `grid`.

    Raises:
        WildLensError: a file is missing, cannot be brought to the grid, or holds numbers that are
            not integers.
    """
    with ExitStack() as stack:
        datasets = stack.enter_context(opened(files))

        def on_grid(dataset: rasterio.DatasetReader, index: int, kernel: Kernel) -> WarpedVRT:
            return stack.enter_context(warped(dataset, grid, kernel, dataset.nodatavals[index - 1]))

        bands = {}
        for name, band in files.items():
            dataset = datasets[name]
            check_integers(dataset, band.index)
            smooth = resampling == "bilinear"
            bands[name] = WarpedBand(
                on_grid(dataset, band.index, Kernel.nearest),
                on_grid(dataset, band.index, Kernel.bilinear) if smooth else None,
                band.index,
            )
        yield bands


def warped(
    dataset: rasterio.DatasetReader, grid: GeoBox, kernel: Kernel, nodata: float | None
) -> WarpedVRT:
    """An open raster on another grid; no data is 0 there."""
    rows, columns = grid.shape
    try:
        return WarpedVRT(
            dataset,
            crs=grid.crs.to_wkt(),
            transform=grid.affine,
            width=columns,
            height=rows,
            resampling=kernel,
            src_nodata=nodata or 0,
            nodata=0,
            tolerance=TOLERANCE,
        )
    except rasterio.errors.RasterioError as error:
        reason = one_line(error)
        raise WildLensError(f"{dataset.name}: cannot be reprojected: {reason}") from None
