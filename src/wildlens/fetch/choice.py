"""Which of many products is taken: the one that shows most of the area clear.

What the catalogue says comes first: clear = share of the area in the footprint x (1 - cloud cover),
of one product a tile and day, the one processed last. Of the clearest few the scene classification
(SCL) over the area is looked at, since a tile of 12,000 km² may be cloudy elsewhere.
"""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from wildlens.errors import WildLensError
from wildlens.fetch.area import Area
from wildlens.scene.products.product import SCL
from wildlens.scene.products.stac import finest_assets
from wildlens.settings import Scene, Wanted

log = logging.getLogger(__name__)

CLOUDY = tuple(Scene().mask_classes)  # what a scene leaves out unless told otherwise
LONGEST = 200  # characters of a name
_BASELINES = ("s2:processing_baseline", "processing:version", "sentinel:processing_baseline")
_MADE = ("s2:generation_time", "processing:datetime", "created", "updated")
_TILE = re.compile(r"\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]", re.ASCII)


@dataclass(frozen=True)
class Candidate:
    """An item that may be taken.

    Attributes:
        name: its id, as far as it can be printed.
        tile: its tile of the Sentinel-2 grid, such as 34WDA; empty if it does not say.
        date: day of sensing, YYYY-MM-DD.
        cloud: cloud cover of the whole tile, %; 0 if it does not say.
        covers: share of the area that its footprint holds.
    """

    item: dict
    name: str
    tile: str
    date: str
    cloud: float
    covers: float

    @property
    def clear(self) -> float:
        """The share of the area that is expected to be clear."""
        return self.covers * (1 - self.cloud / 100)


def candidate_of(item: dict, area: Area | None) -> Candidate:
    """What there is to know of an item for the choice; what it does not say is empty or 0."""
    properties = item.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    cloud = properties.get("eo:cloud_cover")
    known = isinstance(cloud, int | float) and 0 <= cloud <= 100
    footprint = item.get("geometry")
    covers = area.share_in(footprint) if area and isinstance(footprint, dict) else 1.0
    return Candidate(
        item=item,
        name=_printable(item.get("id")),
        tile=_tile(properties),
        date=_printable(properties.get("datetime"))[:10],
        cloud=float(cloud) if known else 0.0,
        covers=covers,
    )


def candidates(
    items: Sequence[dict], wanted: Wanted, bands: Sequence[str], area: Area, source: str
) -> list[Candidate]:
    """The items that may be taken, one for each tile and day, the clearest first.

    Raises:
        WildLensError: none is left; the message says what the last rule was that none met.
    """
    left = [candidate_of(item, area) for item in items]
    rules: list[tuple[Callable[[Candidate], bool], Callable[[], str]]] = [
        (
            lambda c: not wanted.tile or c.tile == wanted.tile.zfill(5),
            lambda: f"none is of tile {wanted.tile}, they are of {_some(c.tile for c in left)}",
        ),
        (
            lambda c: not _missing(c, bands),
            lambda: (
                f"none has all bands: {left[0].name} lacks {', '.join(_missing(left[0], bands))}"
            ),
        ),
        (
            lambda c: c.cloud <= wanted.max_cloud,
            lambda: (
                f"the clearest has {min(c.cloud for c in left):.0f} % of cloud: raise `max_cloud`"
                f" ({wanted.max_cloud:g}) or widen `dates`"
            ),
        ),
        (lambda c: c.covers > 0, lambda: "none holds any of the area"),
    ]
    first, last = wanted.dates
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
    return sorted(newest.values(), key=lambda c: (-round(c.clear, 4), _backwards(c.date), c.name))


def one_a_tile(ranked: Iterable[Candidate]) -> list[Candidate]:
    """The clearest candidate of each tile."""
    best: dict[str, Candidate] = {}
    for candidate in ranked:
        best.setdefault(candidate.tile, candidate)
    return list(best.values())


def choose(
    ranked: Sequence[Candidate], look: Callable[[Candidate], float | None], least: float
) -> Candidate:
    """The candidate that shows most of the area clear, by looking at each of `ranked`.

    Args:
        look: the share of the area that is clear by the scene classification; None without one.
        least: the share that must be.
    """
    seen: list[tuple[float, Candidate]] = []
    problem = None
    for candidate in ranked:
        try:
            measured = look(candidate)
        except WildLensError as error:  # one broken file need not stop the others
            log.warning("%s: is passed over: %s", candidate.name, error)
            problem = error
            continue
        share = candidate.clear if measured is None else measured
        log.info(
            "%s: %s, cloud %.1f %% of its tile; %.1f %% of the area clear%s",
            candidate.name, candidate.date, candidate.cloud, 100 * share,
            " (by its cloud cover)" if measured is None else "",
        )  # fmt: skip
        seen.append((share, candidate))
    if not seen:
        raise problem
    share, best = max(seen, key=lambda pair: pair[0])  # the first of equals
    if share < least:
        raise WildLensError(
            f"{best.name}: is the clearest of {len(seen)} looked at, and shows {100 * share:.0f} %"
            f" of the area without clouds; wanted are {100 * least:.0f} % (fetch.min_clear): widen"
            " `dates`, or raise fetch.looked_at"
        )
    return best


def assets_of(item: dict, bands: Sequence[str]) -> dict[str, dict]:
    """The assets of the wanted bands, and of the scene classification if there is one."""
    assets = item.get("assets")
    found = finest_assets(assets) if isinstance(assets, dict) else {}
    return {name: found[name] for name in [*bands, SCL] if name in found}


def _missing(candidate: Candidate, bands: Sequence[str]) -> list[str]:
    found = assets_of(candidate.item, bands)
    return [band for band in bands if band not in found]


def _processing(candidate: Candidate) -> tuple[str, str]:
    properties = candidate.item["properties"] if candidate.date else {}
    return tuple(
        next((str(properties[key]) for key in keys if properties.get(key)), "")
        for keys in (_BASELINES, _MADE)
    )


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
    return ", ".join(sorted({name for name in names if name})[:6]) or "none that they name"


def _backwards(date: str) -> list[int]:
    """A key that sorts later days first."""
    return [-ord(c) for c in date]
