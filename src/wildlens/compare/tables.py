"""Table of the changes: one row per protected area and map, with the noise beside the change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from wildlens.area_statistics.sites import TEXTS
from wildlens.area_statistics.tables import Zone
from wildlens.area_statistics.totals import LayerTotals
from wildlens.compare.noise import Noise
from wildlens.registry import methods

COLUMNS = (
    *TEXTS, "method", "unit", "before", "after", "area_km2", "covered_km2", "covered_share",
    "change_mean", "change_sd", "ring_change_mean", "ring_covered_km2", "noise_low", "noise_high",
    "beyond_noise", "noise_source", "noise_blocks", "noise_block_km2",
)  # fmt: skip


@dataclass(frozen=True)
class AreaChange:
    """Change of one map in one site.

    Attributes:
        zone: the site; inside, ring: sums of the change in it and around it.
        noise: of its mean change; pixel_km2: ground of a pixel, km².
    """

    zone: Zone
    method: str
    inside: LayerTotals
    ring: LayerTotals
    noise: Noise
    pixel_km2: float


def changes_table(
    changes: Sequence[AreaChange], names: tuple[str, str], units: Mapping[str, str]
) -> pd.DataFrame:
    """One row per change, in their order.

    Args:
        names: of both scenes; units: method -> unit of its map.
    """
    rows = [_row(change, names, units) for change in changes]
    rows.sort(key=lambda row: methods.position(row["method"]))
    rows.sort(key=lambda row: row["method"] != "score")
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(change: AreaChange, names: tuple[str, str], units: Mapping[str, str]) -> dict:
    zone, noise = change.zone, change.noise
    covered = change.inside.weight.sum()
    beyond = noise.exceeded_by(change.inside.mean)
    return {name: zone.site[name] for name in TEXTS} | {
        "method": change.method,
        "unit": units[change.method],
        "before": names[0],
        "after": names[1],
        "area_km2": zone.area_km2,
        "covered_km2": covered,
        "covered_share": min(covered / zone.area_km2, 1.0) if zone.area_km2 else float("nan"),
        "change_mean": change.inside.mean,
        "change_sd": change.inside.sd,
        "ring_change_mean": change.ring.mean,
        "ring_covered_km2": change.ring.weight.sum(),
        "noise_low": noise.low,
        "noise_high": noise.high,
        "beyond_noise": {None: "", True: "yes", False: "no"}[beyond],
        "noise_source": noise.source,
        "noise_blocks": noise.blocks,
        "noise_block_km2": noise.side**2 * change.pixel_km2,
    }
