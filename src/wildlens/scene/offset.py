"""Which offset the numbers of a product need, from its metadata, the user, or the pixels.

Since baseline 04.00, 1000 is added to all digital numbers (DN), to be taken off again. Services
differ in whether they have done so, and flags are known to be wrong; what is stated is therefore
compared with the darkest visible pixels, which over land lie well below DN 1000 without it.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.scene.products.product import Product

log = logging.getLogger(__name__)

VISIBLE = ("B02", "B01", "B03", "B04")  # the bluer, the darker is vegetation
SHIFT = 1000  # DN that late baselines have added
MAX_NEGATIVE = 0.05  # share of pixels below reflectance 0 from which an offset is doubted
SAMPLE_SIDE = 1024  # px of the decimated read


@dataclass(frozen=True)
class Offset:
    """The DN to add to each band, and where that comes from: metadata, settings, or assumed."""

    of_band: dict[str, int]
    origin: str


def decide_offset(
    product: Product, bands: Sequence[str], given: int | None, *, doubt: str = "warn"
) -> Offset:
    """The offset of each wanted band of a product.

    Args:
        product: its metadata come first.
        bands: the wanted bands.
        given: DN to add to all bands, as the user says; for products without metadata.
        doubt: "warn" or "refuse": where the pixels contradict what is stated.

    Raises:
        WildLensError: `given` contradicts the metadata; the metadata leave out a wanted band;
            nobody states an offset and the pixels look as if one were needed; or they contradict
            what is stated, and `doubt` is "refuse".
    """
    stated = product.offset
    if stated is not None:
        offset = Offset({band: _stated(product, band) for band in bands}, "metadata")
        if given is not None and set(offset.of_band.values()) != {given}:
            values = ", ".join(map(str, sorted(set(offset.of_band.values()))))
            raise WildLensError(
                f"{product.path}: offset {given} is given, but the product's own metadata say "
                f"{values}: leave `offset` out"
            )
    elif given is not None:
        offset = Offset(dict.fromkeys(bands, given), "settings")
    else:
        offset = Offset(dict.fromkeys(bands, 0), "assumed")
    if given is None or given < 0:  # `offset: 0` means: I know
        _compare_with_pixels(product, offset, refuse=doubt == "refuse")
    return offset


def _stated(product: Product, band: str) -> int:
    if band not in product.offset:
        raise WildLensError(f"{product.path}: its metadata state offsets, but none for {band}")
    return product.offset[band]


def _compare_with_pixels(product: Product, offset: Offset, *, refuse: bool) -> None:
    band = next((b for b in VISIBLE if b in product.bands and _exists(product, b)), None)
    if band is None:
        if offset.origin == "assumed":
            log.warning(
                "%s: nothing says whether +1000 is in its numbers, and no visible band shows it; "
                "offset 0 is assumed", product.path,
            )  # fmt: skip
        return
    numbers = _sample(product, band)
    if not numbers.size:
        return
    added = offset.of_band.get(band, max(offset.of_band.values()))
    dark = np.percentile(numbers, 1)
    negative = np.mean(numbers + added <= 0)
    if added == 0 and dark >= SHIFT:
        finding = (
            f"{product.path}: 99 % of the pixels of {band} have DN {dark:.0f} or more: looks as if "
            f"the offset of +{SHIFT} were still in the numbers"
        )
        if offset.origin == "assumed":
            raise WildLensError(
                f"{finding}; give `offset: -{SHIFT}`, or `offset: 0` if they are right"
            )
        _contradict(f"{finding}, but its metadata state none", refuse)
    elif added < 0 and negative > MAX_NEGATIVE:
        _contradict(
            f"{product.path}: with offset {added} ({offset.origin}), {100 * negative:.0f} % of the"
            f" pixels of {band} fall below 0: looks as if it had been applied before",
            refuse,
        )


def _contradict(finding: str, refuse: bool) -> None:
    if refuse:
        raise WildLensError(f"{finding} (scene.offset_doubt is 'refuse')")
    log.warning("WARNING: %s", finding)


def _exists(product: Product, band: str) -> bool:
    return product.bands[band].path.is_file()


def _sample(product: Product, band: str) -> np.ndarray:
    """Valid DN of a band from a decimated read, int64, any order."""
    file = product.bands[band]
    with raster.open_raster(file.path) as dataset:
        shape = [min(side, SAMPLE_SIDE) for side in dataset.shape]
        numbers = raster.read(dataset, file.index, out_shape=tuple(shape)).astype(np.int64)
        nodata = dataset.nodatavals[file.index - 1]
    valid = numbers > 0
    if nodata is not None:
        valid &= numbers != nodata
    return numbers[valid]
