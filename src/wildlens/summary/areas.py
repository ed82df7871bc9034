"""Rows of the page's table of protected areas: the largest sites, each beside its ring."""

from collections.abc import Sequence

Row = dict[str, str]

MOST_SITES = 20
LONGEST_NAME = 50
_RING = {"score_mean": "ring: score_mean", "score_share_below_half": "ring: below half"}


def site_rows(statistics: Sequence[Row]) -> list[Row]:
    """One row per site, those with the most covered ground first.

    Args:
        statistics: rows of area_statistics.csv as text.
    """
    key = ("site_id", "name", "category", "designation")
    rings = {tuple(row[k] for k in key): row for row in statistics if row["zone"] == "ring"}
    inside = [row for row in statistics if row["zone"] == "inside"]
    inside.sort(key=lambda row: -float(row["covered_km2"] or 0))
    rows = []
    for row in inside[:MOST_SITES]:
        ring = rings.get(tuple(row[k] for k in key), {})
        shown = {
            "name": _short(row["name"] or row["site_id"]),
            "category": row["category"],
            "area, km²": row["area_km2"],
            "covered_share": row["covered_share"],
            "score_mean": row["score_mean"],
            "below half": row["score_share_below_half"],
        }
        shown |= {title: ring.get(column, "") for column, title in _RING.items()}
        if "landcover_main" in row:
            shown["landcover_main"] = row["landcover_main"]
        rows.append(shown)
    return rows


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
