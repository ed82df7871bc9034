"""Several products in one scene: their order, and warnings about unsuitable combinations."""

import itertools
import logging
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from wildlens.errors import WildLensError
from wildlens.scene.open_band import open_bands
from wildlens.scene.products import Product
from wildlens.scene.products.product import SCL, parse_time

log = logging.getLogger(__name__)

ONE_OVERPASS = timedelta(minutes=10)  # the next orbit that sees the same land is 100 minutes later


def check_distinct(products: Sequence[Product]) -> None:
    """Refuse a product that is listed twice; warn if two show the same ground or several dates.

    Raises:
        WildLensError: one file or folder is listed twice.
    """
    for one, other in itertools.combinations(products, 2):
        if str(one.path.resolve() if hasattr(one.path, "resolve") else one.path) == str(
            other.path.resolve() if hasattr(other.path, "resolve") else other.path
        ):
            raise WildLensError(f"{other.path}: is listed twice: leave one out")
        if _are_of_one_overpass(one, other):
            log.warning(
                "%s and %s: are of the same overpass and tile; where both are valid, only the"
                " clearer one is used: leave out the older processing", one.path, other.path,
            )  # fmt: skip
        elif one.grid == other.grid:
            log.warning(
                "%s and %s: cover the same ground; where both are valid, only the clearer one is"
                " used", one.path, other.path,
            )  # fmt: skip
    dates = {product.description.get("sensing_time", "")[:10] for product in products} - {""}
    if len(dates) > 1:
        log.warning(
            "%s: are of %d dates (%s): the seams between dates may be learnt as features",
            ", ".join(p.name for p in products), len(dates), ", ".join(sorted(dates)),
        )  # fmt: skip


def clearest_first(products: Sequence[Product], masked: Sequence[int]) -> list[Product]:
    """Products by the share of their valid pixels whose scene class (SCL) is not masked.

    Counted on every n-th pixel, at most 1024 x 1024. Products of equal shares keep their order,
    and so do all if one of them has no scene classification.
    """
    if len(products) == 1 or not masked:
        return list(products)
    absent = [product.name for product in products if product.scl is None]
    if absent:
        log.warning(
            "%s: has no scene classification (SCL): where products overlap, the order of the list"
            " decides", ", ".join(absent),
        )  # fmt: skip
        return list(products)
    shares = [_clear_share(product, masked) for product in products]
    order = sorted(range(len(products)), key=lambda i: -shares[i])
    for i in order:
        log.info("%s: %.1f %% of its pixels are clear", products[i].name, 100 * shares[i])
    return [products[i] for i in order]


def _are_of_one_overpass(one: Product, other: Product) -> bool:
    """Whether two products show the same tile at the same time, also in two processings."""
    tiles = {
        product.description.get("tile", "").removeprefix("MGRS-").removeprefix("T").zfill(5)
        for product in (one, other)
    }
    times = [parse_time(product.description.get("sensing_time", "")) for product in (one, other)]
    if len(tiles) != 1 or tiles == {"00000"} or None in times:
        return False
    return abs(times[0] - times[1]) <= ONE_OVERPASS


def _clear_share(product: Product, masked: Sequence[int]) -> float:
    with open_bands({SCL: product.scl}) as opened:
        classes = opened[SCL].sample()
    valid = classes[classes != 0]
    return float(np.mean(~np.isin(valid, masked))) if valid.size else 0.0
