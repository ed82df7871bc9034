"""Tiny Sentinel-2 products for tests: SAFE trees with what the reader uses, and GeoTIFFs."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

NAME = "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126"
GRANULE = "L2A_T33XWJ_A026649_20220413T150756"
CRS = "EPSG:32633"
LEFT, TOP = 499980, 8900040
SHAPE = (60, 72)
BAND_IDS = (
    "B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12",
)  # fmt: skip


def grid(shape=SHAPE, resolution=10.0, crs=CRS) -> GeoBox:
    return GeoBox(shape, Affine(resolution, 0, LEFT, 0, -resolution, TOP), crs)


def numbers(rng, shape=SHAPE, low=1, high=3000, missing=0.0, dtype="uint16") -> np.ndarray:
    values = rng.integers(low, high, shape).astype(dtype)
    values[rng.random(shape) < missing] = 0
    return values


def write_tif(path: Path, values: np.ndarray, resolution=10.0, descriptions=(), **profile) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.atleast_3d(values.T).T if values.ndim == 2 else values
    options = dict(
        driver="GTiff",
        width=values.shape[2],
        height=values.shape[1],
        count=values.shape[0],
        dtype=values.dtype,
        crs=CRS,
        transform=Affine(resolution, 0, LEFT, 0, -resolution, TOP),
    )
    with rasterio.open(path, "w", **(options | profile)) as dataset:
        dataset.write(values)
        for index, text in enumerate(descriptions, start=1):
            dataset.set_band_description(index, text)
    return path


def write_jp2(path: Path, values: np.ndarray, resolution: float, left: float = LEFT) -> None:
    """Lossless JPEG 2000, as ESA writes it: no nodata tag."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        QUALITY="100",
        REVERSIBLE="YES",
        YCBCR420="NO",
        width=values.shape[1],
        height=values.shape[0],
        count=1,
        dtype=values.dtype,
        crs=CRS,
        transform=Affine(resolution, 0, left, 0, -resolution, TOP),
    ) as dataset:
        dataset.write(values, 1)


def write_safe(
    parent: Path,
    images: Mapping[str, np.ndarray],
    *,
    shape: tuple[int, int],
    offsets: Mapping[str, int] | None = None,
    quantification: float = 10_000,
    folder: str = f"{NAME}.SAFE",
    mtd: str = "MTD_MSIL2A.xml",
    psd: int = 14,
    listed: tuple[str, ...] = (),
) -> Path:
    """A SAFE tree on a 10 m grid of `shape`.

    Images (band or "SCL" -> DN) take their resolution from their own shape. `listed` are further
    IMAGE_FILE entries, whose files are not written.
    """
    root = parent / folder
    entries = list(listed)
    for band, values in images.items():
        resolution = 10 * shape[0] // values.shape[0]
        entry = image_entry(band, resolution)
        entries.append(entry)
        write_jp2(root / f"{entry}.jp2", values, resolution)
    root.mkdir(parents=True, exist_ok=True)
    (root / mtd).write_text(metadata_xml(entries, offsets, quantification, psd))
    granule = root / "GRANULE" / GRANULE
    granule.mkdir(parents=True, exist_ok=True)
    (granule / "MTD_TL.xml").write_text(tile_xml(shape, psd))
    return root


def to_old_names(root: Path) -> Path:
    """Give a SAFE tree the element and image names of baselines up to 02.06."""
    path = root / "MTD_MSIL2A.xml"
    text = path.read_text().replace("/T33XWJ_", "/L2A_T33XWJ_").replace(">04.00<", ">02.05<")
    for name in ("Product_Info", "Product_Organisation", "Product_Image_Characteristics",
                 "BOA_QUANTIFICATION_VALUE"):  # fmt: skip
        text = re.sub(rf"(</?){name}\b", rf"\1L2A_{name}", text)
    for name in ("PRODUCT_URI", "IMAGE_FILE"):
        text = re.sub(rf"(</?){name}>", rf"\1{name}_2A>", text)
    text = text.replace("QUANTIFICATION_VALUES_LIST", "L1C_L2A_Quantification_Values_List")
    path.write_text(text)
    for image in list(root.rglob("T33XWJ_*")):
        image.rename(image.with_name(f"L2A_{image.name}"))
    return root


def image_entry(band: str, resolution: int) -> str:
    return f"GRANULE/{GRANULE}/IMG_DATA/R{resolution}m/T33XWJ_20220413T150759_{band}_{resolution}m"


def metadata_xml(entries, offsets=None, quantification=10_000, psd=14) -> str:
    files = "".join(f"<IMAGE_FILE>{entry}</IMAGE_FILE>\n" for entry in entries)
    nodes = "".join(
        f'<BOA_ADD_OFFSET band_id="{BAND_IDS.index(b)}">{v}</BOA_ADD_OFFSET>\n'
        for b, v in (offsets or {}).items()
    )
    values = f"<BOA_ADD_OFFSET_VALUES_LIST>{nodes}</BOA_ADD_OFFSET_VALUES_LIST>" if offsets else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_User_Product xmlns:n1="https://psd-{psd}.sentinel2.eo.esa.int/PSD/x.xsd">
<n1:General_Info><Product_Info>
<PRODUCT_START_TIME>2022-04-13T15:07:59.024Z</PRODUCT_START_TIME>
<PRODUCT_URI>{NAME}.SAFE</PRODUCT_URI>
<PROCESSING_BASELINE>04.00</PROCESSING_BASELINE>
<Datatake><SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME></Datatake>
<Product_Organisation><Granule_List><Granule>{files}</Granule></Granule_List></Product_Organisation>
</Product_Info><Product_Image_Characteristics><QUANTIFICATION_VALUES_LIST>
<BOA_QUANTIFICATION_VALUE unit="none">{quantification}</BOA_QUANTIFICATION_VALUE>
</QUANTIFICATION_VALUES_LIST>{values}</Product_Image_Characteristics></n1:General_Info>
</n1:Level-2A_User_Product>
"""


def tile_xml(shape: tuple[int, int], psd: int = 14) -> str:
    sizes = "".join(
        f'<Size resolution="{r}"><NROWS>{10 * shape[0] // r}</NROWS>'
        f"<NCOLS>{10 * shape[1] // r}</NCOLS></Size>"
        f'<Geoposition resolution="{r}"><ULX>{LEFT}</ULX><ULY>{TOP}</ULY>'
        f"<XDIM>{r}</XDIM><YDIM>-{r}</YDIM></Geoposition>\n"
        for r in (60, 20, 10)
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_Tile_ID xmlns:n1="https://psd-{psd}.sentinel2.eo.esa.int/PSD/y.xsd">
<n1:Geometric_Info><Tile_Geocoding><HORIZONTAL_CS_CODE>{CRS}</HORIZONTAL_CS_CODE>
{sizes}</Tile_Geocoding></n1:Geometric_Info></n1:Level-2A_Tile_ID>
"""
