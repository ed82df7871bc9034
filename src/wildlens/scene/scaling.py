"""Scale and offset of a product's digital numbers, from metadata, file tags, settings, or pixels.

Since baseline 04.00, 1000 is added to all digital numbers (DN) and must be subtracted. Services
differ in whether they have done so, and flags may be wrong. The stated offset is therefore compared
with the darkest visible pixels, which over land are well below DN 1000 without the offset.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from wildlens.errors import WildLensError
from wildlens.scene.open_band import OpenBand, open_bands
from wildlens.scene.products.product import Product
from wildlens.scene.resampling import is_reflectance

log = logging.getLogger(__name__)

VISIBLE = ("B02", "B01", "B03", "B04")  # the bluer, the darker is vegetation
ADDED = 0.1  # reflectance that late baselines add: DN 1000
MAX_NEGATIVE = 0.05  # share of pixels below reflectance 0 that contradicts an offset
MAX_SCALE = 0.01  # of a file's tags: with more, DN 100 would be more than reflectance 1
Conflict = Literal["warn", "refuse"]


@dataclass(frozen=True)
class Scaling:
    """Reflectance = (DN + offset) / quantification, for each band.

    Attributes:
        offset: DN to add, by band.
        quantification: DN of reflectance 1, by band.
        origin: "metadata", "file tags", "settings" or "assumed".
    """

    offset: dict[str, float]
    quantification: dict[str, float]
    origin: str


def decide_scaling(
    product: Product, bands: Sequence[str], given: int | None, *, conflict: Conflict = "warn"
) -> Scaling:
    """Scale and offset of the requested bands of a product.

    The product's metadata come first, then scale and offset in the tags of its files, then `given`;
    without any, offset 0 is assumed. Where tags state a scale alone, `given` is the offset.

    Args:
        given: DN to add to all bands, as set by the user; for products without metadata.
        conflict: what happens if tags or pixels contradict the scaling that is used.

    Raises:
        WildLensError: `given` contradicts metadata or tags; metadata or tags omit a requested band,
            or are no scaling of integers; nothing states an offset and the pixels look as if one
            were needed; tags or pixels contradict the scaling, and `conflict` is "refuse".
    """
    refuse = conflict == "refuse"
    tags = _file_tags(product, bands)
    if product.offset is not None:
        scaling = _from_metadata(product, bands)
        _compare_with_tags(product, scaling, tags, refuse=refuse)
    elif tags:
        scaling = _from_tags(product, bands, tags)
    else:
        scaling = _unstated(bands, product.quantification)
    # a scale in the tags does not determine the offset: 0 may mean that it was not set
    is_open = product.offset is None and not any(scaling.offset.values())
    if given is not None and is_open:
        scaling = replace(scaling, offset=dict.fromkeys(bands, given), origin="settings")
    elif given is not None and set(scaling.offset.values()) != {given}:
        values = ", ".join(f"{value:g}" for value in sorted(set(scaling.offset.values())))
        raise WildLensError(
            f"{product.path}: offset {given} is given, but the product's {_says(scaling)} {values}:"
            " leave `offset` out"
        )
    if given is None or given < 0:  # `offset: 0` means that the user has decided
        _compare_with_pixels(product, scaling, is_open=is_open, refuse=refuse)
    return scaling


def _says(scaling: Scaling) -> str:
    return "file tags say" if scaling.origin == "file tags" else "own metadata say"


def _unstated(bands: Sequence[str], quantification: float) -> Scaling:
    return Scaling(dict.fromkeys(bands, 0), dict.fromkeys(bands, quantification), "assumed")


def _from_metadata(product: Product, bands: Sequence[str]) -> Scaling:
    absent = [band for band in bands if band not in product.offset]
    if absent:
        raise WildLensError(
            f"{product.path}: its metadata state offsets, but none for {', '.join(absent)}"
        )
    return Scaling(
        {band: product.offset[band] for band in bands},
        dict.fromkeys(bands, product.quantification),
        "metadata",
    )


def _file_tags(product: Product, bands: Sequence[str]) -> dict[str, tuple[float, float]]:
    """Offset (DN) and quantification by band, where a band's file states scale or offset."""
    there = {band: product.bands[band] for band in bands if product.bands[band].path.is_file()}
    with open_bands(there) as opened:
        stated = {
            name: _checked(band, *band.stated_scaling)
            for name, band in opened.items()
            if band.stated_scaling is not None
        }
    return stated


def _checked(band: OpenBand, scale: float, offset: float) -> tuple[float, float]:
    """Offset in DN and quantification from a file's scale and offset, which must be possible."""
    if scale == 1 and abs(offset) >= 1 and np.isfinite(offset):  # in DN
        return round(offset, 6), 10_000.0
    if not 0 < scale < MAX_SCALE or not abs(offset) < 1:
        raise WildLensError(
            f"{band.dataset.name}: its tags state scale {scale:g} and offset {offset:g}, which do"
            " not give reflectance: correct them (gdal_edit.py -scale 0.0001 -offset 0)"
        )
    return round(offset / scale, 6), round(1 / scale, 6)


def _from_tags(
    product: Product, bands: Sequence[str], tags: dict[str, tuple[float, float]]
) -> Scaling:
    absent = [band for band in bands if band not in tags]
    if absent:
        raise WildLensError(
            f"{product.path}: the tags of {', '.join(tags)} state scale and offset, those of"
            f" {', '.join(absent)} do not: state them in all bands, or in none"
        )
    return Scaling(
        {band: tags[band][0] for band in bands}, {band: tags[band][1] for band in bands},
        "file tags",
    )  # fmt: skip


def _compare_with_tags(
    product: Product, scaling: Scaling, tags: dict[str, tuple[float, float]], *, refuse: bool
) -> None:
    for band, (offset, quantification) in tags.items():
        used = scaling.offset[band], scaling.quantification[band]
        if not np.allclose(used, (offset, quantification), rtol=1e-6, atol=0.5):
            _contradict(
                f"{product.path}: its metadata state offset {used[0]:g} and quantification"
                f" {used[1]:g} for {band}, the tags of the file {offset:g} and {quantification:g};"
                " the metadata are used",
                refuse,
            )
            return


def _compare_with_pixels(
    product: Product, scaling: Scaling, *, is_open: bool, refuse: bool
) -> None:
    """Compare the offset with the darkest pixels of the bluest band.

    Args:
        is_open: nothing but the settings states an offset.
    """
    there = (b for b in VISIBLE if b in product.bands and product.bands[b].path.is_file())
    band = next(there, None)
    if band is None:
        if scaling.origin == "assumed":
            log.warning(
                "%s: nothing states whether +1000 is in its numbers, and no visible band shows it; "
                "offset 0 is assumed", product.path,
            )  # fmt: skip
        return
    numbers = _sample(product, band)
    if not numbers.size:
        return
    like = band if band in scaling.offset else max(scaling.offset, key=scaling.offset.get)
    offset, quantification = scaling.offset[like], scaling.quantification[like]
    dark = np.percentile(numbers, 1)
    negative = np.mean(numbers + offset <= 0)
    shift = round(ADDED * quantification)
    if offset == 0 and dark >= shift:
        finding = (
            f"{product.path}: 99 % of the pixels of {band} have DN {dark:.0f} or more: looks as if "
            f"the offset of +{shift} were still in the numbers"
        )
        if is_open:
            raise WildLensError(
                f"{finding}; give `offset: -{shift}`, or `offset: 0` if they are right"
            )
        _contradict(f"{finding}, but its metadata state none", refuse)
    elif offset < 0 and negative > MAX_NEGATIVE:
        _contradict(
            f"{product.path}: with offset {offset:g} ({scaling.origin}), {100 * negative:.0f} % of"
            f" the pixels of {band} fall below 0: looks as if it had been applied before",
            refuse,
        )


def _contradict(finding: str, refuse: bool) -> None:
    if refuse:
        raise WildLensError(f"{finding} (scene.offset_conflict is 'refuse')")
    log.warning("WARNING: %s", finding)


def _sample(product: Product, band: str) -> np.ndarray:
    """Valid DN of a band from a decimated read, int64, any order."""
    with open_bands({band: product.bands[band]}) as opened:
        numbers = opened[band].sample()
        return numbers[is_reflectance(numbers)].astype(np.int64) - opened[band].shift
