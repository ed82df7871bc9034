"""The attributed tiles of a split, their land cover, and the mask of pixels that are compared."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from wildlens.errors import WildLensError, one_line
from wildlens.legend import CORINE
from wildlens.registry import methods
from wildlens.tiles.store import open_group, open_tiles

REFERENCES = {
    "corine": "landcover",
    "truth": "truth",
}  # name in the tables -> variable of the tiles
SPLITS = {"val": "validation", "test": "test"}


@dataclass(frozen=True)
class Sample:
    """The attributed tiles of one split.

    Attributes:
        names: (tile,) names of the tiles.
        blocks: (tile,) int64, number of the spatial block of each tile, 0..n-1.
        references: name of the reference -> (tile, y, x) uint8, CORINE index, 0 = unknown.
        valid: (tile, y, x) bool, pixels for which every method has a value: all methods are
            compared on the same pixels.
    """

    names: np.ndarray
    blocks: np.ndarray
    references: dict[str, np.ndarray]
    valid: np.ndarray

    def known(self, reference: str) -> np.ndarray:
        """(tile, y, x) bool: valid pixels whose land cover the reference knows."""
        return self.valid & (self.references[reference] > 0)


def open_attributions(paths: Iterable[Path]) -> dict[str, xr.Dataset]:
    """Attributions by method, in the order of the registry; each holds the same tiles.

    Raises:
        WildLensError: a file is no attribution, a method was given twice, or the tiles differ.
    """
    stores: dict[str, xr.Dataset] = {}
    for path in paths:
        store = _open_attribution(path)
        method = store.attrs["wildlens_method"]
        if method in stores:
            raise WildLensError(f"{path}: a second file of the method '{method}'; give each once")
        stores[method] = store
        _check_same_tiles(path, store, next(iter(stores.values())))
    if not stores:
        raise WildLensError("no attributions were given; give --attribution once for each method")
    return {method: stores[method] for method in sorted(stores, key=methods.position)}


def _open_attribution(path: Path) -> xr.Dataset:
    try:
        store = open_group(path)
    except Exception as error:  # zarr's errors for broken stores have no common class
        reason = one_line(error)
        raise WildLensError(f"{path}: cannot be opened as an attribution: {reason}") from None
    lacking = [n for n in ("attribution", "name", "split", "block") if n not in store.variables]
    if lacking:
        raise WildLensError(f"{path}: lacks {', '.join(lacking)}; make it with wildlens attribute")
    if not isinstance(store.attrs.get("wildlens_method"), str):
        raise WildLensError(f"{path}: does not name its method; make it with wildlens attribute")
    return store


def _check_same_tiles(path: Path, store: xr.Dataset, first: xr.Dataset) -> None:
    names, others = (set(s["name"].values.tolist()) for s in (store, first))
    if names != others:
        example = min(names ^ others)
        method = first.attrs["wildlens_method"]
        raise WildLensError(
            f"{path}: holds other tiles than the file of '{method}' (for example, {example} is in "
            "one of them only); attribute the same tiles with every method"
        )


def read_attribution(store: xr.Dataset, names: np.ndarray) -> np.ndarray:
    """Attribution of the named tiles in their order, (tile, y, x) float32, NaN = missing."""
    position = {name: i for i, name in enumerate(store["name"].values.tolist())}
    values = store["attribution"].isel(tile=[position[name] for name in names.tolist()]).values
    values = np.asarray(values, np.float32)
    values[~np.isfinite(values)] = np.nan
    return values


def build_sample(split: str, tiles_path: Path, stores: dict[str, xr.Dataset]) -> Sample:
    """The sample of a split ("val" or "test"): its attributed tiles, joined with the training set.

    Raises:
        WildLensError: no tile of the split was attributed, a tile is not in the training set or has
            another size there, or land cover holds a value that is no CORINE index.
    """
    first = next(iter(stores.values()))
    names = first["name"].values[first["split"].values == split]
    if names.size == 0:
        raise WildLensError(
            f"the attributions hold no {SPLITS[split]} tile; give tiles.{SPLITS[split]} a larger "
            "share, so that protected tiles fall into it"
        )
    tiles = open_tiles(tiles_path)
    position = {name: i for i, name in enumerate(tiles["name"].values.tolist())}
    unknown = [name for name in names.tolist() if name not in position]
    if unknown:
        raise WildLensError(
            f"{tiles_path}: has no tile '{unknown[0]}' of the attributions; attribute these tiles"
        )
    rows = [position[name] for name in names.tolist()]
    references = {
        reference: _read_classes(tiles_path, tiles[variable].isel(tile=rows))
        for reference, variable in REFERENCES.items()
        if variable in tiles
    }
    blocks = first["block"].values[first["split"].values == split]
    return Sample(
        names,
        np.unique(blocks, return_inverse=True)[1].reshape(-1),
        references,
        _valid_everywhere(tiles_path, stores, names, references["corine"].shape),
    )


def _read_classes(path: Path, variable: xr.DataArray) -> np.ndarray:
    classes = variable.values
    CORINE.check(classes, f"{path}: {variable.name}")
    return classes


def _valid_everywhere(
    tiles_path: Path, stores: dict[str, xr.Dataset], names: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    valid = np.ones(shape, bool)
    for method, store in stores.items():
        if store["attribution"].shape[1:] != shape[1:]:
            raise WildLensError(
                f"attribution '{method}' has tiles of {store['attribution'].shape[1:]} px, "
                f"{tiles_path} of {shape[1:]} px; attribute these tiles"
            )
        finite = np.isfinite(read_attribution(store, names))
        if not finite.any():
            raise WildLensError(f"attribution '{method}' has no value in any {len(names)} tiles")
        valid &= finite
    return valid
