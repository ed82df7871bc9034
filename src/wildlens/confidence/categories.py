"""IUCN category of tiles, from the protected area that their centre lies in."""

from pathlib import Path

import geopandas
import numpy as np
import shapely
import xarray as xr

from wildlens.areas.antimeridian import DEGREES
from wildlens.areas.criteria import Criteria
from wildlens.areas.polygons import select_sites, that_count
from wildlens.settings import Tiles

LARGEST = 180.0  # degrees of longitude, above which tiles lie on both sides of the antimeridian


def categories_of(dataset: xr.Dataset, areas: Path | None, settings: Tiles) -> np.ndarray:
    """Category of each tile, (tile,) str; empty outside all areas that count.

    If several areas hold the centre, the first category in alphabetical order, which is the
    strictest (Ia, Ib, II, ...). All empty without areas, or for tiles without coordinates.

    Args:
        dataset: the training set; areas: file of protected areas; settings: which of them count.

    Raises:
        WildLensError: the file cannot be read, or none of its areas counts.
    """
    found = np.full(dataset.sizes["tile"], "", dtype="<U16")
    if areas is None or not {"longitude", "latitude"} <= set(dataset.coords):
        return found
    east, north = dataset["longitude"].values, dataset["latitude"].values
    bounds = (east.min(), north.min(), east.max(), north.max())
    whole = bounds[2] - bounds[0] > LARGEST
    criteria = Criteria(settings.categories, settings.statuses, settings.realms, settings.oecm)
    sites = that_count(select_sites(areas, criteria, None if whole else bounds))
    centres = geopandas.GeoDataFrame(geometry=shapely.points(east, north), crs=DEGREES)
    joined = centres.sjoin(sites[["category", "geometry"]], predicate="within")
    first = joined.groupby(level=0)["category"].min()
    found[first.index.to_numpy()] = first.to_numpy()
    return found
