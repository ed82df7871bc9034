"""The attributed tiles of a split, their land cover, and the mask of pixels that are compared."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr

from wildlens.errors import WildLensError, one_line
from wildlens.evaluate.compressed import CompressedTiles
from wildlens.legend import CORINE
from wildlens.registry import methods
from wildlens.tiles.store import open_group, open_tiles, rows_of

REFERENCES = {
    "corine": "landcover",
    "truth": "truth",
}  # name in the tables -> variable of the tiles
SPLITS = {"val": "validation", "test": "test"}
LEVELS = len(CORINE.classes) + 1  # class indices; 0 = unknown
SPAN_PIXELS = 2**20  # pixels of the tiles that are read at once
Read = Callable[[slice], np.ndarray]  # slice of a sample's tiles -> (n, y, x) float32


@dataclass(frozen=True)
class Sample:
    """The attributed tiles of one split.

    Attributes:
        names: (tile,) names of the tiles.
        blocks: (tile,) int64, number of the spatial block of each tile, 0..n-1.
        references: name of the reference -> (tile, y, x) uint8, CORINE index, 0 = unknown.
        valid: (tile, y, x) bool, pixels for which every method has a value: all methods are
            compared on the same pixels.

    References and valid pixels are arrays, or compressed tiles that give an array for a slice.
    """

    names: np.ndarray
    blocks: np.ndarray
    references: Mapping[str, np.ndarray | CompressedTiles]
    valid: np.ndarray | CompressedTiles

    def spans(self) -> list[slice]:
        """Slices of tiles to read one after the other, about a million pixels each."""
        return _spans(len(self.names), self.valid[:1].size)

    def classes(self, reference: str, tiles: slice = slice(None)) -> np.ndarray:
        """Land cover by a reference, (n, y, x) uint8; 0 where it or the attribution is missing."""
        return np.where(self.valid[tiles], self.references[reference][tiles], np.uint8(0))

    def pixels(self, *references: str) -> np.ndarray:
        """Number of pixels by class, int64, with one axis of LEVELS for each of the references.

        Args:
            references: some of this sample's, in its order.
        """
        others = [axis for axis, name in enumerate(self.references) if name not in references]
        return self._pixels.sum(axis=tuple(others))

    @cached_property
    def _pixels(self) -> np.ndarray:
        """Number of pixels by the classes of all references."""
        shape = (LEVELS,) * len(self.references)
        counts = np.zeros(np.prod(shape), np.int64)
        for tiles in self.spans():
            classes = [self.classes(reference, tiles).ravel() for reference in self.references]
            counts += np.bincount(np.ravel_multi_index(classes, shape), minlength=counts.size)
        return counts.reshape(shape)


def _spans(count: int, pixels: int) -> list[slice]:
    step = max(1, SPAN_PIXELS // int(pixels))
    return [slice(start, start + step) for start in range(0, count, step)]


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


def attribution_reader(store: xr.Dataset, names: np.ndarray, variable: str = "attribution") -> Read:
    """Function that reads a slice of the named tiles of a variable, in order; NaN = missing."""
    rows = rows_of(store["name"].values, names)

    def read(tiles: slice) -> np.ndarray:
        values = store[variable].isel(tile=_contiguous(rows[tiles])).values
        return np.where(np.isfinite(values), values, np.nan).astype(np.float32, copy=False)

    return read


def read_attribution(store: xr.Dataset, names: np.ndarray) -> np.ndarray:
    """Attribution of the named tiles in their order, (tile, y, x) float32, NaN = missing."""
    return attribution_reader(store, names)(slice(None))


def _contiguous(rows: list[int]) -> slice | list[int]:
    """Consecutive rows as a slice, which Zarr reads several times as fast as a list."""
    consecutive = rows and rows == list(range(rows[0], rows[0] + len(rows)))
    return slice(rows[0], rows[0] + len(rows)) if consecutive else rows


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
        reference: CompressedTiles(_read_classes(tiles_path, tiles[variable], rows))
        for reference, variable in REFERENCES.items()
        if variable in tiles
    }
    blocks = first["block"].values[first["split"].values == split]
    return Sample(
        names,
        np.unique(blocks, return_inverse=True)[1].reshape(-1),
        references,
        CompressedTiles(_valid_everywhere(tiles_path, stores, names, tiles["landcover"].shape[1:])),
    )


def _read_classes(path: Path, variable: xr.DataArray, rows: list[int]) -> Iterator[np.ndarray]:
    """Classes of the tiles in these rows, in parts (n, y, x) uint8."""
    for span in _spans(len(rows), np.prod(variable.shape[1:])):
        classes = variable.isel(tile=_contiguous(rows[span])).values
        CORINE.check(classes, f"{path}: {variable.name}")
        yield classes


def _valid_everywhere(
    tiles_path: Path, stores: dict[str, xr.Dataset], names: np.ndarray, shape: tuple[int, int]
) -> Iterator[np.ndarray]:
    """Where all methods have a value, in parts (n, y, x) bool."""
    for method, store in stores.items():
        if store["attribution"].shape[1:] != shape:
            raise WildLensError(
                f"attribution '{method}' has tiles of {store['attribution'].shape[1:]} px, "
                f"{tiles_path} of {shape} px; attribute these tiles"
            )
    readers = {method: attribution_reader(store, names) for method, store in stores.items()}
    empty = set(stores)
    for span in _spans(len(names), np.prod(shape)):
        finite = {method: np.isfinite(read(span)) for method, read in readers.items()}
        empty -= {method for method, pixels in finite.items() if pixels.any()}
        yield np.logical_and.reduce(list(finite.values()))
    for method in stores:
        if method in empty:
            raise WildLensError(f"attribution '{method}' has no value in any {len(names)} tiles")
