"""The protected areas of a file that count, by the arguments that tests vary."""

from collections.abc import Sequence
from pathlib import Path

import geopandas

from wildlens.areas.antimeridian import Bounds
from wildlens.areas.criteria import REALMS, Criteria
from wildlens.areas.polygons import select_sites, that_count


def read_areas(
    path: Path,
    categories: Sequence[str],
    statuses: Sequence[str],
    bounds: Bounds | None = None,
    *,
    realms: Sequence[str] = REALMS,
    oecm: bool = False,
) -> geopandas.GeoDataFrame:
    """Sites that count, as `that_count` returns them."""
    return that_count(select_sites(path, Criteria(categories, statuses, realms, oecm), bounds))
