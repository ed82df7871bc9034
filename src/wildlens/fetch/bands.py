"""Atomic download of the requested window of each band."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio.windows import Window

from wildlens.errors import WildLensError
from wildlens.fetch.address import check_address, shown
from wildlens.fetch.area import Area, window_of
from wildlens.fetch.remote import RemoteBand, open_band
from wildlens.fetch.web import Web
from wildlens.files import raster
from wildlens.progress import Transfer

TAG = "wildlens_fetched"


@dataclass(frozen=True)
class BandRequest:
    """One band to download.

    Attributes:
        band: its name, which also names the file.
        address: http or https address of the source.
        kind: media type that the catalogue states.
        path: GeoTIFF to write.
        area: the area whose box the file must cover; None for all of the source.
    """

    band: str
    address: str
    kind: str
    path: Path
    area: Area | None

    @property
    def tag(self) -> str:
        """Source and area of the file, stored in it to detect files of other requests."""
        box = " ".join(f"{side:.7f}" for side in self.area.box) if self.area else "whole"
        return f"{shown(self.address)} {box}"

    def is_done(self) -> bool:
        """Whether the file exists, with this address and area."""
        if not self.path.is_file():
            return False
        try:
            with rasterio.open(self.path) as dataset:
                return dataset.tags().get(TAG) == self.tag
        except rasterio.errors.RasterioIOError:
            return False


def band_request(
    band: str, asset: Mapping, path: Path, area: Area | None, name: str
) -> BandRequest:
    """The request for an asset of the item `name`; its http address, if it has several."""
    options = [asset.get("href")]
    alternates = asset.get("alternate")
    if isinstance(alternates, dict):
        others = [alternates.get("https"), *alternates.values()]
        options += [other.get("href") for other in others if isinstance(other, dict)]
    options = [o for o in options if isinstance(o, str)]
    address = next((o for o in options if o.lower().startswith(("https://", "http://"))), None)
    if address is None or len(address) > 2000:
        place = repr(shown(options[0])) if options else "nothing"
        raise WildLensError(f"{name}: {band} has no http or https address: its href is {place}")
    check_address(address)
    return BandRequest(band, address, str(asset.get("type", ""))[:200], path, area)


def fetch_bands(web: Web, bands: list[BandRequest], name: str) -> None:
    """Download bands in parallel; each file appears when it is complete.

    Raises:
        WildLensError: a band could not be downloaded, or does not touch its area; finished files
            are kept, so that another call resumes with the others.
    """
    limit = int(web.settings.max_gb * 1e9)
    stop = threading.Event()
    begun = web.received
    shares = dict.fromkeys((one.band for one in bands), 0.0)
    connections = min(web.settings.connections, len(bands) or 1)
    with ThreadPoolExecutor(connections) as pool, Transfer(f"fetch {name}") as progress:
        pending = {pool.submit(_fetch, web, one, limit, shares, stop) for one in bands}
        try:
            while pending:
                done, pending = wait(pending, timeout=1, return_when=FIRST_EXCEPTION)
                for one in done:
                    one.result()
                progress.update(sum(shares.values()) / len(shares), web.received - begun)
        finally:
            stop.set()


def _fetch(
    web: Web, one: BandRequest, limit: int, shares: dict[str, float], stop: threading.Event
) -> None:
    """Download one band, unless stopped; its finished share is written to `shares`."""
    if stop.is_set():
        return
    with open_band(web, one.address, one.kind, limit) as band:
        window = window_of(band.dataset, one.area)
        if window is None:
            raise WildLensError(f"{shown(one.address)}: does not touch the area")
        grid = raster.grid_of(band.dataset)[window.toslices()]
        with raster.writing_geotiff(
            one.path, grid, count=1, dtype=band.dataset.dtypes[0], nodata=band.nodata,
            tags={TAG: one.tag}, descriptions=[one.band],
        ) as target:  # fmt: skip
            target.scales, target.offsets = band.dataset.scales, band.dataset.offsets
            for part in _rows(band, window):
                if stop.is_set():
                    raise WildLensError("stopped")
                if web.received > limit:
                    raise WildLensError(
                        f"{shown(one.address)}: more than {web.settings.max_gb:g} GB for a product:"
                        " take a smaller area, or raise fetch.max_gb"
                    )
                inner = Window(0, part.row_off - window.row_off, part.width, part.height)
                target.write(band.read(part), 1, window=inner)
                shares[one.band] += part.height / window.height


def _rows(band: RemoteBand, window: Window) -> Iterator[Window]:
    """A window by rows of the file's own blocks, so that none is requested twice."""
    height = max(band.dataset.block_shapes[0][0], 256)
    top, bottom = window.row_off, window.row_off + window.height
    while top < bottom:
        end = min(bottom, (top // height + 1) * height)
        yield Window(window.col_off, top, window.width, end - top)
        top = end
