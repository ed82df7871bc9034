"""Readers of Sentinel-2 products: one module per format, all return a `Product`."""

import logging
from collections.abc import Iterator
from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.files.archives import File, open_zip
from wildlens.scene.products import safe, stac, stack
from wildlens.scene.products.product import BandFile, Product
from wildlens.scene.products.stack import open_scl

__all__ = ["BandFile", "Product", "open_product", "open_scl"]

log = logging.getLogger(__name__)

ACCEPTED = (
    "a SAFE folder of a Level-2A product (with MTD_MSIL2A.xml) or its zip, a STAC item (JSON), a"
    " folder of single-band files (B02.tif, *_B03_10m.jp2, ...), or one GeoTIFF whose band"
    " descriptions are band names"
)


def open_product(path: Path) -> Product:
    """Recognise the product at `path` and read its metadata; no pixel is read.

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
        if product := _only_safe_inside(path, path):
            return product
    elif suffix == ".zip":
        archive = open_zip(path)
        if product := _safe(archive, path.stem) or _only_safe_inside(path, archive):
            return product
    elif suffix in (".json", ".geojson"):
        return stac.open_item(path)
    elif suffix in stack.SUFFIXES:
        return stack.open_file(path)
    raise WildLensError(f"{path}: is not a product that WildLens can read: give {ACCEPTED}")


def _safe(folder: File, name: str) -> Product | None:
    """The product, if this is the folder of one."""
    if metadata := safe.find_metadata(folder, "MTD_MSIL2A.xml"):
        return safe.open_safe(folder, name, metadata)
    if safe.find_metadata(folder, "MTD_MSIL1C.xml"):
        raise WildLensError(
            f"{folder}: is a Level-1C product (top of atmosphere); WildLens needs surface "
            "reflectance: take the Level-2A product of the same scene, or run Sen2Cor"
        )
    safe.refuse_first_format(folder)
    return None


def _only_safe_inside(path: Path, folder: File) -> Product | None:
    """The product in a subfolder, as unpacking leaves it (X.SAFE/X.SAFE); None without one.

    Raises:
        WildLensError: several products are inside, or only their zips.
    """
    inside = sorted(_product_folders(folder), key=str)
    if len(inside) > 1:
        names = ", ".join(found.name for found in inside[:6])
        raise WildLensError(f"{path}: holds {len(inside)} products ({names}): give one of them")
    if inside:
        log.info("%s: the product in it, %s, is read", path, inside[0].name)
        return _safe(inside[0], inside[0].name)
    zips = sorted(found.name for found in folder.iterdir() if found.name.lower().endswith(".zip"))
    if zips:
        raise WildLensError(
            f"{path}: is not a product; it holds {', '.join(zips[:6])}: give the zip of one product"
        )
    return None


def _product_folders(folder: File) -> Iterator[File]:
    names = ("MTD_MSIL2A.xml", "MTD_MSIL1C.xml")
    for inner in folder.iterdir():
        if inner.is_dir() and any(safe.find_metadata(inner, name) for name in names):
            yield inner
