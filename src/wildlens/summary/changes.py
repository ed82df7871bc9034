"""Rows of the page's table of changes: the sites that change beyond their noise come first."""

from collections.abc import Sequence

Row = dict[str, str]

MOST_SITES = 20
_SITE = ("site_id", "name", "category", "designation")


def change_rows(changes: Sequence[Row]) -> list[Row]:
    """One row per site, with the change of the first map (the score) and the maps beyond the noise.

    Args:
        changes: rows of compare/{before}_{after}/areas.csv as text.
    """
    of_site: dict[tuple, list[Row]] = {}
    for row in changes:
        of_site.setdefault(tuple(row[key] for key in _SITE), []).append(row)
    sites = sorted(of_site.values(), key=_rank)
    return [_row(rows) for rows in sites[:MOST_SITES]]


def _rank(rows: Sequence[Row]) -> tuple[int, float]:
    return -len(_beyond(rows)), -abs(float(rows[0]["change_mean"] or 0))


def _beyond(rows: Sequence[Row]) -> list[str]:
    return [row["method"] for row in rows if row["beyond_noise"] == "yes"]


def _row(rows: Sequence[Row]) -> Row:
    first = rows[0]
    return {
        "name": first["name"] or first["site_id"],
        "category": first["category"],
        "covered_share": first["covered_share"],
        f"change of {first['method']}": first["change_mean"],
        "noise from": first["noise_low"],
        "to": first["noise_high"],
        "ring: change": first["ring_change_mean"],
        "beyond noise": ", ".join(_beyond(rows)) or "none",
    }
