"""Values of STAC items and their assets, in the fields that the catalogues use."""

import math
import re

from affine import Affine

# in this order
BASELINES = ("s2:processing_baseline", "processing:version", "sentinel:processing_baseline")


def number(value) -> float | None:
    """A finite number, also as text; else None."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) and not isinstance(value, bool) else None


def raster_value(asset: dict, key: str):
    """A value of the raster extension, in any of its fields."""
    for holder in ("raster:bands", "bands"):
        entries = asset.get(holder)
        if isinstance(entries, list) and entries and isinstance(entries[0], dict):
            first = entries[0]
            value = first.get(key if holder == "raster:bands" else f"raster:{key}")
            if value is not None:
                return value
    return asset.get(f"raster:{key}")


def transform_of(holder: dict) -> Affine | None:
    """The affine transform that an item or asset states."""
    values = holder.get("proj:transform")
    if not isinstance(values, list) or len(values) not in (6, 9):
        return None
    numbers = [number(v) for v in values[:6]]
    return None if None in numbers or not numbers[0] else Affine(*numbers)


def crs_code(holder: dict) -> str | None:
    """The EPSG code that an item or asset states, as EPSG:NNNNN."""
    code = holder.get("proj:code") or holder.get("proj:epsg")
    code = f"EPSG:{code}" if isinstance(code, int) else str(code)
    return code if re.fullmatch(r"EPSG:\d{4,5}", code, re.ASCII) else None


def resolution_of(asset: dict) -> float | None:
    """Pixel side in m, as the asset states it; None if it does not."""
    if transform := transform_of(asset):
        return abs(transform.a)
    return number(raster_value(asset, "spatial_resolution")) or number(asset.get("gsd"))


def baseline_of(properties: dict) -> float | None:
    """The processing baseline; None if the item states none of the form 05.10."""
    text = next((properties[key] for key in BASELINES if key in properties), None)
    return number(text) if re.fullmatch(r"\d\d?\.\d\d?", str(text), re.ASCII) else None
