"""Tables of the statistics: one row per zone, and one per zone and land-cover class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from wildlens.area_statistics.layers import SCORE
from wildlens.area_statistics.sites import TEXTS
from wildlens.area_statistics.totals import LayerTotals, ZoneTotals
from wildlens.legend import CORINE

INSIDE, RING = "inside", "ring"
CLASS_COLUMNS = (*TEXTS, "zone")


@dataclass(frozen=True)
class Zone:
    """A polygon whose ground is summed.

    Attributes:
        site: the texts of its site (`sites.TEXTS`); kind: `INSIDE` or `RING`; area_km2: of the
            whole polygon, seen or not.
    """

    site: Mapping[str, str]
    kind: str
    area_km2: float


def statistics_table(
    zones: Sequence[Zone],
    totals: Sequence[ZoneTotals],
    methods: Sequence[str],
    thresholds: Mapping[str, float],
    with_landcover: bool,
) -> pd.DataFrame:
    """One row per zone.

    Args:
        methods: attribution methods, each with a mean and, if it has a finite threshold, a share of
            high attribution; with_landcover: whether any scene has land cover.
    """
    rows = [
        _head(zone, total) | _scores(total) | _methods(total, methods, thresholds)
        | (_landcover(total) if with_landcover else {})
        for zone, total in zip(zones, totals, strict=True)
    ]  # fmt: skip
    empty = _head(Zone(dict.fromkeys(TEXTS, ""), "", 0.0), ZoneTotals()) | _scores(ZoneTotals())
    empty |= _methods(ZoneTotals(), methods, thresholds)
    empty |= _landcover(ZoneTotals()) if with_landcover else {}
    return pd.DataFrame(rows, columns=list(empty))


def classes_table(
    zones: Sequence[Zone], totals: Sequence[ZoneTotals], methods: Sequence[str]
) -> pd.DataFrame:
    """One row per zone and land-cover class that was seen in it."""
    layers = (SCORE, *methods)
    columns = [*CLASS_COLUMNS, "class_code", "class_name", "covered_km2", "share"]
    rows = []
    for zone, total in zip(zones, totals, strict=True):
        texts = {**zone.site, "zone": zone.kind}
        for index in (np.flatnonzero(total.seen[1:]) + 1).tolist():
            member = CORINE.of_index(index)
            rows.append(
                {name: texts[name] for name in CLASS_COLUMNS}
                | {"class_code": member.code, "class_name": member.name}
                | {"covered_km2": total.seen[index]}
                | {"share": total.seen[index] / total.seen[1:].sum()}
                | {f"{name}_mean": _of(total, name).class_mean(index) for name in layers}
            )
    return pd.DataFrame(rows, columns=[*columns, *(f"{name}_mean" for name in layers)])


def _head(zone: Zone, total: ZoneTotals) -> dict:
    seen = total.seen.sum()
    return {name: zone.site[name] for name in TEXTS} | {
        "zone": zone.kind,
        "scenes": " ".join(total.scenes),
        "area_km2": zone.area_km2,
        "covered_km2": seen,
        "covered_share": min(seen / zone.area_km2, 1.0) if zone.area_km2 else float("nan"),
        "pixels": total.pixels,
    }


def _scores(total: ZoneTotals) -> dict[str, float]:
    score = _of(total, SCORE)
    return {
        "score_mean": score.mean,
        "score_sd": score.sd,
        "score_share_below_half": score.share_marked,
    }


def _methods(
    total: ZoneTotals, methods: Sequence[str], thresholds: Mapping[str, float]
) -> dict[str, float]:
    row = {}
    for method in methods:
        layer = _of(total, method)
        marks = np.isfinite(thresholds.get(method, np.inf))
        row[f"{method}_mean"] = layer.mean
        row[f"{method}_share_high"] = layer.share_marked if marks else float("nan")
    return row


def _landcover(total: ZoneTotals) -> dict:
    known, seen = total.seen[1:].sum(), total.seen.sum()
    main = CORINE.of_index(int(total.seen[1:].argmax()) + 1) if known else None
    return {
        "landcover_known_share": known / seen if seen else float("nan"),
        "landcover_main": f"{main.code} {main.name}" if main else "",
        "landcover_main_share": total.seen[main.index] / known if main else float("nan"),
    }


def _of(total: ZoneTotals, method: str) -> LayerTotals:
    return total.layers.get(method, LayerTotals())
