"""STAC items of Sentinel-2 Level-2A, in the dialects of the large catalogues.

Assets are files on disk: where the item says (a relative or absolute path), or beside the item
under their own name, as they come from a download. They are not read from a server:
`wildlens.fetch.step` brings item and bands here first, and checks that all of it arrived.

Catalogues differ in who takes the +1000 of late baselines off. In this order decide: the flag that
the provider has done so (Earth Search: its `raster:bands` state the offset all the same); scale and
offset of the asset; the baseline. Baselines of 90 and more are of others' processors: with them,
and without any of it, nobody says. Flags are known to be wrong: `offset.decide_offset` compares
them with the pixels.
"""

import json
import math
import re
from pathlib import Path, PurePosixPath

from affine import Affine
from odc.geo.geobox import GeoBox

from wildlens.errors import WildLensError, one_line
from wildlens.files import raster
from wildlens.files.archives import File, read_bytes
from wildlens.scene.products.product import SCL, BandFile, Product, band_name
from wildlens.scene.products.stack import SUFFIXES

_COMMON_NAMES = {
    "coastal": "B01", "blue": "B02", "green": "B03", "red": "B04", "rededge1": "B05",
    "rededge2": "B06", "rededge3": "B07", "nir": "B08", "nir08": "B8A", "nir09": "B09",
    "swir16": "B11", "swir22": "B12",
}  # fmt: skip
_TEN_METRES = ("B02", "B03", "B04", "B08")
_FLAGS = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_BASELINES = ("s2:processing_baseline", "processing:version", "sentinel:processing_baseline")
_TYPES = ("s2:product_type", "product:type")
# B02, B02_10m, red, red_20m, nir-jp2
_KEY = re.compile(r"([A-Za-z0-9]+?)(?:_(\d\d)m)?(-jp2)?", re.ASCII)
_FIRST_WITH_OFFSET, _FIRST_OF_OTHERS = 4.0, 90.0  # baselines
_SHIFT = -1000
_LONGEST = 2000  # characters of an address


def open_item(path: Path) -> Product:
    """A STAC item (JSON) as a product; a band's file is looked for only when it is wanted.

    Raises:
        WildLensError: no STAC item, no Level-2A product, no band, or broken metadata.
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
    offset, quantification = _radiometry(path, properties, chosen)
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
        description=_description(properties),
        metadata=(path,),
    )


def _parse(path: Path) -> dict:
    try:
        item = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        reason = one_line(error)
        raise WildLensError(f"{path}: is no JSON: {reason}") from None
    if not isinstance(item, dict) or item.get("type") != "Feature" or "assets" not in item:
        kind = item.get("type") if isinstance(item, dict) else type(item).__name__
        raise WildLensError(
            f"{path}: is no STAC item (type Feature, with assets): found {str(kind)[:40]!r}; of a"
            " list of items (FeatureCollection), save each in a file of its own"
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
    """Each band's asset of a STAC item, and the SCL's, at the finest resolution.

    GeoTIFF goes before its JPEG 2000 twin.

    The 20 m and 60 m copies of a 10 m band are no substitute for it.
    """
    ranked: dict[str, tuple] = {}
    for key, asset in assets.items():
        match = _KEY.fullmatch(key)
        name = match and (_COMMON_NAMES.get(match[1]) or band_name(match[1]))
        if not name or not isinstance(asset, dict):
            continue
        resolution = _resolution(asset) or float(match[2] or 0)
        if name in _TEN_METRES and resolution > 10:
            continue
        rank = (resolution, bool(match[3]), key)
        if name not in ranked or rank < ranked[name][0]:
            ranked[name] = (rank, asset)
    return {name: asset for name, (_, asset) in ranked.items()}


def _band_file(path: Path, asset: dict) -> BandFile:
    file = _file(path, asset)
    resolution = _resolution(asset)
    if not resolution and isinstance(file, Path) and file.is_file():
        resolution = abs(raster.read_grid(file).affine.a)
    return BandFile(file, 1, resolution or math.inf)


def _resolution(asset: dict) -> float | None:
    """Pixel side in m, as the asset says it; None if it does not."""
    if transform := _transform(asset):
        return abs(transform.a)
    return _number(_raster(asset, "spatial_resolution")) or _number(asset.get("gsd"))


def _file(path: Path, asset: dict) -> File:
    href = asset.get("href")
    if not isinstance(href, str) or not href or "\0" in href or len(href) > _LONGEST:
        raise WildLensError(f"{path}: an asset has no href, found {str(href)[:40]!r}")
    beside = path.parent / PurePosixPath(href.partition("?")[0]).name
    if beside.suffix.lower() not in SUFFIXES:
        raise WildLensError(
            f"{path}: an asset is no GeoTIFF or JPEG 2000 by its name: {href[:100]!r}"
        )
    scheme, separator, rest = href.partition("://")
    if separator and scheme.lower() != "file":
        return beside
    name = PurePosixPath(rest if separator else href)
    if ".." in name.parts:
        raise WildLensError(f"{path}: href leads out of the item's folder: {href!r}")
    local = path.parent / name  # an absolute one stays what it is
    try:
        return local if local.is_file() else beside
    except OSError as error:  # a name that is too long
        raise WildLensError(f"{path}: href {href[:40]!r}: {error.strerror}") from None


def _radiometry(
    path: Path, properties: dict, assets: dict[str, dict]
) -> tuple[dict[str, int] | None, float]:
    """DN to add by band (None: nobody says), and the DN of reflectance 1."""
    scales = {_number(_raster(asset, "scale")) or 1e-4 for asset in assets.values()}
    if len(scales) != 1 or not 0 < min(scales) < 1:
        values = ", ".join(f"{s:g}" for s in sorted(scales))
        raise WildLensError(f"{path}: the scales of its bands are {values}, expected one below 1")
    scale = scales.pop()
    quantification = float(round(1 / scale, 6))
    if any(properties.get(flag) is True for flag in _FLAGS):
        return dict.fromkeys(assets, 0), quantification
    stated = {name: _number(_raster(asset, "offset")) for name, asset in assets.items()}
    if None not in stated.values():
        if max(map(abs, stated.values())) >= 1:
            raise WildLensError(f"{path}: an offset of its bands is 1 (in reflectance) or more")
        return {name: round(value / scale) for name, value in stated.items()}, quantification
    baseline = _baseline(properties)
    if baseline is None or baseline >= _FIRST_OF_OTHERS:
        return None, quantification
    shift = _SHIFT if baseline >= _FIRST_WITH_OFFSET else 0
    return dict.fromkeys(assets, shift), quantification


def _baseline(properties: dict) -> float | None:
    text = next((properties[key] for key in _BASELINES if key in properties), None)
    return _number(text) if re.fullmatch(r"\d\d?\.\d\d?", str(text), re.ASCII) else None


def _raster(asset: dict, key: str):
    """A value of the raster extension, in any of its places."""
    for holder in ("raster:bands", "bands"):
        entries = asset.get(holder)
        if isinstance(entries, list) and entries and isinstance(entries[0], dict):
            first = entries[0]
            value = first.get(key if holder == "raster:bands" else f"raster:{key}")
            if value is not None:
                return value
    return asset.get(f"raster:{key}")


def _number(value) -> float | None:
    """A finite number, also as text; else None."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None


def _transform(holder: dict) -> Affine | None:
    values = holder.get("proj:transform")
    if not isinstance(values, list) or len(values) not in (6, 9):
        return None
    numbers = [_number(v) for v in values[:6]]
    return None if None in numbers or not numbers[0] else Affine(*numbers)


def _grid(path: Path, properties: dict, asset: dict, file: File) -> GeoBox:
    """The grid of the finest band: of its file, where it is at hand, else as the item says."""
    if isinstance(file, Path) and file.is_file():
        return raster.read_grid(file)
    merged = properties | asset
    transform, shape = _transform(merged), merged.get("proj:shape")
    code = merged.get("proj:code") or merged.get("proj:epsg")
    code = f"EPSG:{code}" if isinstance(code, int) else code
    sound = isinstance(shape, list) and all(isinstance(n, int) for n in shape)
    if transform and sound and len(shape) == 2 and re.fullmatch(r"EPSG:\d{4,5}", str(code)):
        return raster.stated_grid(path, tuple(shape), transform, code)
    raise WildLensError(
        f"{path}: {file.name} is not beside it, and it does not say the grid (proj:code,"
        " proj:shape, proj:transform): download the bands into its folder"
    )


def _description(properties: dict) -> dict[str, str]:
    keys = {
        "product_uri": ("s2:product_uri",),
        "sensing_time": ("datetime",),
        "baseline": _BASELINES,
        "spacecraft": ("platform",),
        "tile": ("grid:code", "s2:mgrs_tile"),
    }
    found = {
        name: next((str(properties[k])[:200] for k in options if properties.get(k)), "")
        for name, options in keys.items()
    }
    return {name: text for name, text in found.items() if text}
