"""Choice among products: the one that shows the largest clear share of the area.

Products are ranked by the catalogue's metadata: clear = share of the area in the footprint x
(1 - cloud cover); of one tile and day, only the newest processing is kept. Products without a
stated cloud cover come last. For the first few, the scene classification (SCL) over the area is
read, since a tile of 12,000 km2 may be cloudy elsewhere.
"""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from wildlens.errors import WildLensError
from wildlens.fetch.area import Area
from wildlens.scene.products.product import SCL, parse_time
from wildlens.scene.products.stac import finest_assets
from wildlens.scene.products.stac_fields import baseline_of
from wildlens.scene.products.stac_scaling import FIRST_OF_OTHERS
from wildlens.settings import FetchRequest, Scene

log = logging.getLogger(__name__)

CLOUDY = tuple(Scene().mask_classes)  # classes that scenes mask by default
LONGEST = 200  # characters of a name
_PROCESSED = ("s2:generation_time", "processing:datetime", "created", "updated")
_TILE = re.compile(r"\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]", re.ASCII)


@dataclass(frozen=True)
class Candidate:
    """An item that may be chosen.

    Attributes:
        name: its id, without characters that cannot be printed.
        tile: its tile of the Sentinel-2 grid, such as 34WDA; empty if not stated.
        date: day of sensing (UTC), YYYY-MM-DD.
        cloud: cloud cover of the whole tile, %; None if not stated.
        covers: share of the area in its footprint.
    """

    item: dict
    name: str
    tile: str
    date: str
    cloud: float | None
    covers: float

    @property
    def clear(self) -> float:
        """Expected clear share of the area; 0 without a stated cloud cover."""
        return 0.0 if self.cloud is None else self.covers * (1 - self.cloud / 100)

    @property
    def cloud_text(self) -> str:
        """Cloud cover as text."""
        return "not stated" if self.cloud is None else f"{self.cloud:.1f} %"


def candidate_of(item: dict, area: Area | None) -> Candidate:
    """An item as a candidate."""
    properties = item.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    cloud = properties.get("eo:cloud_cover")
    stated = isinstance(cloud, int | float) and not isinstance(cloud, bool) and 0 <= cloud <= 100
    sensed = parse_time(_printable(properties.get("datetime") or properties.get("start_datetime")))
    footprint = item.get("geometry")
    covers = area.share_in(footprint) if area and isinstance(footprint, dict) else 1.0
    return Candidate(
        item=item,
        name=_printable(item.get("id")),
        tile=_tile(properties),
        date=f"{sensed:%Y-%m-%d}" if sensed else "",
        cloud=float(cloud) if stated else None,
        covers=covers,
    )


def candidates(
    items: Sequence[dict], request: FetchRequest, bands: Sequence[str], area: Area, source: str
) -> list[Candidate]:
    """The items that meet a request, one for each tile and day, the clearest first.

    Raises:
        WildLensError: none is left; the message names the rule that none of the last ones met.
    """
    left = [candidate_of(item, area) for item in items]
    rules: list[tuple[Callable[[Candidate], bool], Callable[[], str]]] = [
        (
            lambda c: not request.tile or c.tile == request.tile.zfill(5),
            lambda: f"none is of tile {request.tile}, they are of {_some(c.tile for c in left)}",
        ),
        (
            lambda c: not _missing(c, bands),
            lambda: (
                f"none has all bands: {left[0].name} lacks {', '.join(_missing(left[0], bands))}"
            ),
        ),
        (
            lambda c: c.cloud is None or c.cloud <= request.max_cloud,
            lambda: (
                f"the clearest has {min(c.cloud for c in left):.0f} % cloud cover: raise"
                f" `max_cloud` ({request.max_cloud:g}) or widen `dates`"
            ),
        ),
        (lambda c: c.covers > 0, lambda: "none covers any of the area"),
    ]
    first, last = request.dates
    found = f"{source}: {len(left)} products from {first} to {last} over the area"
    if not left:
        raise WildLensError(f"{found}: widen `dates`, raise `max_cloud`, or look at the area")
    for holds, problem in rules:
        passed = [candidate for candidate in left if holds(candidate)]
        if not passed:
            raise WildLensError(f"{found}, but {problem()}")
        left = passed
    newest: dict[tuple[str, str], Candidate] = {}
    for candidate in sorted(left, key=_processing):
        newest[candidate.tile or candidate.name, candidate.date] = candidate
    return sorted(newest.values(), key=_rank)


def one_per_tile(ranked: Iterable[Candidate]) -> list[Candidate]:
    """The clearest candidate of each tile."""
    best: dict[str, Candidate] = {}
    for candidate in ranked:
        best.setdefault(candidate.tile, candidate)
    return list(best.values())


def choose(
    ranked: Sequence[Candidate], look: Callable[[Candidate], float | None], least: float
) -> Candidate:
    """The candidate of `ranked` with the largest clear share of the area.

    Args:
        look: clear share of the area by the scene classification; None without one.
        least: smallest share that is accepted.
    """
    seen: list[tuple[float, Candidate]] = []
    problem = None
    for candidate in ranked:
        try:
            measured = look(candidate)
            if measured is None and candidate.cloud is None:
                raise WildLensError(
                    f"{candidate.name}: states no cloud cover and has no scene classification"
                )
        except WildLensError as error:  # one broken product must not stop the others
            log.warning("%s: is skipped: %s", candidate.name, error)
            problem = error
            continue
        share = candidate.clear if measured is None else measured
        log.info(
            "%s: %s, cloud cover of its tile %s; %.1f %% of the area clear%s",
            candidate.name, candidate.date, candidate.cloud_text, 100 * share,
            " (by its cloud cover)" if measured is None else "",
        )  # fmt: skip
        seen.append((share, candidate))
    if not seen:
        raise problem
    share, best = max(seen, key=lambda pair: pair[0])  # the first of equals
    if share < least:
        raise WildLensError(
            f"{best.name}: is the clearest of {len(seen)} products, and shows {100 * share:.0f} %"
            f" of the area without clouds, less than {100 * least:.0f} % (fetch.min_clear): widen"
            " `dates`, or raise fetch.candidates"
        )
    return best


def assets_of(item: dict, bands: Sequence[str]) -> dict[str, dict]:
    """The assets of the requested bands, and of the scene classification if there is one."""
    assets = item.get("assets")
    found = finest_assets(assets) if isinstance(assets, dict) else {}
    return {name: found[name] for name in [*bands, SCL] if name in found}


def _missing(candidate: Candidate, bands: Sequence[str]) -> list[str]:
    found = assets_of(candidate.item, bands)
    return [band for band in bands if band not in found]


def _processing(candidate: Candidate) -> tuple[bool, float, datetime]:
    """Sorts the newest processing last: ESA's before all others, by baseline, then by time.

    Baselines such as 99.99 are of other processors, and are no later versions of ESA's.
    """
    properties = candidate.item.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    baseline = baseline_of(properties)
    times = (parse_time(str(properties[key])) for key in _PROCESSED if properties.get(key))
    made = next((time for time in times if time), datetime.min.replace(tzinfo=UTC))
    of_esa = baseline is not None and baseline < FIRST_OF_OTHERS
    return of_esa, baseline or 0.0, made


def _rank(candidate: Candidate) -> tuple:
    """Sorts the clearest first, then later days, then names; without a stated cloud cover last."""
    date = [-ord(c) for c in candidate.date]
    return candidate.cloud is None, -round(candidate.clear, 4), date, candidate.name


def _tile(properties: dict) -> str:
    grid = str(properties.get("grid:code", "")).removeprefix("MGRS-")
    other = str(properties.get("s2:mgrs_tile", "")).removeprefix("T")
    parts = "".join(
        str(properties.get(f"{prefix}:{key}", ""))
        for prefix in ("mgrs", "sentinel")
        for key in ("utm_zone", "latitude_band", "grid_square")
    )
    found = next((t for t in (grid, other, parts) if _TILE.fullmatch(t)), "")
    return found.zfill(5) if found else ""


def _printable(value) -> str:
    return "".join(c for c in str(value or "")[:LONGEST] if c.isprintable())


def _some(names: Iterable[str]) -> str:
    return ", ".join(sorted({name for name in names if name})[:6]) or "none that is stated"
