"""STAC items of Sentinel-2 Level-2A from the large catalogues.

Assets are files on disk: at the path that the item states, or beside the item under their own name,
as after a download. They are not read from a server: `wildlens.fetch` downloads item and bands
first, and checks that they are complete.
"""

import json
import logging
import math
import re
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError, one_line
from wildlens.files import raster
from wildlens.files.archives import File, read_bytes
from wildlens.scene.products.product import (
    SCL,
    TEN_METRES,
    BandFile,
    Product,
    band_name,
    parse_time,
)
from wildlens.scene.products.stac_fields import (
    BASELINES,
    crs_code,
    resolution_of,
    transform_of,
)
from wildlens.scene.products.stac_scaling import scaling_of
from wildlens.scene.products.stack import SUFFIXES

log = logging.getLogger(__name__)

_COMMON_NAMES = {
    "coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05",
    "rededge2": "B06", "rededge3": "B07", "nir": "B08", "nir08": "B8A", "nir09": "B09",
    "swir16": "B11", "swir22": "B12",
}  # fmt: skip
_TYPES = ("s2:product_type", "product:type")
_TIMES = ("datetime", "start_datetime")
# B02, B02_10m, red, red_20m, nir-jp2
_KEY = re.compile(r"([A-Za-z0-9]+?)(?:_(\d\d)m)?(-jp2)?", re.ASCII)
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
_LONGEST = 2000  # characters of an address


def open_item(path: Path) -> Product:
    """A STAC item (JSON) as a product; a band's file is opened only when it is needed.

    Raises:
        WildLensError: not a STAC item, not a Level-2A product, no band, or broken metadata.
    """
    item = _parse(path)
    properties = _mapping(path, item, "properties")
    assets = _mapping(path, item, "assets")
    _check_level(path, item, properties)
    chosen = finest_assets(assets)
    scl = chosen.pop(SCL, None)
    if not chosen:
        raise WildLensError(
            f"{path}: none of its {len(assets)} assets is a Sentinel-2 band"
            f" ({', '.join(sorted(assets)[:8]) or 'it has none'})"
        )
    offset, quantification = scaling_of(path, properties, chosen)
    files = {band: _band_file(path, asset) for band, asset in chosen.items()}
    finest = min(files, key=lambda band: files[band].resolution)
    return Product(
        name=str(item.get("id") or path.stem)[:200],
        path=path,
        grid=_grid(path, properties, chosen[finest], files[finest].path),
        bands=files,
        scl=_band_file(path, scl) if scl else None,
        offset=offset,
        quantification=quantification,
        description=_description(path, properties),
        metadata=(path,),
    )


def _parse(path: Path) -> dict:
    try:
        item = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise WildLensError(f"{path}: is not valid JSON: {one_line(error)}") from None
    if not isinstance(item, dict) or item.get("type") != "Feature" or "assets" not in item:
        kind = item.get("type") if isinstance(item, dict) else type(item).__name__
        raise WildLensError(
            f"{path}: is not a STAC item (type Feature, with assets): found {str(kind)[:40]!r}; of"
            " a list of items (FeatureCollection), save each in a file of its own"
        )
    return item


def _mapping(path: Path, holder: dict, key: str) -> dict:
    value = holder.get(key)
    if not isinstance(value, dict):
        raise WildLensError(f"{path}: its {key} are {type(value).__name__}, expected an object")
    return value


def _check_level(path: Path, item: dict, properties: dict) -> None:
    words = [str(item.get("collection")), *(str(properties.get(key)) for key in _TYPES)]
    if any("l1c" in w.lower() or "msi1c" in w.lower() for w in words):
        raise WildLensError(
            f"{path}: is a Level-1C product (top of atmosphere); WildLens needs surface"
            " reflectance: take the Level-2A item of the same scene"
        )


def finest_assets(assets: dict) -> dict[str, dict]:
    """Each band's asset of a STAC item, and that of the SCL, at the finest resolution.

    GeoTIFF is preferred to its JPEG 2000 copy. The 20 m and 60 m copies of a 10 m band are no
    substitute for it.
    """
    ranked: dict[str, tuple] = {}
    for key, asset in assets.items():
        match = _KEY.fullmatch(key)
        name = match and (_COMMON_NAMES.get(match[1]) or band_name(match[1]))
        if not name or not isinstance(asset, dict):
            continue
        resolution = resolution_of(asset) or float(match[2] or 0)
        if name in TEN_METRES and resolution > 10:
            continue
        rank = (resolution, bool(match[3]), key)
        if name not in ranked or rank < ranked[name][0]:
            ranked[name] = (rank, asset)
    return {name: asset for name, (_, asset) in ranked.items()}


def _band_file(path: Path, asset: dict) -> BandFile:
    file = _file(path, asset)
    resolution = resolution_of(asset)
    if not resolution and isinstance(file, Path) and file.is_file():
        resolution = abs(raster.read_grid(file).affine.a)
    return BandFile(file, 1, resolution or math.inf)


def _file(path: Path, asset: dict) -> File:
    """The file of an asset: at the local path of its href, else beside the item.

    An href is percent-encoded; names with a literal % are also found.
    """
    href = asset.get("href")
    if not isinstance(href, str) or not href or len(href) > _LONGEST or "\0" in unquote(href):
        raise WildLensError(f"{path}: an asset has no href, found {str(href)[:40]!r}")
    is_local, name = _local_name(href)
    names = [name, unquote(name)]
    beside = [path.parent / PurePosixPath(n).name for n in names]
    if beside[-1].suffix.lower() not in SUFFIXES:
        raise WildLensError(
            f"{path}: an asset is not a GeoTIFF or JPEG 2000 by its name: {href[:100]!r}"
        )
    if is_local and any(".." in PurePosixPath(n).parts for n in names):
        raise WildLensError(f"{path}: href leads out of the item's folder: {href!r}")
    # an absolute path is not changed
    options = [*((path.parent / n for n in names) if is_local else ()), *beside]
    try:
        return next((option for option in options if option.is_file()), beside[-1])
    except OSError as error:  # a name that is too long
        raise WildLensError(f"{path}: href {href[:40]!r}: {error.strerror}") from None


def _local_name(href: str) -> tuple[bool, str]:
    """Whether an href is a path on this machine, and the path, still percent-encoded."""
    if not _ABSOLUTE.match(href):
        return True, href.partition("?")[0]
    try:
        parts = urlsplit(href)
    except ValueError:  # such as http://[
        return False, href.partition(":/")[2].partition("?")[0]
    is_local = parts.scheme.lower() == "file" and parts.netloc.lower() in ("", "localhost")
    return is_local, parts.path


def _grid(path: Path, properties: dict, asset: dict, file: File) -> GeoBox:
    """The grid of the finest band: of its file, if it is on the disk, else as the item states."""
    merged = properties | asset
    code = crs_code(merged)
    if isinstance(file, Path) and file.is_file():
        grid = raster.read_grid(file)
        _compare_zones(path, properties, code, grid)
        return grid
    transform, shape = transform_of(merged), merged.get("proj:shape")
    sound = isinstance(shape, list) and all(isinstance(n, int) for n in shape)
    if transform and sound and len(shape) == 2 and code:
        return raster.stated_grid(path, tuple(shape), transform, code)
    raise WildLensError(
        f"{path}: {file.name} is not beside it, and it does not state the grid (proj:code,"
        " proj:shape, proj:transform): download the bands into its folder"
    )


def _compare_zones(path: Path, properties: dict, code: str | None, grid: GeoBox) -> None:
    """Warn if the item states another CRS, or a tile of another UTM zone, than its files."""
    own = grid.crs.epsg
    if own is None:
        return
    if code and code != f"EPSG:{own}":
        log.warning(
            "%s: WARNING: states %s, but its files are in EPSG:%d, which is used: check that they"
            " belong together", path, code, own,
        )  # fmt: skip
        return
    tile = re.fullmatch(r"(?:MGRS-|T)?(\d{1,2})[A-Z]{3}", _tile(properties), re.ASCII)
    if tile and own // 100 in (326, 327) and int(tile[1]) != own % 100:
        log.warning(
            "%s: WARNING: is of tile %s, but its files are in EPSG:%d, of another UTM zone, which"
            " is used: check that they belong together", path, tile[0], own,
        )  # fmt: skip


def _tile(properties: dict) -> str:
    keys = ("grid:code", "s2:mgrs_tile")
    return next((str(properties[k])[:200] for k in keys if properties.get(k)), "")


def _description(path: Path, properties: dict) -> dict[str, str]:
    def first(*keys: str) -> str:
        return next((str(properties[k])[:200] for k in keys if properties.get(k)), "")

    found = {
        "product_uri": first("s2:product_uri"),
        "sensing_time": _sensing_time(path, first(*_TIMES)),
        "baseline": first(*BASELINES),
        "spacecraft": first("platform"),
        "tile": _tile(properties),
    }
    return {name: text for name, text in found.items() if text}


def _sensing_time(path: Path, text: str) -> str:
    """The time as the item states it; without a zone, which STAC demands, it is taken as UTC."""
    time = parse_time(text)
    if time is None or len(text) <= len("2023-06-28") or parse_time(f"{text}Z") is None:
        return text
    log.warning("%s: WARNING: its time %s has no zone and is taken as UTC", path, text)
    return f"{text}Z"
