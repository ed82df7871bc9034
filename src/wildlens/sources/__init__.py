"""Readers of Sentinel-2 products: one file a format, all give a `Product`."""

from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.sources import safe, stack
from wildlens.sources.product import BandFile, Product

__all__ = ["BandFile", "Product", "open_product"]

ACCEPTED = (
    "a SAFE folder of a Level-2A product (with MTD_MSIL2A.xml), a folder of single-band files "
    "(B02.tif, *_B03_10m.jp2, ...), or one GeoTIFF whose band descriptions are band names"
)


def open_product(path: Path) -> Product:
    """Find out what lies at `path` and read what there is to know of it; no pixel is read.

    Raises:
        WildLensError: nothing that WildLens can read, a Level-1C product, or broken metadata.
    """
    path = Path(path)
    if path.is_dir():
        if metadata := safe.find_metadata(path, "MTD_MSIL2A.xml"):
            return safe.open_safe(path, metadata)
        if safe.find_metadata(path, "MTD_MSIL1C.xml"):
            raise WildLensError(
                f"{path}: is a Level-1C product (top of atmosphere); WildLens needs surface "
                "reflectance: take the Level-2A product of the same scene, or run Sen2Cor"
            )
        if files := stack.band_files(path):
            return stack.open_folder(path, files)
    elif path.suffix.lower() in stack.SUFFIXES:
        return stack.open_file(path)
    raise WildLensError(f"{path}: is no product that WildLens can read: give {ACCEPTED}")
