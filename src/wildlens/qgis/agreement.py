"""View of a map of several members: the value by colour, the agreement of members by opacity.

QGIS takes opacity from a band in 0..255. The view is a VRT beside the map, with its mean as first
and its agreement x 255 as second band; no pixel is copied, and both can be moved together.
"""

from pathlib import Path
from xml.etree import ElementTree

import rasterio

from wildlens.files.atomic import write_text
from wildlens.files.member_bands import AGREEMENT, band_named
from wildlens.files.raster import open_raster
from wildlens.qgis.ramps import attribution_renderer

VIEW = "_agreement.vrt"  # end of a view's name
OPAQUE = 255
OPACITY_BAND = 2  # of the view
NOTE = "Opaque where all members call the pixel high, transparent where none does."


def has_agreement(path: Path) -> bool:
    """Whether a map has the agreement of members."""
    with open_raster(path) as dataset:
        return band_named(dataset, AGREEMENT) is not None


def view_of(path: Path) -> Path:
    """The view of a map, beside it."""
    return path.with_name(f"{path.stem}{VIEW}")


def write_view(path: Path) -> Path:
    """Write the view of a map of several members.

    Returns:
        Path of the view.
    """
    view = view_of(path)
    with open_raster(path) as dataset:
        root = _vrt(dataset, path.name)
    ElementTree.indent(root)
    write_text(view, ElementTree.tostring(root, encoding="unicode") + "\n")
    return view


def agreement_renderer(path: Path) -> ElementTree.Element:
    """Renderer of the view of a map: the map's colours, with opacity from the agreement."""
    renderer = attribution_renderer(path)
    renderer.set("alphaBand", str(OPACITY_BAND))
    return renderer


def _vrt(dataset: rasterio.DatasetReader, name: str) -> ElementTree.Element:
    """GDAL's virtual raster of a map in the same folder."""
    root = ElementTree.Element(
        "VRTDataset", rasterXSize=str(dataset.width), rasterYSize=str(dataset.height)
    )
    ElementTree.SubElement(root, "SRS").text = dataset.crs.to_wkt()
    numbers = ", ".join(map(repr, dataset.transform.to_gdal()))
    ElementTree.SubElement(root, "GeoTransform").text = numbers
    agreement = band_named(dataset, AGREEMENT)
    for band, (source, scale) in enumerate(((1, 1), (agreement, OPAQUE)), start=1):
        element = ElementTree.SubElement(root, "VRTRasterBand", dataType="Float32", band=str(band))
        ElementTree.SubElement(element, "Description").text = dataset.descriptions[source - 1]
        ElementTree.SubElement(element, "NoDataValue").text = "nan"
        part = ElementTree.SubElement(element, "ComplexSource")
        ElementTree.SubElement(part, "SourceFilename", relativeToVRT="1").text = name
        ElementTree.SubElement(part, "SourceBand").text = str(source)
        ElementTree.SubElement(part, "ScaleRatio").text = str(scale)
        ElementTree.SubElement(part, "NODATA").text = "nan"
    return root
