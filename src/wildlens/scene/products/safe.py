"""Sentinel-2 Level-2A products in ESA's SAFE format, folder or zip, read from their own metadata.

Only the BOA_ADD_OFFSET elements state whether +1000 has been added to the numbers: products of late
baselines without it (99.99, 99.33) and reprocessed old scenes with it break any rule by baseline or
date. Element names of baselines up to 02.06 (`L2A_Product_Info`, `IMAGE_FILE_2A`) are read as those
of today (`Product_Info`, `IMAGE_FILE`).
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from xml.etree.ElementTree import Element

from affine import Affine
from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError
from wildlens.files import safe_xml
from wildlens.files.archives import File
from wildlens.files.raster import stated_grid
from wildlens.scene.products.product import SCL, TEN_METRES, BandFile, Product, band_name

# a band's position in this list is its band_id in the metadata; L2A has no B10
BAND_IDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip

_IMAGE_NAME = re.compile(r".*_(B\d\d|B8A|SCL)_(\d\d)m")
_SIMULATED = "_TL_DEMO_"  # processing centre in the names of the demo's granules
_TILE = re.compile(r"T\d\d[A-Z]{3}(?=_)")
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,5}(\.0*)?", re.ASCII)
_FIRST_FORMAT = re.compile(r"S2[A-D]_[A-Z]{4}_MTD_SAFL(1C|2A)_.*\.xml", re.IGNORECASE)
_OLD_NAME = re.compile(r"(?:L2A_)?(.+?)(?:_2A)?", re.ASCII)
_ADVICE = (
    "get it in today's format from Copernicus Data Space (Collection 1, baseline 05.00 or later)"
)


@dataclass(frozen=True)
class Metadata:
    """Content of MTD_MSIL2A.xml.

    Attributes:
        images: paths of the images relative to the product's folder, without extension.
        offset: DN to add, by band; empty where there is no such element (baselines below 04.00).
        quantification: DN of reflectance 1.
        description: product_uri, sensing_time, baseline, spacecraft, relative_orbit, tile, and
            simulated for products of the demo.
    """

    images: tuple[PurePosixPath, ...]
    offset: dict[str, int]
    quantification: float
    description: dict[str, str]


def find_metadata(folder: File, name: str) -> File | None:
    """The file of this name in a folder; case is ignored, since ESA varies it."""
    found = (p for p in folder.iterdir() if p.name.lower() == name.lower() and p.is_file())
    return min(found, key=str, default=None)


def refuse_first_format(folder: File) -> None:
    """An error if a folder is a product of the format before December 2016."""
    for path in folder.iterdir():
        if match := _FIRST_FORMAT.fullmatch(path.name):
            raise WildLensError(
                f"{folder}: is a Level-{match[1].upper()} product of the format before December"
                f" 2016 ({path.name}), with many tiles in one: {_ADVICE}"
            )


def open_safe(folder: File, name: str, metadata_file: File) -> Product:
    """A SAFE folder as a product; an image is opened only when its band is needed."""
    metadata = read_metadata(metadata_file)
    granules = {image.parts[:2] for image in metadata.images}
    if len(granules) != 1:
        raise WildLensError(
            f"{metadata_file}: names images of {len(granules)} granules, expected 1"
        )
    grid_file = folder.joinpath(*granules.pop(), "MTD_TL.xml")
    bands = _finest(folder, metadata.images)
    scl = bands.pop(SCL, None) or _unlisted_scl(grid_file.parent)
    return Product(
        name=name.removesuffix(".SAFE"),
        path=folder,
        grid=read_tile_grid(grid_file),
        bands=bands,
        scl=scl,
        # before 04.00 the element did not exist, and there was nothing to add
        offset=metadata.offset or dict.fromkeys(bands, 0),
        quantification=metadata.quantification,
        description=metadata.description,
        metadata=(metadata_file, grid_file),
    )


def read_metadata(path: File) -> Metadata:
    """Offsets, quantification, image list and description of a product from MTD_MSIL2A.xml."""
    root = safe_xml.parse(path)
    if safe_xml.local_name(root) != "Level-2A_User_Product":
        raise WildLensError(
            f"{path}: is not Level-2A metadata: its root is {safe_xml.local_name(root)}"
        )
    for element in root.iter():
        element.tag = _OLD_NAME.fullmatch(safe_xml.local_name(element))[1]
    if next(safe_xml.all_of(root, "IMAGE_ID"), None) is not None:
        raise WildLensError(
            f"{path}: is of the format before December 2016, which names images without their"
            f" folders: {_ADVICE}"
        )
    quantification = safe_xml.number_at(path, root, "BOA_QUANTIFICATION_VALUE")
    if quantification <= 0:
        raise WildLensError(f"{path}: BOA_QUANTIFICATION_VALUE must be above 0")
    images = tuple(_image(path, safe_xml.text_of(e)) for e in safe_xml.all_of(root, "IMAGE_FILE"))
    return Metadata(
        images=images,
        offset=dict(_offset(path, e) for e in safe_xml.all_of(root, "BOA_ADD_OFFSET")),
        quantification=quantification,
        description=_description(root, images),
    )


def read_tile_grid(path: File) -> GeoBox:
    """The 10 m grid of a granule from the Tile_Geocoding in its MTD_TL.xml."""
    root = safe_xml.parse(path)
    crs = safe_xml.text_at(root, "HORIZONTAL_CS_CODE")
    if not re.fullmatch(r"EPSG:\d{4,5}", crs):
        raise WildLensError(f"{path}: HORIZONTAL_CS_CODE must be an EPSG code, found {crs!r}")
    size, corner = (_at_ten_metres(path, root, name) for name in ("Size", "Geoposition"))
    rows, columns = (int(safe_xml.number_at(path, size, name)) for name in ("NROWS", "NCOLS"))
    left, top, dx, dy = (
        safe_xml.number_at(path, corner, name) for name in ("ULX", "ULY", "XDIM", "YDIM")
    )
    return stated_grid(path, (rows, columns), Affine(dx, 0, left, 0, dy, top), crs)


def _description(root: Element, images: tuple[PurePosixPath, ...]) -> dict[str, str]:
    texts = {
        "product_uri": safe_xml.text_at(root, "PRODUCT_URI"),
        "sensing_time": safe_xml.text_at(root, "PRODUCT_START_TIME"),
        "baseline": safe_xml.text_at(root, "PROCESSING_BASELINE"),
        "spacecraft": safe_xml.text_at(root, "SPACECRAFT_NAME"),
        "relative_orbit": safe_xml.text_at(root, "SENSING_ORBIT_NUMBER"),
    }
    granules = safe_xml.all_of(root, "Granule")
    if any(_SIMULATED in granule.get("granuleIdentifier", "") for granule in granules):
        texts["simulated"] = "true"
    tiles = sorted({t for image in images for t in _TILE.findall(image.name)})
    texts["tile"] = " ".join(tiles)
    return {key: text for key, text in texts.items() if text}


def _image(metadata: File, text: str) -> PurePosixPath:
    """An IMAGE_FILE entry; one that would leave the product's folder is refused."""
    image = PurePosixPath(text.removesuffix(".jp2"))
    if image.is_absolute() or ".." in image.parts or "\\" in text or len(image.parts) < 3:
        raise WildLensError(f"{metadata}: IMAGE_FILE is not a path inside the product: {text!r}")
    return image


def _offset(metadata: File, element: Element) -> tuple[str, int]:
    band_id, text = element.get("band_id", ""), safe_xml.text_of(element)
    if band_id not in map(str, range(len(BAND_IDS))) or not _WHOLE_NUMBER.fullmatch(text):
        raise WildLensError(f"{metadata}: BOA_ADD_OFFSET of band_id {band_id!r} is {text!r}")
    return BAND_IDS[int(band_id)], int(float(text))


def _finest(folder: File, images: tuple[PurePosixPath, ...]) -> dict[str, BandFile]:
    """Each band's file, and that of the scene classification, at the finest resolution.

    The 20 m and 60 m copies of a 10 m band are no substitute for it.
    """
    found: dict[str, BandFile] = {}
    for image in images:
        match = _IMAGE_NAME.fullmatch(image.name)
        name = band_name(match[1]) if match else None
        if name is None:
            continue
        resolution = float(match[2])
        if name in TEN_METRES and resolution > 10:
            continue
        if name not in found or resolution < found[name].resolution:
            found[name] = BandFile(_file(folder, image), 1, resolution)
    return found


def _unlisted_scl(granule: File) -> BandFile | None:
    """The scene classification at 20 m of products whose metadata do not list it."""
    for parts in (("IMG_DATA", "R20m"), ("IMG_DATA",), ("QI_DATA",)):
        folder = granule.joinpath(*parts)
        found = folder.iterdir() if folder.is_dir() else ()
        images = [p for p in found if re.fullmatch(r".*_SCL_(L2A_.*_)?20m\.jp2", p.name)]
        if images:
            return BandFile(min(images, key=str), 1, 20.0)
    return None


def _file(folder: File, image: PurePosixPath) -> File:
    """The image's file: JPEG 2000, as ESA delivers it, or GeoTIFF, as others repack it."""
    *parents, name = image.parts
    jp2, tif = (folder.joinpath(*parents, name + suffix) for suffix in (".jp2", ".tif"))
    return tif if tif.is_file() and not jp2.is_file() else jp2


def _at_ten_metres(path: File, root: Element, name: str) -> Element:
    for element in safe_xml.all_of(root, name):
        if element.get("resolution") == "10":
            return element
    raise WildLensError(f"{path}: Tile_Geocoding has no {name} at 10 m")
