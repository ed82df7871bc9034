"""Which protected sites count and which are left out: in the log, and as a table."""

import logging
from pathlib import Path

import pandas

from wildlens.files.atomic import atomic

log = logging.getLogger(__name__)

MOST_NAMED = 5  # sites that are named in the log for each reason
MOST_REASONS = 12  # each has a log line


def log_left_out(path: Path, sites: pandas.DataFrame) -> None:
    """Log the number of sites left out for each reason, and the names of the first.

    Args:
        path: the file of the sites; sites: as returned by `polygons.select_sites`.
    """
    out = sites[sites["reason"] != ""]
    counts = out["reason"].value_counts()
    for reason, count in counts.head(MOST_REASONS).items():
        few = out[out["reason"] == reason].head(MOST_NAMED)
        names = ", ".join((few["site_id"] + " " + few["name"]).str.strip())
        more = f" and {count - len(few)} more" if count > len(few) else ""
        log.info("%s: %d left out, %s: %s%s", path, count, reason, names, more)
    rest = counts.iloc[MOST_REASONS:]
    if len(rest):
        log.info("%s: %d left out for %d other reasons", path, rest.sum(), len(rest))


def write_sites(path: Path, sites: pandas.DataFrame) -> None:
    """Write a CSV with one row per site: its attributes, and why it is left out if it is."""
    columns = ["site_id", "name", "category", "status", "realm", "designation", "kind"]
    table = sites[columns].assign(
        counts=sites["reason"].map({"": "yes"}).fillna("no"), reason=sites["reason"]
    )
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False)
