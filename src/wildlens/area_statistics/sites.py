"""Protected sites near scenes: one row per site, whole geometry, text that fits on one line."""

from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import shapely

from wildlens.areas.antimeridian import DEGREES, Bounds
from wildlens.areas.criteria import Criteria
from wildlens.areas.own_polygons import read_own_polygons
from wildlens.areas.polygons import polygon_parts, select_sites
from wildlens.settings import Areas, Tiles

TEXTS = ("site_id", "name", "category", "designation")


def read_sites(path: Path, bounds: Bounds, areas: Areas, settings: Tiles) -> geopandas.GeoDataFrame:
    """Read the sites that count, in the order of the file.

    Features with the same id, name, category and designation (parcels of a site) become one row.

    Args:
        path: as `areas.polygons.select_sites` takes it; bounds: box in degrees that sites touch.
        areas: whether these are polygons of the user's own, which all count; otherwise settings:
            which sites count.

    Returns:
        GeoDataFrame in EPSG:4326 with the columns `TEXTS` (str) and whole multipolygons.

    Raises:
        WildLensError: the file cannot be read.
        NoSites: no site near the box counts.
    """
    if areas.polygons is not None:
        sites = read_own_polygons(path, bounds, areas.name_column)
    else:
        criteria = Criteria(settings.categories, settings.statuses, settings.realms, settings.oecm)
        sites = select_sites(path, criteria, bounds)
        sites = sites[sites["reason"] == ""].reset_index(drop=True)
    for column in TEXTS:
        sites[column] = sites[column].map(one_line_text)
    groups = sites.groupby(list(TEXTS), sort=False).indices
    shapes = sites.geometry.to_numpy()
    merged = np.array([shapely.union_all(shapes[rows]) for rows in groups.values()], dtype=object)
    table = pd.DataFrame(list(groups), columns=list(TEXTS))
    return geopandas.GeoDataFrame(table, geometry=polygon_parts(merged), crs=DEGREES)


def one_line_text(text: str) -> str:
    """A text without line breaks and control characters, which CSV readers and labels split at."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
