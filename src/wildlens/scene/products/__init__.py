"""Readers of Sentinel-2 products: one file a format, all give a `Product`."""

from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.files.archives import File, open_zip
from wildlens.scene.products import safe, stac, stack
from wildlens.scene.products.product import BandFile, Product

__all__ = ["BandFile", "Product", "open_product"]

ACCEPTED = (
    "a SAFE folder of a Level-2A product (with MTD_MSIL2A.xml) or its zip, a STAC item (JSON), a"
    " folder of single-band files (B02.tif, *_B03_10m.jp2, ...), or one GeoTIFF whose band"
    " descriptions are band names"
)


def open_product(path: Path) -> Product:
    """Find out what lies at `path` and read what there is to know of it; no pixel is read.

    Raises:
        WildLensError: nothing that WildLens can read, a Level-1C product, or broken metadata.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if path.name.lower() == "mtd_msil2a.xml":
        path = path.parent
    if path.is_dir():
        if product := _safe(path, path.resolve().name):
            return product
        if files := stack.band_files(path):
            return stack.open_folder(path, files)
    elif suffix == ".zip":
        archive = open_zip(path)
        for folder in [archive, *(p for p in archive.iterdir() if p.is_dir())]:
            name = path.stem if folder is archive else folder.name
            if product := _safe(folder, name):
                return product
    elif suffix in (".json", ".geojson"):
        return stac.open_item(path)
    elif suffix in stack.SUFFIXES:
        return stack.open_file(path)
    raise WildLensError(f"{path}: is no product that WildLens can read: give {ACCEPTED}")


def _safe(folder: File, name: str) -> Product | None:
    """The product, if this is the folder of one."""
    if metadata := safe.find_metadata(folder, "MTD_MSIL2A.xml"):
        return safe.open_safe(folder, name, metadata)
    if safe.find_metadata(folder, "MTD_MSIL1C.xml"):
        raise WildLensError(
            f"{folder}: is a Level-1C product (top of atmosphere); WildLens needs surface "
            "reflectance: take the Level-2A product of the same scene, or run Sen2Cor"
        )
    return None
