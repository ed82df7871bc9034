"""The two XML files of a Sentinel-2 L2A product, with the element names of real products."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from wildlens.demo.region import DemoProduct

NAMESPACE = "https://psd-14.sentinel2.eo.esa.int/PSD/{}.xsd"
# band_id in the order of the metadata: name, resolution in m, central wavelength in nm
SPECTRAL_BANDS = (
    ("B1", 60, 442.7),
    ("B2", 10, 492.7),
    ("B3", 10, 559.8),
    ("B4", 10, 664.6),
    ("B5", 20, 704.1),
    ("B6", 20, 740.5),
    ("B7", 20, 782.8),
    ("B8", 10, 832.8),
    ("B8A", 20, 864.7),
    ("B9", 60, 945.1),
    ("B10", 60, 1373.5),
    ("B11", 20, 1613.7),
    ("B12", 20, 2202.4),
)
SCENE_CLASSES = (
    "NODATA",
    "SATURATED_DEFECTIVE",
    "DARK_FEATURE_SHADOW",
    "CLOUD_SHADOW",
    "VEGETATION",
    "NOT_VEGETATED",
    "WATER",
    "UNCLASSIFIED",
    "CLOUD_MEDIUM_PROBA",
    "CLOUD_HIGH_PROBA",
    "THIN_CIRRUS",
    "SNOW_ICE",
)


@dataclass(frozen=True)
class ProductNames:
    """Names inside a product folder, derived from the product's own name."""

    product: DemoProduct

    @property
    def sensing(self) -> str:
        """Start of sensing, such as 20180712T102021."""
        return self.product.name.split("_")[2]

    @property
    def generation(self) -> str:
        """Time of processing, in the same form."""
        return self.product.name.removesuffix(".SAFE").split("_")[6]

    @property
    def granule(self) -> str:
        """Folder of the one granule."""
        return f"GRANULE/L2A_{self.product.tile}_A{self.product.orbit:06d}_{self.sensing}"

    def image(self, band: str, resolution: int) -> str:
        """Path of an image without its extension, as in `IMAGE_FILE`."""
        stem = f"{self.product.tile}_{self.sensing}_{band}_{resolution}m"
        return f"{self.granule}/IMG_DATA/R{resolution}m/{stem}"


def write_product_metadata(
    folder: Path, product: DemoProduct, images: list[str], clouds: float
) -> None:
    """Write MTD_MSIL2A.xml; `images` are paths without extension, `clouds` per cent of the area."""
    names = ProductNames(product)
    root = _root("User_Product_Level-2A", "Level-2A_User_Product")
    general = ET.SubElement(root, "n1:General_Info")
    _product_info(ET.SubElement(general, "Product_Info"), names, images)
    _image_characteristics(ET.SubElement(general, "Product_Image_Characteristics"), product)
    quality = ET.SubElement(root, "n1:Quality_Indicators_Info")
    _text(quality, "Cloud_Coverage_Assessment", f"{clouds:.6f}")
    _write(root, folder / "MTD_MSIL2A.xml")


def write_tile_metadata(folder: Path, product: DemoProduct, size: int, clouds: float) -> None:
    """Write MTD_TL.xml of the granule of `size` x `size` pixels of 10 m."""
    names = ProductNames(product)
    root = _root("S2_PDI_Level-2A_Tile_Metadata", "Level-2A_Tile_ID")
    general = ET.SubElement(root, "n1:General_Info")
    mission = product.name[:3]
    tile_id = f"{mission}_OPER_MSI_L2A_TL_DEMO_{names.generation}_A{product.orbit:06d}"
    _text(
        general, "TILE_ID", f"{tile_id}_{product.tile}_N{product.baseline}", metadataLevel="Brief"
    )
    _text(general, "SENSING_TIME", _iso(names.sensing), metadataLevel="Standard")
    geometric = ET.SubElement(root, "n1:Geometric_Info")
    geocoding = ET.SubElement(geometric, "Tile_Geocoding", metadataLevel="Brief")
    _text(geocoding, "HORIZONTAL_CS_NAME", f"WGS84 / UTM zone {product.tile[1:3]}N")
    _text(geocoding, "HORIZONTAL_CS_CODE", f"EPSG:{product.epsg}")
    easting, northing = product.upper_left(size)
    for resolution in (10, 20, 60):
        element = ET.SubElement(geocoding, "Size", resolution=str(resolution))
        pixels = -(-size * 10 // resolution)
        _text(element, "NROWS", pixels)
        _text(element, "NCOLS", pixels)
    for resolution in (10, 20, 60):
        element = ET.SubElement(geocoding, "Geoposition", resolution=str(resolution))
        for tag, value in zip(
            ("ULX", "ULY", "XDIM", "YDIM"),
            (easting, northing, resolution, -resolution),
            strict=True,
        ):
            _text(element, tag, value)
    quality = ET.SubElement(root, "n1:Quality_Indicators_Info", metadataLevel="Standard")
    content = ET.SubElement(quality, "Image_Content_QI")
    _text(content, "CLOUDY_PIXEL_PERCENTAGE", f"{clouds:.6f}")
    _write(root, folder / names.granule / "MTD_TL.xml")


def _product_info(info: ET.Element, names: ProductNames, images: list[str]) -> None:
    product = names.product
    mission = product.name[:3]
    _text(info, "PRODUCT_START_TIME", _iso(names.sensing))
    _text(info, "PRODUCT_STOP_TIME", _iso(names.sensing))
    _text(info, "PRODUCT_URI", product.name)
    _text(info, "PROCESSING_LEVEL", "Level-2A")
    _text(info, "PRODUCT_TYPE", "S2MSI2A")
    _text(info, "PROCESSING_BASELINE", product.baseline)
    _text(info, "GENERATION_TIME", _iso(names.generation))
    identifier = f"G{mission}_{names.sensing}_{product.orbit:06d}_N{product.baseline}"
    datatake = ET.SubElement(info, "Datatake", datatakeIdentifier=identifier)
    _text(datatake, "SPACECRAFT_NAME", f"Sentinel-{mission[1:]}")
    _text(datatake, "DATATAKE_TYPE", "INS-NOBS")
    _text(datatake, "DATATAKE_SENSING_START", _iso(names.sensing))
    _text(datatake, "SENSING_ORBIT_NUMBER", int(product.name.split("_")[4][1:]))
    _text(datatake, "SENSING_ORBIT_DIRECTION", "DESCENDING")
    options = ET.SubElement(info, "Query_Options", completeSingleTile="true")
    _text(options, "PRODUCT_FORMAT", "SAFE_COMPACT")
    organisation = ET.SubElement(info, "Product_Organisation")
    granules = ET.SubElement(organisation, "Granule_List")
    granule = ET.SubElement(
        granules,
        "Granule",
        granuleIdentifier=f"{mission}_OPER_MSI_L2A_TL_DEMO_{names.generation}"
        f"_A{product.orbit:06d}_{product.tile}_N{product.baseline}",
        imageFormat="JPEG2000",
    )
    for image in images:
        _text(granule, "IMAGE_FILE", image)


def _image_characteristics(characteristics: ET.Element, product: DemoProduct) -> None:
    for text, index in (("NODATA", 0), ("SATURATED", 65535)):
        special = ET.SubElement(characteristics, "Special_Values")
        _text(special, "SPECIAL_VALUE_TEXT", text)
        _text(special, "SPECIAL_VALUE_INDEX", index)
    quantification = ET.SubElement(characteristics, "QUANTIFICATION_VALUES_LIST")
    _text(quantification, "BOA_QUANTIFICATION_VALUE", 10000, unit="none")
    if product.has_offset:
        offsets = ET.SubElement(characteristics, "BOA_ADD_OFFSET_VALUES_LIST")
        for band_id in range(len(SPECTRAL_BANDS)):
            _text(offsets, "BOA_ADD_OFFSET", -1000, band_id=str(band_id))
    spectral = ET.SubElement(characteristics, "Spectral_Information_List")
    for band_id, (name, resolution, wavelength) in enumerate(SPECTRAL_BANDS):
        band = ET.SubElement(
            spectral, "Spectral_Information", bandId=str(band_id), physicalBand=name
        )
        _text(band, "RESOLUTION", resolution)
        _text(ET.SubElement(band, "Wavelength"), "CENTRAL", wavelength, unit="nm")
    classes = ET.SubElement(characteristics, "Scene_Classification_List")
    for index, name in enumerate(SCENE_CLASSES):
        element = ET.SubElement(classes, "Scene_Classification_ID")
        _text(element, "SCENE_CLASSIFICATION_TEXT", f"SC_{name}")
        _text(element, "SCENE_CLASSIFICATION_INDEX", index)


def _root(schema: str, tag: str) -> ET.Element:
    return ET.Element(f"n1:{tag}", {"xmlns:n1": NAMESPACE.format(schema)})


def _text(parent: ET.Element, tag: str, text: object, **attributes: str) -> None:
    ET.SubElement(parent, tag, attributes).text = str(text)


def _iso(compact: str) -> str:
    return datetime.strptime(compact, "%Y%m%dT%H%M%S").strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _write(root: ET.Element, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.indent(root, "    ")
    ET.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)
