"""The sites with their statistics as a GeoPackage: geometry whole, one feature per site."""

from pathlib import Path

import geopandas
import pandas as pd

from wildlens.area_statistics.sites import TEXTS
from wildlens.area_statistics.tables import INSIDE, RING
from wildlens.areas.polygons import TERMS
from wildlens.files import vector
from wildlens.files.atomic import atomic
from wildlens.files.geopackage import write_layer

LAYER = "areas"
NOTE = (
    "Protected areas that count, whole; numbers are of the ground that mapped scenes cover."
    f" {TERMS}"
)


def with_statistics(
    sites: geopandas.GeoDataFrame, statistics: pd.DataFrame
) -> geopandas.GeoDataFrame:
    """Sites with their row inside, and that of the ring under names with the prefix `ring_`.

    Numbers of sites outside the mapped scenes are missing.
    """
    keys = list(TEXTS)
    inside = statistics[statistics["zone"] == INSIDE].drop(columns="zone")
    joined = sites.merge(inside, how="left", on=keys, validate="1:1")
    ring = statistics[statistics["zone"] == RING].drop(columns=["zone", "scenes"])
    if len(ring):
        ring = ring.rename(columns=lambda name: name if name in keys else f"ring_{name}")
        joined = joined.merge(ring, how="left", on=keys, validate="1:1")
    return joined


def write_geopackage(path: Path, areas: geopandas.GeoDataFrame) -> None:
    """Write the sites atomically, in place of an earlier file and its pending edits."""
    with atomic(path) as temporary:
        vector.remove_pending(path)
        write_layer(
            temporary, areas, LAYER, geometry_type="MultiPolygon", promote_to_multi=True,
            layer_metadata={"note": NOTE},
        )  # fmt: skip
