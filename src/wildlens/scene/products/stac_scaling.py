"""Scale and offset that a STAC item states for its bands.

Catalogues differ in who subtracts the +1000 of late baselines. The sources are, in this order: the
flag that the provider has subtracted it (Earth Search states the offset in `raster:bands`
nevertheless); scale and offset of the asset; the baseline. Baselines of 90 and more are not ESA's;
for them, and for items without these fields, the offset is unknown. Flags may be wrong, so
`wildlens.scene.scaling` compares them with the pixels.
"""

from pathlib import Path

from wildlens.errors import WildLensError
from wildlens.scene.products.stac_fields import baseline_of, number, raster_value

FIRST_WITH_OFFSET = 4.0  # baseline
FIRST_OF_OTHERS = 90.0  # baselines from here on are of other processors than ESA's
_FLAGS = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_SHIFT = -1000


def scaling_of(
    path: Path, properties: dict, assets: dict[str, dict]
) -> tuple[dict[str, int] | None, float]:
    """DN to add by band (None: not stated), and the DN of reflectance 1."""
    scales = {number(raster_value(asset, "scale")) or 1e-4 for asset in assets.values()}
    if len(scales) != 1 or not 0 < min(scales) < 1:
        values = ", ".join(f"{s:g}" for s in sorted(scales))
        raise WildLensError(f"{path}: the scales of its bands are {values}, expected one below 1")
    scale = scales.pop()
    quantification = float(round(1 / scale, 6))
    if any(properties.get(flag) is True for flag in _FLAGS):
        return dict.fromkeys(assets, 0), quantification
    stated = {name: number(raster_value(asset, "offset")) for name, asset in assets.items()}
    if None not in stated.values():
        if max(map(abs, stated.values())) >= 1:
            raise WildLensError(f"{path}: an offset of its bands is 1 (in reflectance) or more")
        return {name: round(value / scale) for name, value in stated.items()}, quantification
    baseline = baseline_of(properties)
    if baseline is None or baseline >= FIRST_OF_OTHERS:
        return None, quantification
    shift = _SHIFT if baseline >= FIRST_WITH_OFFSET else 0
    return dict.fromkeys(assets, shift), quantification
