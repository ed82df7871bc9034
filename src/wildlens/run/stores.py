"""Zarr stores of a run, its example tiles and its protected areas."""

from pathlib import Path

import geopandas
import pyogrio
import xarray

from wildlens.errors import WildLensError, one_line
from wildlens.files import vector
from wildlens.tiles.store import open_group

AREAS = "areas"  # layer of areas.gpkg


def open_attribution(path: Path) -> xarray.Dataset:
    """The attribution of tiles by one method.

    Raises:
        WildLensError: the store cannot be opened.
    """
    try:
        return open_group(path, scaled=True)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WildLensError(
            f"{path}: cannot be opened: {one_line(error)}; make it with 'wildlens attribute'"
        ) from None


def open_examples(path: Path) -> xarray.Dataset:
    """The example tiles: `image` (tile, kind, band, y, x), `score` (tile, kind), `valid`.

    Raises:
        WildLensError: the file is missing or damaged.
    """
    # imports torch
    from wildlens.evaluate.examples import read_examples

    found = read_examples(path)
    units = {"long_name": "surface reflectance", "units": "reflectance"}
    return xarray.Dataset(
        {
            "image": (("tile", "kind", "band", "y", "x"), found.images, units),
            "score": (("tile", "kind"), found.scores, {"units": "score"}),
            "valid": (("tile", "y", "x"), found.valid),
        },
        coords={
            "name": ("tile", found.names),
            "reason": ("tile", found.reasons),
            "kind": ["X", "X+", "X-"],
            "band": found.bands.astype(str),
        },
    )


def read_areas(path: Path) -> geopandas.GeoDataFrame:
    """The protected areas with their statistics, in EPSG:4326.

    Raises:
        WildLensError: the file is missing or damaged.
    """
    if not path.is_file():
        raise WildLensError(
            f"{path}: is missing: 'wildlens area-statistics' makes it; runs on AnthroProtect have"
            " none"
        )
    source = vector.gdal_source(path)
    return vector.read(pyogrio.read_dataframe, path, source, layer=AREAS)
