"""Bands of open raster files of any type and no-data convention as digital numbers (DN).

The form is that of Sentinel-2 products: uint16, 0 = missing, 65535 = saturated. Missing are

- the file's nodata value, and pixels that its mask (internal, `.msk`, or an alpha band) excludes;
- in unsigned files also 0, as in all Sentinel-2 products;
- in signed files without nodata value and mask also 0, and numbers below reflectance -0.1, which do
  not occur in Sentinel-2 products and are fill values. With a nodata value or a mask, 0 and
  negative numbers are valid, since the offset of late baselines has been subtracted.

Signed numbers are shifted up to fit into uint16, see `OpenBand.shift`.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import rasterio
from rasterio.enums import MaskFlags
from rasterio.windows import Window

from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.files.archives import gdal_name
from wildlens.files.raster import DATASET_MASK
from wildlens.files.reflectance import MISSING, SATURATED
from wildlens.scene.products.product import SCL, BandFile, band_name

DARKEST = 0.1  # Sentinel-2 products have no reflectance below -0.1
SAMPLE_SIDE = 1024  # px of a decimated read


@dataclass(frozen=True)
class OpenBand:
    """One band of an open raster file.

    Attributes:
        index: number of the band in the file, from 1.
        nodata: the file's nodata value for the band, if any.
        mask: number of the band that masks it (0: the file's own mask); None without a mask.
        shift: added to the file's numbers, so that negative ones fit into uint16.
        lowest: smaller numbers are missing; None: no limit.
        zero_is_missing: whether 0 is missing, besides `nodata` and `mask`.
    """

    dataset: rasterio.DatasetReader
    index: int
    nodata: float | None
    mask: int | None
    shift: int
    lowest: float | None
    zero_is_missing: bool

    def read(self, window: Window | None = None) -> np.ndarray:
        """DN + `shift` of a window: (rows, columns) uint16, 0 = missing, 65535 = saturated."""
        return self._read(window=window)

    def sample(self) -> np.ndarray:
        """As `read`, of every n-th pixel of the whole band, at most 1024 x 1024."""
        shape = tuple(min(side, SAMPLE_SIDE) for side in self.dataset.shape)
        return self._read(out_shape=shape)

    def _read(self, **part) -> np.ndarray:
        values = raster.read(self.dataset, self.index, **part)
        valid = None if self.mask is None else raster.read_mask(self.dataset, self.mask, **part)
        if values.dtype == np.uint16 and not self.nodata and valid is None:
            return values
        missing = np.zeros(values.shape, bool) if valid is None else valid == 0
        if self.nodata is not None:
            missing |= values == self.nodata
        if self.zero_is_missing:
            missing |= values == 0
        if self.lowest is not None:
            missing |= values < self.lowest
        numbers = values
        if values.dtype != np.uint16:
            shifted = values.astype(np.int64) + self.shift
            numbers = np.clip(shifted, 1, SATURATED - 1).astype(np.uint16)
            numbers[values >= SATURATED] = SATURATED
        return np.where(missing, np.uint16(MISSING), numbers)

    @property
    def stated_scaling(self) -> tuple[float, float] | None:
        """Scale and offset in the file's own tags (number x scale + offset); None without."""
        scale, offset = (
            values[self.index - 1] for values in (self.dataset.scales, self.dataset.offsets)
        )
        return None if (scale, offset) == (1, 0) else (scale, offset)


@contextmanager
def open_bands(files: Mapping[str, BandFile]) -> Iterator[dict[str, OpenBand]]:
    """Open bands by name; each file is opened once.

    Raises:
        WildLensError: a file is missing, or its numbers are not integers.
    """
    with ExitStack() as stack:
        datasets: dict[str, rasterio.DatasetReader] = {}
        for name, band in files.items():
            key = gdal_name(band.path)
            if key in datasets:
                continue
            if not band.path.is_file():
                raise WildLensError(f"{band.path}: band {name} is missing: there is no such file")
            datasets[key] = stack.enter_context(raster.open_raster(band.path))
        yield {
            name: _open_band(datasets[gdal_name(band.path)], band.index, is_classes=name == SCL)
            for name, band in files.items()
        }


def check_integers(dataset: rasterio.DatasetReader, index: int) -> None:
    """Refuse a band whose values are not digital numbers."""
    dtype = dataset.dtypes[index - 1]
    if not np.issubdtype(np.dtype(dtype), np.integer):
        raise WildLensError(
            f"{dataset.name}: holds {dtype} numbers, expected the integers (DN) of Sentinel-2"
        )


def _open_band(dataset: rasterio.DatasetReader, index: int, *, is_classes: bool) -> OpenBand:
    check_integers(dataset, index)
    nodata = dataset.nodatavals[index - 1]
    if nodata is not None and math.isnan(nodata):
        nodata = None
    mask = _mask_of(dataset, index)
    signed = np.issubdtype(np.dtype(dataset.dtypes[index - 1]), np.signedinteger)
    if is_classes or not signed:
        return OpenBand(dataset, index, nodata, mask, 0, 0 if signed else None, True)
    scale = dataset.scales[index - 1]
    span = math.ceil(DARKEST / scale) if 0 < scale < 1 else 1000  # DN of reflectance 0.1
    marked = nodata is not None or mask is not None
    return OpenBand(dataset, index, nodata, mask, span, None if marked else -span, not marked)


def _mask_of(dataset: rasterio.DatasetReader, index: int) -> int | None:
    """The band that masks others: the file's own mask (0) or an alpha band; None without.

    A band whose description names a Sentinel-2 band is that one, even if it is tagged as alpha, as
    happens to the fourth band of files that are written as RGB.
    """
    flags = dataset.mask_flag_enums[index - 1]
    if MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags:
        return DATASET_MASK
    for other in dataset.indexes:
        described = band_name(dataset.descriptions[other - 1] or "")
        if other != index and described is None and raster.is_alpha(dataset, other):
            return other
    return None
