"""Download of a product: only the requested bands, cut to the requested area."""

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
from wildlens.fetch.address import shown
from wildlens.fetch.area import Area, area_of, share_of, window_of
from wildlens.fetch.bands import band_request, fetch_bands
from wildlens.fetch.catalogues import Catalogue, catalogue_of, tokens_of
from wildlens.fetch.choice import (
    CLOUDY,
    Candidate,
    assets_of,
    candidate_of,
    candidates,
    choose,
    one_per_tile,
)  # fmt: skip
from wildlens.fetch.item import as_text, local_item
from wildlens.fetch.remote import open_band
from wildlens.fetch.search import read_item, search
from wildlens.fetch.web import Web
from wildlens.files.atomic import atomic, write_text
from wildlens.provenance import digest
from wildlens.scene.products import open_product
from wildlens.scene.products.product import SCL
from wildlens.settings import Fetch, FetchRequest

log = logging.getLogger(__name__)

CHOSEN = "chosen.json"  # next to the item: the chosen product, from which a second call resumes


def fetch_product(
    output: Path, request: FetchRequest, bands: Sequence[str], settings: Fetch
) -> None:
    """Find a product and download its bands, and its scene classification, as a folder of files.

    The folder holds `output`, a STAC item, and one GeoTIFF per band with the digital numbers of the
    server, cut to the area's box in steps of 60 m: `wildlens scene` reads it. A second call with
    the same request resumes: with the product that was chosen, and without the finished bands.

    Args:
        output: the STAC item to write, last of all; its folder is the product's.
        request: one product, or area, time and cloud cover to search for.
        bands: Sentinel-2 bands.
        settings: the catalogue, and limits of requests.

    Raises:
        WildLensError: no product is found or clear enough, a server fails or contradicts itself,
            or the product lacks a band.
    """
    catalogue = catalogue_of(settings)
    web = Web(settings)
    web.tokens = tokens_of(catalogue, web)
    area = area_of(request.box, Path(request.polygons) if request.polygons else None)
    asked = _asked(request, catalogue, settings)
    folder = output.parent
    chosen = _chosen_before(folder / CHOSEN, asked, bands)
    if chosen is None:
        chosen = _choose(web, catalogue, request, bands, area)
        origin = {"asked": asked, "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
        origin["version"] = __version__
        write_text(folder / CHOSEN, json.dumps(origin | {"item": chosen.item}))
    _fetch(web, output, chosen, bands, area)


def clearest(request: FetchRequest, bands: Sequence[str], settings: Fetch) -> list[str]:
    """A table of the clearest product of each tile that touches the area, one line per tile.

    Nothing is downloaded; cloud cover and footprint are those of the catalogue.
    """
    catalogue = catalogue_of(settings)
    area = area_of(request.box, Path(request.polygons) if request.polygons else None)
    if request.item or area is None:
        raise WildLensError("--list searches for products: give an area and dates")
    items = search(Web(settings), catalogue, request, area)
    ranked = candidates(items, request, bands, area, _source(catalogue))
    lines = ["tile   date        cloud cover  share of the area  product"]
    return lines + [
        f"{c.tile:<6} {c.date:<11} {c.cloud_text:>11}  {100 * c.covers:>15.0f} %  {c.name}"
        for c in one_per_tile(ranked)
    ]


def _source(catalogue: Catalogue) -> str:
    return f"{catalogue.collection} at {shown(catalogue.address)}"


def _asked(request: FetchRequest, catalogue: Catalogue, settings: Fetch) -> dict:
    """Everything that the choice depends on."""
    polygons = digest(Path(request.polygons)) if request.polygons else None
    return request.model_dump(mode="json") | {
        "polygons": polygons,
        "catalogue": catalogue.address,
        "collection": catalogue.collection,
        "candidates": settings.candidates,
        "min_clear": settings.min_clear,
    }


def _chosen_before(path: Path, asked: dict, bands: Sequence[str]) -> Candidate | None:
    """The product that an earlier call chose for the same request, if it has the bands."""
    try:
        before = json.loads(path.read_bytes())
        item = before["item"]
        if before["asked"] != asked or set(bands) - set(assets_of(item, bands)):
            return None
        candidate = candidate_of(item, None)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    log.info("%s: was chosen before; resuming", candidate.name)
    return candidate


def _choose(
    web: Web, catalogue: Catalogue, request: FetchRequest, bands: Sequence[str], area: Area | None
) -> Candidate:
    settings = web.settings
    if request.item:
        one = candidate_of(read_item(web, request.item), area)
        missing = [band for band in bands if band not in assets_of(one.item, bands)]
        if missing:
            raise WildLensError(f"{shown(request.item)}: has no {', '.join(missing)}")
        return one
    items = search(web, catalogue, request, area)
    ranked = candidates(items, request, bands, area, _source(catalogue))
    log.info(
        "%s: %d items of %d tiles and days",
        shown(catalogue.address), len(items), len(ranked),
    )  # fmt: skip
    chosen = choose(
        ranked[: settings.candidates],
        lambda candidate: _clear_share(web, candidate, area),
        settings.min_clear,
    )
    if chosen.covers < 0.995:
        log.warning(
            "%s: covers %.0f %% of the area; the rest lies on other tiles, listed by `wildlens"
            " fetch --list`", chosen.name, 100 * chosen.covers,
        )  # fmt: skip
    return chosen


def _clear_share(web: Web, candidate: Candidate, area: Area) -> float | None:
    """Share of the area without clouds by the scene classification; None without one."""
    scl = assets_of(candidate.item, [])
    if SCL not in scl:
        return None
    one = band_request(SCL, scl[SCL], Path(), area, candidate.name)
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
    requests = [
        band_request(name, asset, folder / f"{name}.tif", area, chosen.name)
        for name, asset in assets.items()
    ]
    missing = [one for one in requests if not one.is_done()]
    started = time.monotonic()
    fetch_bands(web, missing, folder.name)
    files = {one.band: one.path for one in requests}
    with atomic(output) as temporary:
        temporary.write_text(as_text(local_item(chosen.item, files, origin)), encoding="utf-8")
        open_product(temporary)  # an item that cannot be read is an error here
    seconds = max(time.monotonic() - started, 1e-6)
    log.info(
        "%s: %s, %s; %d of %d bands fetched, %.1f MB in %.0f s (%.2g MB/s)",
        output, chosen.name, " ".join(files), len(missing), len(files), web.received / 1e6, seconds,
        web.received / 1e6 / seconds,
    )  # fmt: skip
