"""Bands of a product, opened to be read on a grid: exactly if aligned to it, else reprojected."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from odc.geo.geobox import GeoBox

from wildlens.files import raster
from wildlens.scene.open_band import open_bands
from wildlens.scene.products.product import BandFile
from wildlens.scene.reprojection import PixelCentres, WarpedBand
from wildlens.scene.resampling import AlignedBand, Resampling, factor_of, is_aligned


@contextmanager
def open_on_grid(
    files: Mapping[str, BandFile], grid: GeoBox, resampling: Resampling
) -> Iterator[dict[str, AlignedBand | WarpedBand]]:
    """Open bands, each in its own CRS and resolution, to be read on `grid`.

    Raises:
        WildLensError: a file is missing, has no CRS, or its numbers are not integers.
    """
    with open_bands(files) as bands:
        own = {name: raster.grid_of(band.dataset) for name, band in bands.items()}
        aligned = {name for name in bands if is_aligned(own[name], grid)}
        centres = {
            crs: PixelCentres(grid, crs) for crs in {own[n].crs for n in bands if n not in aligned}
        }
        yield {
            name: AlignedBand(band, factor_of(own[name], grid), resampling)
            if name in aligned
            else WarpedBand(band, own[name], centres[own[name].crs], resampling)
            for name, band in bands.items()
        }
