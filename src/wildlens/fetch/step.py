"""From a catalogue to a product on the disk: the bands and the land that are wanted, no more."""

import json
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from wildlens import __version__
from wildlens.errors import WildLensError
from wildlens.fetch.area import Area, area_of, share_of, window_of
from wildlens.fetch.bands import fetch_bands, wish
from wildlens.fetch.catalogues import Catalogue, catalogue_of, tokens_of
from wildlens.fetch.choice import (
    CLOUDY,
    Candidate,
    assets_of,
    candidate_of,
    candidates,
    choose,
    one_a_tile,
)  # fmt: skip
from wildlens.fetch.item import as_text, local_item
from wildlens.fetch.remote import open_band
from wildlens.fetch.search import read_item, search
from wildlens.fetch.web import Web, shown
from wildlens.files.atomic import atomic, write_text
from wildlens.provenance import digest
from wildlens.scene.products import open_product
from wildlens.scene.products.product import SCL
from wildlens.settings import Fetch, Wanted

log = logging.getLogger(__name__)

CHOSEN = "chosen.json"  # beside the item: what was chosen, so that a second call goes on with it


def fetch_product(output: Path, wanted: Wanted, bands: Sequence[str], settings: Fetch) -> None:
    """Find a product and fetch its bands, and its scene classification, as a folder of files.

    The folder holds `output`, a STAC item, and one GeoTIFF a band with the digital numbers as they
    are on the server, cut to the area's box in steps of 60 m: `wildlens scene` reads it. A second
    call with the same wishes goes on where one was ended: with the product that was chosen, and
    without the bands that are there.

    Args:
        output: the STAC item to write, last of all; its folder is the product's.
        wanted: the product, or where, when and how clear it must be.
        bands: Sentinel-2 bands.
        settings: the catalogue, and how it is asked.

    Raises:
        WildLensError: no product is found or clear enough, a server fails or does not keep to what
            it says, or the product lacks a band.
    """
    catalogue = catalogue_of(settings)
    web = Web(settings)
    web.tokens = tokens_of(catalogue, web)
    area = area_of(wanted.box, Path(wanted.polygons) if wanted.polygons else None)
    asked = _asked(wanted, catalogue, settings)
    folder = output.parent
    chosen = _chosen_before(folder / CHOSEN, asked, bands)
    if chosen is None:
        chosen = _choose(web, catalogue, wanted, bands, area)
        origin = {"asked": asked, "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        origin["version"] = __version__
        write_text(folder / CHOSEN, json.dumps(origin | {"item": chosen.item}))
    _fetch(web, output, chosen, bands, area)


def clearest(wanted: Wanted, bands: Sequence[str], settings: Fetch) -> list[str]:
    """What there is to fetch: the clearest product of each tile that touches the area, a line each.

    Nothing is fetched; clear is what the catalogue says of cloud and outline.
    """
    catalogue = catalogue_of(settings)
    area = area_of(wanted.box, Path(wanted.polygons) if wanted.polygons else None)
    if wanted.item or area is None:
        raise WildLensError("--list looks for products: give an area and dates")
    items = search(Web(settings), catalogue, wanted, area)
    ranked = candidates(items, wanted, bands, area, _source(catalogue))
    lines = ["tile   date        cloud   holds of the area  product"]
    return lines + [
        f"{c.tile:<6} {c.date:<11} {c.cloud:>4.1f} %  {100 * c.covers:>15.0f} %  {c.name}"
        for c in one_a_tile(ranked)
    ]


def _source(catalogue: Catalogue) -> str:
    return f"{catalogue.collection} at {shown(catalogue.address)}"


def _asked(wanted: Wanted, catalogue: Catalogue, settings: Fetch) -> dict:
    """All that the choice depends on."""
    polygons = digest(Path(wanted.polygons)) if wanted.polygons else None
    return wanted.model_dump(mode="json") | {
        "polygons": polygons,
        "catalogue": catalogue.address,
        "collection": catalogue.collection,
        "looked_at": settings.looked_at,
        "min_clear": settings.min_clear,
    }


def _chosen_before(path: Path, asked: dict, bands: Sequence[str]) -> Candidate | None:
    """What an earlier call chose for the same wishes, if it has the bands."""
    try:
        before = json.loads(path.read_bytes())
        item = before["item"]
        if before["asked"] != asked or set(bands) - set(assets_of(item, bands)):
            return None
        candidate = candidate_of(item, None)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    log.info("%s: was chosen before, goes on", candidate.name)
    return candidate


def _choose(
    web: Web, catalogue: Catalogue, wanted: Wanted, bands: Sequence[str], area: Area | None
) -> Candidate:
    settings = web.settings
    if wanted.item:
        one = candidate_of(read_item(web, wanted.item), area)
        missing = [band for band in bands if band not in assets_of(one.item, bands)]
        if missing:
            raise WildLensError(f"{shown(wanted.item)}: has no {', '.join(missing)}")
        return one
    items = search(web, catalogue, wanted, area)
    ranked = candidates(items, wanted, bands, area, _source(catalogue))
    log.info(
        "%s: %d items, %d tiles and days to choose among",
        shown(catalogue.address), len(items), len(ranked),
    )  # fmt: skip
    chosen = choose(
        ranked[: settings.looked_at],
        lambda candidate: _clear_share(web, candidate, area),
        settings.min_clear,
    )
    if chosen.covers < 0.995:
        log.warning(
            "%s: holds %.0f %% of the area, the rest lies on other tiles: `wildlens fetch --list`"
            " names them", chosen.name, 100 * chosen.covers,
        )  # fmt: skip
    return chosen


def _clear_share(web: Web, candidate: Candidate, area: Area) -> float | None:
    """Share of the area without clouds by the scene classification; None without one."""
    scl = assets_of(candidate.item, [])
    if SCL not in scl:
        return None
    one = wish(SCL, scl[SCL], Path(), area, candidate.name)
    with open_band(web, one.address, one.kind, int(web.settings.max_gb * 1e9)) as band:
        window: Window | None = window_of(band.dataset, area)
        if window is None:
            return 0.0
        clear = ~np.isin(band.read(window), CLOUDY)
        return share_of(area, clear, band.dataset, window)


def _fetch(
    web: Web, output: Path, chosen: Candidate, bands: Sequence[str], area: Area | None
) -> None:
    folder = output.parent
    origin = json.loads((folder / CHOSEN).read_bytes())
    del origin["item"]
    assets = assets_of(chosen.item, bands)
    wishes = [
        wish(name, asset, folder / f"{name}.tif", area, chosen.name)
        for name, asset in assets.items()
    ]
    missing = [one for one in wishes if not one.is_done()]
    started = time.monotonic()
    fetch_bands(web, missing, folder.name)
    files = {one.band: one.path for one in wishes}
    with atomic(output) as temporary:
        temporary.write_text(as_text(local_item(chosen.item, files, origin)), encoding="utf-8")
        open_product(temporary)  # what no reader understands is not handed on
    seconds = max(time.monotonic() - started, 1e-6)
    log.info(
        "%s: %s, %s; %d of %d bands fetched, %.1f MB in %.0f s (%.2g MB/s)",
        output, chosen.name, " ".join(files), len(missing), len(files), web.received / 1e6, seconds,
        web.received / 1e6 / seconds,
    )  # fmt: skip
