"""A Sentinel-2 product as all readers return it: files of the bands, grid, scale and offset."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from odc.geo.geobox import GeoBox

from wildlens.files.archives import File

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
TEN_METRES = ("B02", "B03", "B04", "B08")  # their 20 m and 60 m copies are no substitute
SCL = "SCL"  # the scene classification, which products have besides their bands

_BAND_NAME = re.compile(r"B(?:0?([1-9])|(1[0-2])|(8A))", re.IGNORECASE)


@dataclass(frozen=True)
class BandFile:
    """One band in a raster file.

    Attributes:
        path: the file, which may not exist: it is opened only when the band is needed.
        index: the band's number in the file, from 1.
        resolution: pixel side in units of the CRS (m, where it is projected).
    """

    path: File
    index: int
    resolution: float


@dataclass(frozen=True)
class Product:
    """A Sentinel-2 product: reflectance = (DN + offset) / quantification.

    Attributes:
        name: short name, for messages.
        path: file or folder that was opened.
        grid: grid of the finest bands.
        bands: band name ("B02", "B8A") -> file. Digital numbers (DN) as `open_band` reads them.
        scl: the scene classification, codes 0..11; None if the product has none.
        offset: DN to add, by band; None if the metadata do not state it.
        quantification: DN of reflectance 1, unless the files' tags state another.
        description: short texts for the tags of results: sensing time, baseline, tile, ...
        metadata: files that were read for all this, besides the images.
    """

    name: str
    path: File
    grid: GeoBox
    bands: dict[str, BandFile]
    scl: BandFile | None = None
    offset: dict[str, int] | None = None
    quantification: float = 10_000.0
    description: dict[str, str] = field(default_factory=dict)
    metadata: tuple[File, ...] = ()


def band_name(text: str) -> str | None:
    """The usual name of a band: B2, b02, B02 -> B02; b8a -> B8A; SCL -> SCL; else None."""
    text = text.strip()
    if text.upper() == SCL:
        return SCL
    match = _BAND_NAME.fullmatch(text)
    if match is None:
        return None
    one, two, special = match.groups()
    name = f"B{special.upper()}" if special else f"B{int(one or two):02d}"
    return name if name in BANDS else None


def parse_time(text: str) -> datetime | None:
    """A date or time (ISO 8601) in UTC; without a zone it is UTC. None if it is neither."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
