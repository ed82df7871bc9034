"""STAC item of the rasters of a scene: location, time, grid, bands, classes and provenance.

Fields of the extensions projection 2.0, raster 2.0, eo 2.0, classification 2.0 and file 2.1 are
written as plain JSON, since pystac's classes for them differ between releases.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pystac
import rasterio
import shapely
from odc.geo.geobox import GeoBox

from wildlens.areas.antimeridian import bounding_box, grid_outline
from wildlens.errors import WildLensError
from wildlens.files.raster import grid_of, open_raster
from wildlens.files.reflectance import SCALE
from wildlens.landcover.class_counts import count_classes
from wildlens.legend import CORINE
from wildlens.provenance import sha256
from wildlens.registry import methods

PROJECTION, RASTER, EO, CLASSIFICATION, FILE = (
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("projection/v2.0.0", "raster/v2.0.0", "eo/v2.0.0", "classification/v2.0.0",
                 "file/v2.1.0")
)  # fmt: skip
# Sentinel-2's bands by the names that other sensors share
COMMON_NAMES = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge071",
    "B06": "rededge075", "B07": "rededge078", "B08": "nir", "B8A": "nir08", "B09": "nir09",
    "B11": "swir16", "B12": "swir22",
}  # fmt: skip
COG_TYPE = pystac.MediaType.COG
TIFF_TYPE = pystac.MediaType.GEOTIFF
FIRST_LAUNCH = datetime(2015, 6, 23, tzinfo=UTC)  # of Sentinel-2
TITLES = {"reflectance": "Reflectance (X)", "landcover": "CORINE land cover"}
EDGES = 16  # of each side of an outline: straight sides of a grid are curves in degrees


@dataclass(frozen=True)
class Place:
    """Location and time of a scene.

    Attributes:
        grid: of the scene.
        start, end: first and last acquisition, equal for one product.
    """

    grid: GeoBox
    start: datetime
    end: datetime

    @cached_property
    def outline(self) -> shapely.Polygon | shapely.MultiPolygon:
        """The grid's border in degrees, in parts where it crosses the antimeridian."""
        return shapely.orient_polygons(grid_outline(self.grid, EDGES))

    @property
    def bounds(self) -> list[float]:
        """West, south, east, north in degrees; west > east across the antimeridian."""
        return list(bounding_box([self.outline]))


def read_place(scene: Path) -> Place:
    """Grid and time of a scene, from its first to its last product.

    If a product does not state its time: from the first launch to the time of the file.
    """
    with open_raster(scene) as dataset:
        grid, taken = grid_of(dataset), dataset.tags().get("product_sensing_time", "")
    try:
        times = [_in_utc(datetime.fromisoformat(text)) for text in taken.split(" + ")]
    except ValueError:
        times = [FIRST_LAUNCH, datetime.fromtimestamp(scene.stat().st_mtime, UTC)]
    return Place(grid, min(times), max(times))


def _in_utc(time: datetime) -> datetime:
    """A time without a zone is in UTC already: it must not depend on the zone of this machine."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def raster_item(scene: str, place: Place, assets: Mapping[str, Path], root: Path) -> pystac.Item:
    """An item of rasters on the grid of one scene.

    Args:
        assets: key -> raster; root: folder of the catalogue, absolute.

    Raises:
        WildLensError: a raster cannot be read, or has another grid.
    """
    exact = place.start == place.end
    item = pystac.Item(
        scene,
        shapely.geometry.mapping(place.outline),
        place.bounds,
        place.start if exact else None,
        properties=_projection(place.grid),
        start_datetime=None if exact else place.start,
        end_datetime=None if exact else place.end,
        stac_extensions=[PROJECTION, RASTER, FILE],
    )
    for key, path in assets.items():
        item.add_asset(key, _asset(key, path, place.grid, scene))
        fields = item.assets[key].extra_fields
        if any("eo:common_name" in band for band in fields["bands"]):
            item.stac_extensions = sorted({*item.stac_extensions, EO})
        if "classification:classes" in fields:
            item.stac_extensions = sorted({*item.stac_extensions, CLASSIFICATION})
    return item


def _projection(grid: GeoBox) -> dict:
    code = grid.crs.epsg
    named = {"proj:code": f"EPSG:{code}"} if code else {"proj:wkt2": grid.crs.to_wkt()}
    return named | {
        "proj:shape": list(grid.shape),
        "proj:transform": list(grid.affine)[:6],
        "proj:bbox": list(grid.boundingbox),
    }


def _asset(key: str, path: Path, grid: GeoBox, scene: str) -> pystac.Asset:
    with open_raster(path) as dataset:
        if grid_of(dataset) != grid:
            raise WildLensError(f"{path}: has another grid than scene {scene}; make it again")
        tags = dataset.tags()
        layout = dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT")
        fields = {"bands": [_band(dataset, index, tags) for index in dataset.indexes]}
        if dataset.dtypes[0] == "uint8":
            fields["classification:classes"] = _classes(path)
    fields |= origin(tags) | file_fields(path)
    fields["raster:spatial_resolution"] = abs(grid.affine.a)
    title = TITLES.get(key) or methods.title(key)
    roles = ["data", "reflectance"] if "raster:scale" in fields["bands"][0] else ["data"]
    return pystac.Asset(
        str(path.resolve()),
        title,
        tags.get("sign"),
        COG_TYPE if layout == "COG" else TIFF_TYPE,
        roles,
        fields,
    )


def _band(dataset: rasterio.DatasetReader, index: int, tags: Mapping[str, str]) -> dict:
    """One band: name, data type, unit, and statistics if the file has them."""
    name = dataset.descriptions[index - 1] or f"band {index}"
    nodata = dataset.nodata
    band: dict = {"name": name, "data_type": dataset.dtypes[index - 1]}
    if nodata is not None:
        band["nodata"] = "nan" if np.isnan(nodata) else int(nodata)
    if dataset.dtypes[0] == "uint16":
        band |= {"raster:scale": 1 / SCALE, "raster:offset": 0}
        if name in COMMON_NAMES:
            band["eo:common_name"] = COMMON_NAMES[name]
    elif unit := dataset.units[index - 1] or tags.get("unit"):
        band["unit"] = unit
    if statistics := _statistics(dataset.tags(index)):
        band["statistics"] = statistics
    return band


def _statistics(tags: Mapping[str, str]) -> dict[str, float]:
    names = {"MINIMUM": "minimum", "MAXIMUM": "maximum", "MEAN": "mean", "STDDEV": "stddev",
             "VALID_PERCENT": "valid_percent"}  # fmt: skip
    found = {}
    for name, field in names.items():
        try:
            found[field] = float(tags[f"STATISTICS_{name}"])
        except (KeyError, ValueError):
            continue
    return found


def _classes(path: Path) -> list[dict]:
    """The classes of a land-cover raster, with pixel counts."""
    counts = count_classes(path)
    classes = [
        {
            "value": member.index,
            "name": f"clc-{member.code}",
            "title": f"{member.code} {member.name}",
            "color_hint": "{:02X}{:02X}{:02X}".format(*member.rgb),
            "count": int(counts[member.index]),
        }
        for member in CORINE.classes
        if counts[member.index]
    ]
    return [
        {
            "value": 0,
            "name": "no-data",
            "title": "No data",
            "nodata": True,
            "count": int(counts[0]),
        },
        *classes,
    ]


def origin(tags: Mapping[str, str]) -> dict:
    """Provenance fields of a file (`provenance.record`)."""
    names = ("step", "version", "settings", "method", "trained_on", "warning")
    found = {
        f"wildlens:{name}": tags[f"wildlens_{name}"]
        for name in names
        if tags.get(f"wildlens_{name}")
    }
    with suppress(KeyError, ValueError):  # files of other programs have none
        found["wildlens:inputs"] = json.loads(tags["wildlens_inputs"])
    return found


def file_fields(path: Path) -> dict:
    """Size in bytes, and SHA-256 as multihash, so that a copy of the folder can be checked."""
    return {"file:size": path.stat().st_size, "file:checksum": f"1220{sha256(path)}"}
