"""Location and time of tiles, as coordinates that xarray and rioxarray understand.

Tiles lie apart, and may be in several coordinate reference systems (CRS), so the dimensions `x` and
`y` have no coordinates of their own: `tile_x` and `tile_y` are those of each tile.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas
import xarray
from odc.geo.geobox import GeoBox
from pyproj import CRS, Transformer

from wildlens.files.acquisition import SENSED, first_time
from wildlens.tiles.store import GRID_MAPPING

# of the stores made from a training set, too
LOCATION = ("crs", "tile_x", "tile_y", "longitude", "latitude", "time", GRID_MAPPING)
_AXES = {"tile_y": "y", "tile_x": "x"}


def corners_on(grids: Mapping[str, GeoBox], tiles: pandas.DataFrame) -> pandas.DataFrame:
    """Upper left corner and pixel of each tile.

    Args:
        grids: scene -> its grid, north up.
        tiles: with `scene`, `row` and `col` (offset in the scene, px).

    Returns:
        Columns `left`, `top`, `pixel_x` and `pixel_y` (negative), in the unit of the CRS.
    """
    affines = [grids[scene].affine for scene in tiles["scene"]]
    corners = [
        (*affine @ (col, row), affine.a, affine.e)
        for affine, row, col in zip(affines, tiles["row"], tiles["col"], strict=True)
    ]
    return pandas.DataFrame(
        corners, columns=["left", "top", "pixel_x", "pixel_y"], index=tiles.index, dtype=float
    )


def locate(
    coordinates: xarray.Dataset,
    corners: pandas.DataFrame,
    size: int,
    sensed: Mapping[str, str] | None = None,
) -> xarray.Dataset:
    """Add the location of every pixel, and the time of every tile where it is known.

    Args:
        coordinates: with `crs` and `scene` over `tile`.
        corners: see `corners_on`; one row per tile.
        size: side of a tile, px.
        sensed: scene -> when its products were sensed, as its tag says.

    Returns:
        The coordinates with `tile_x` (tile, x) and `tile_y` (tile, y), float64, of the centres of
        the pixels in the tile's `crs`; `longitude` and `latitude` (tile) of its centre, degrees;
        `time` (tile), UTC, if a scene states it, else NaT; and, if all tiles have one CRS, this CRS
        in the attributes of `spatial_ref`.
    """
    steps = np.arange(size) + 0.5
    x, y = (
        corners[corner].to_numpy()[:, None] + steps * corners[pixel].to_numpy()[:, None]
        for corner, pixel in (("left", "pixel_x"), ("top", "pixel_y"))
    )
    systems = [CRS.from_user_input(text) for text in coordinates["crs"].values.tolist()]
    longitude, latitude = _degrees(systems, x.mean(axis=1), y.mean(axis=1))
    added = {
        "tile_x": (("tile", "x"), x, _axis("x")),
        "tile_y": (("tile", "y"), y, _axis("y")),
        "longitude": ("tile", longitude, {"standard_name": "longitude", "units": "degrees_east"}),
        "latitude": ("tile", latitude, {"standard_name": "latitude", "units": "degrees_north"}),
    }
    times = _times(coordinates["scene"].values.tolist(), sensed or {})
    if not np.isnat(times).all():
        added["time"] = ("tile", times, {"standard_name": "time", "long_name": "acquisition, UTC"})
    if len(set(systems)) == 1:
        added[GRID_MAPPING] = ((), 0, _grid_mapping(systems[0]))
    located = coordinates.assign_coords(added)
    if "time" in located.coords:
        located["time"].encoding = {"units": "milliseconds since 1970-01-01", "dtype": "int64"}
    return located


def georeferenced(tile: xarray.Dataset) -> xarray.Dataset:
    """One tile with its own `x`, `y` and CRS, as rioxarray reads them.

    Args:
        tile: of a store with the coordinates of `locate`, without the dimension `tile`.
    """
    system = CRS.from_user_input(str(tile["crs"].values))
    located = tile.assign_coords(
        {axis: (axis, tile[name].values, _axis(axis)) for name, axis in _AXES.items()}
        | {GRID_MAPPING: ((), 0, _grid_mapping(system))}
    ).drop_vars(_AXES)
    for variable in located.data_vars.values():
        if {"x", "y"} <= set(variable.dims):
            variable.attrs["grid_mapping"] = GRID_MAPPING
    return located


def _axis(axis: str) -> dict[str, str]:
    return {
        "standard_name": f"projection_{axis}_coordinate",
        "long_name": f"{axis} of the centre of the pixel",
        "units": "m",
    }


def _grid_mapping(system: CRS) -> dict:
    """Attributes of a CF grid mapping; `spatial_ref` is the name that GDAL reads."""
    return system.to_cf() | {"spatial_ref": system.to_wkt()}


def _degrees(systems: Sequence[CRS], x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    longitude, latitude = np.empty(len(x)), np.empty(len(x))
    for system in set(systems):
        rows = np.flatnonzero([other == system for other in systems])
        transform = Transformer.from_crs(system, "EPSG:4326", always_xy=True).transform
        longitude[rows], latitude[rows] = transform(x[rows], y[rows])
    return longitude, latitude


def _times(scenes: Sequence[str], sensed: Mapping[str, str]) -> np.ndarray:
    """First acquisition of each tile's scene, (tile,) datetime64[ms]; NaT if it is unknown."""
    known = {scene: first_time({SENSED: text}) for scene, text in sensed.items()}
    times = [known.get(scene) for scene in scenes]
    return np.array(
        [time.replace(tzinfo=None) if time else "NaT" for time in times], "datetime64[ms]"
    )
