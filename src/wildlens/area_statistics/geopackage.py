"""The sites with their statistics as a GeoPackage: geometry whole, one feature per site."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas
import pandas as pd
import pyogrio

from wildlens.area_statistics.sites import TEXTS
from wildlens.area_statistics.tables import INSIDE, RING
from wildlens.files import vector
from wildlens.files.atomic import atomic

LAYER = "areas"
NOTE = (
    "Protected areas that count, whole; numbers are of the ground that mapped scenes cover. The"
    " WDPA's terms forbid passing its polygons on without leave: remove areas.gpkg before you send"
    " this folder to others."
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
    """Write the sites atomically, in place of an earlier file and its pending edits.

    The same sites give the same file: its time is fixed, since later jobs compare its checksum.
    """
    with atomic(path) as temporary, _fixed_time():
        vector.remove_pending(path)
        try:
            pyogrio.write_dataframe(
                areas, temporary, driver="GPKG", layer=LAYER, geometry_type="MultiPolygon",
                promote_to_multi=True, layer_metadata={"note": NOTE},
            )  # fmt: skip
        except RuntimeError as error:  # all of pyogrio's errors; `atomic` reports it as ours
            raise OSError(str(error)) from error


@contextmanager
def _fixed_time() -> Iterator[None]:
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": "2000-01-01T00:00:00.000Z"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
