"""Polygons of the user's own, such as management units: all count, whatever their columns."""

from pathlib import Path

import geopandas
import numpy as np
import pandas

from wildlens.areas.antimeridian import DEGREES, Bounds
from wildlens.areas.layers import Layer, polygon_layers
from wildlens.areas.polygons import NoSites, repaired
from wildlens.errors import WildLensError


def read_own_polygons(
    path: Path, bounds: Bounds, name_column: str | None
) -> geopandas.GeoDataFrame:
    """Read the polygons near a box in degrees; those without area are left out.

    Args:
        path: as `layers.polygon_layers` takes it. name_column: column with names; None: none.

    Returns:
        GeoDataFrame in EPSG:4326, one row per feature: `site_id` (number in its layer, with the
        layer's name if there are several), `name` (str, empty without one), `category` and
        `designation` (empty), and valid multipolygons.

    Raises:
        WildLensError: the file cannot be read, or no layer has that column.
        NoSites: no polygon is near.
    """
    layers = polygon_layers(path)
    tables = [_read(layer, bounds, name_column, len(layers) > 1) for layer in layers]
    table = pandas.concat(tables, ignore_index=True)
    shapes = repaired(table.geometry.to_numpy())
    table = table.set_geometry(geopandas.GeoSeries(shapes, index=table.index, crs=DEGREES))
    table = table[~table.geometry.is_empty].reset_index(drop=True)
    if table.empty:
        raise NoSites(
            f"{path}: has no polygon near the scenes; check that the file covers their region"
        )
    return table


def _read(
    layer: Layer, bounds: Bounds, name_column: str | None, several: bool
) -> geopandas.GeoDataFrame:
    columns = [str(column) for column in layer.checked_info()["fields"]]
    if name_column is not None and name_column not in columns:
        raise WildLensError(
            f"areas.name_column: {layer.path}, layer {layer.name} has no column '{name_column}';"
            f" it has {', '.join(columns) or 'none'}"
        )
    wanted = [] if name_column is None else [name_column]
    read = layer.read_near(bounds, columns=wanted, on_invalid="ignore")
    prefix = f"{layer.name} " if several else ""
    names = [""] * len(read) if name_column is None else read[name_column].map(_text)
    texts = {
        "site_id": [f"{prefix}{number}" for number in read.index],
        "name": np.asarray(names, dtype=object),
        "category": "",
        "designation": "",
    }
    return geopandas.GeoDataFrame(
        pandas.DataFrame(texts, index=read.index), geometry=read.geometry.to_crs(DEGREES)
    )


def _text(value) -> str:
    if pandas.isna(value):
        return ""
    # a column of whole numbers in which one is missing is read as floats
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
