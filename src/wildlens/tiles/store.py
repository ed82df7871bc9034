"""Storage of the training set: a Zarr group that later steps open with xarray."""

import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import xarray
import zarr
from zarr.codecs import BloscCodec

from wildlens.errors import WildLensError, one_line
from wildlens.files.earlier import IsEarlier, value_in
from wildlens.files.reflectance import MISSING, SCALE, UNIT
from wildlens.legend import CORINE
from wildlens.settings import TWO_CLASSES

STEP = "tiles"
GRID_MAPPING = "spatial_ref"  # coordinate with the CRS; the name that rioxarray looks for

# Variables over the tiles: dtype, dimensions, attributes. 0 is no data in all of them; only
# reflectance says so by `_FillValue`, since classes must stay whole numbers when xarray masks.
_VARIABLES = {
    "reflectance": ("uint16", ("tile", "band", "y", "x")),
    "landcover": ("uint8", ("tile", "y", "x")),
    "truth": ("uint8", ("tile", "y", "x")),
}
_ATTRIBUTES = {
    "reflectance": {
        "long_name": "surface reflectance",
        "units": UNIT,
        "scale_factor": 1 / SCALE,
        "_FillValue": MISSING,
    },
    "landcover": {"long_name": CORINE.product, **CORINE.flags},
    "truth": {"long_name": "reference land cover of the simulation", **CORINE.flags},
}
_COORDINATES = (
    "name", "label", "split", "scene", "row", "col", "crs", "block", "ground_row", "ground_col",
)  # fmt: skip
_SHARD_BYTES = 128 * 2**20  # of the largest variable; the writer buffers one shard


def made_by(*steps: str) -> IsEarlier:
    """Recognises a store that one of these steps wrote, so that a new one may replace it."""
    return lambda path: value_in(path / "zarr.json", "attributes", "wildlens_step") in steps


is_tileset = made_by(STEP)
is_attributions = made_by("attribute", "combine")  # of one training, of several members


def write_tileset(
    path: Path, coordinates: xarray.Dataset, tiles: Iterable[Mapping[str, np.ndarray]]
) -> None:
    """Write a training set tile by tile; memory does not depend on the number of tiles.

    Parameters
    ----------
    path
        New folder; the caller makes it atomic.
    coordinates
        Coordinates over `tile` and `band`, no variables, and the attributes of the group,
        `tile_size` among them.
    tiles
        One mapping per tile, in the order of the coordinates: `reflectance` (band, y, x) uint16,
        `landcover` (y, x) uint8 and optionally `truth` (y, x) uint8.
    """
    coordinates.to_zarr(path, mode="w", zarr_format=3, consolidated=False)
    group = zarr.open_group(path, mode="r+")
    count = coordinates.sizes["tile"]
    mapping = {"grid_mapping": GRID_MAPPING} if GRID_MAPPING in coordinates.coords else {}
    buffers, start = {}, 0
    for index, tile in enumerate(tiles):
        if not buffers:
            length = _tiles_per_shard(tile, count)
            for name, values in tile.items():
                _create(group, name, count, length, values.shape)
                group[name].attrs.update(_ATTRIBUTES[name] | mapping)
                buffers[name] = np.empty((length, *values.shape), _VARIABLES[name][0])
        for name, values in tile.items():
            buffers[name][index - start] = values
        stop = index + 1
        if stop - start == length or stop == count:
            for name, buffer in buffers.items():
                group[name][start:stop] = buffer[: stop - start]
            start = stop
    assert start == count, "as many tiles as coordinates"
    consolidate(path)


def consolidate(path: Path) -> None:
    """Consolidate the metadata of a group, so that it opens fast and stray files are ignored."""
    with warnings.catch_warnings():
        # readers without support for consolidated metadata ignore it
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        zarr.consolidate_metadata(path)


def open_tiles(path: Path, scaled: bool = False) -> xarray.Dataset:
    """Open a training set lazily.

    Parameters
    ----------
    path
        The Zarr folder.
    scaled
        Reflectance as real numbers, NaN = no data, instead of the stored ones.

    Returns
    -------
    Dataset with `reflectance` (tile, band, y, x) uint16 = reflectance x 10000, 0 = no data,
    `landcover` (tile, y, x) uint8 index of the legend, 0 = none, and, for simulated land,
    `truth` (tile, y, x) uint8; coordinates over `tile`: `name`, `label` (1 protected,
    0 anthropogenic, from 2 on further classes: see `class_names`), `split` ('train', 'val',
    'test'), `scene`, `row` and `col` (offset in the scene, px), `ground_row` and `ground_col`
    (offset from the origin of the CRS, px; see `files.ground`), `crs`, `block` and the shares;
    `band` with the names of the bands; and location and time of the tiles (`georeference.locate`),
    which stores of earlier versions lack.

    Raises
    ------
    WildLensError
        If the folder is no training set of WildLens.
    """
    try:
        tiles = open_group(path)  # as it is stored
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = one_line(error)
        raise WildLensError(f"{path}: cannot be opened as a training set: {reason}") from None
    if problem := _flaw(tiles):
        raise WildLensError(f"{path}: {problem}; make it with 'wildlens tiles'")
    return open_group(path, scaled) if scaled else tiles


class TilesOnDisk:
    """Pixels of a training set, (N, C, S, S) uint16, read on access."""

    def __init__(self, path: Path):
        self.path = path
        self._array = zarr.open_group(path, mode="r", zarr_format=3)["reflectance"]
        self.shape: tuple[int, ...] = self._array.shape

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The tiles at these positions, in this order.

        Read one by one: for a joint read Zarr takes five times as long and the memory of whole
        shards.
        """
        try:
            return np.stack([self._array[int(row)] for row in rows])
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = one_line(error)
            raise WildLensError(f"{self.path}: cannot be read: {reason}") from None


def rows_of(every: np.ndarray, names: np.ndarray) -> list[int]:
    """Position of each of the names among all names of a store, which holds them."""
    position = {name: row for row, name in enumerate(every.tolist())}
    return [position[name] for name in names.tolist()]


def class_names(tiles: xarray.Dataset) -> list[str]:
    """Names of a training set's classes; a tile's label is the position of its class."""
    return [str(name) for name in tiles.attrs.get("classes", TWO_CLASSES)]


def open_group(path: Path, scaled: bool = False) -> xarray.Dataset:
    """Open a Zarr group lazily, with text coordinates as numpy's fixed-width strings.

    Args:
        scaled: numbers with a scale as real values, NaN = no data; else as they are stored.

    Raises errors of zarr and xarray.
    """
    # format 3 alone: an array of format 2 may ask for pickle
    group = xarray.open_zarr(path, chunks=None, zarr_format=3, mask_and_scale=scaled)
    texts = {
        name: (coordinate.dims, np.array(coordinate.values.tolist(), dtype=str))
        for name, coordinate in group.coords.items()
        if coordinate.dtype.kind in "TO"
    }
    return group.assign_coords(texts)


def _flaw(tiles: xarray.Dataset) -> str | None:
    """Why a dataset is no training set, or None."""
    if tiles.attrs.get("wildlens_step") != STEP:
        return "is not a training set of WildLens"
    for name, (dtype, dimensions) in _VARIABLES.items():
        if name not in tiles:
            if name != "truth":
                return f"has no variable '{name}'"
        elif tiles[name].dtype != dtype or tiles[name].dims != dimensions:
            return f"variable '{name}' is {tiles[name].dtype} over {tiles[name].dims}"
    for name in _COORDINATES:
        if name not in tiles.coords or tiles[name].dims != ("tile",):
            return f"has no coordinate '{name}' over the tiles"
    return None if "band" in tiles.coords else "has no names of its bands"


def _tiles_per_shard(tile: Mapping[str, np.ndarray], count: int) -> int:
    return min(count, max(1, _SHARD_BYTES // max(v.nbytes for v in tile.values())))


def _create(group: zarr.Group, name: str, count: int, length: int, shape: tuple[int, ...]) -> None:
    """Create an array over the tiles, in chunks of one tile and shards (files) of `length`."""
    dtype, dimensions = _VARIABLES[name]
    group.create_array(
        name,
        shape=(count, *shape),
        chunks=(1, *shape),
        shards=(length, *shape),
        dtype=dtype,
        fill_value=0,
        dimension_names=dimensions,
        compressors=BloscCodec(cname="zstd", clevel=5, shuffle="bitshuffle"),
    )
