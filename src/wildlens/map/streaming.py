"""Read a scene, compute its map and yield it strip by strip, in constant memory.

There are two plans. `Windows` is for methods that depend on a finite neighbourhood: with trimmed
halos the map equals that of one pass over the scene. `Tiles` is for methods that depend on a whole
tile: overlapping tiles are averaged with weights that sum to one. Strips can be computed from any
strip on, with the same values, so that a map can be resumed, and computed in parts.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice, pairwise
from typing import NamedTuple

import numpy as np
import rasterio
import torch
from rasterio.windows import Window
from torch import Tensor

from wildlens.attribution.inputs import Inputs
from wildlens.attribution.method import Method
from wildlens.attribution.models import Models
from wildlens.errors import WildLensError
from wildlens.files.ground import ground_offset
from wildlens.files.raster import grid_of, read
from wildlens.map.windows import Piece, halo_pieces, tile_starts, tile_weight
from wildlens.networks.images import to_images
from wildlens.progress import track
from wildlens.settings import Attribution

SMALLEST = 32  # px; smaller windows are filled up, since networks cannot halve or reflect them

Rows = tuple[int, int]  # first row, row after the last


class Source:
    """The bands of a scene that a classifier was trained on, read as network input."""

    def __init__(self, dataset: rasterio.DatasetReader, models: Models):
        names = list(dataset.descriptions)
        missing = [band for band in models.classifier.bands if band not in names]
        if missing:
            raise WildLensError(
                f"{dataset.name}: has no band {', '.join(missing)}, on which the classifier was "
                f"trained (bands here: {', '.join(str(name) for name in names)})"
            )
        self.dataset, self.device = dataset, models.device
        self.indices = [names.index(band) + 1 for band in models.classifier.bands]
        self.fill = models.classifier.standardise.mean.cpu()
        self.tile_size = models.classifier.tile_size
        self.height, self.width = dataset.height, dataset.width
        self.ground = ground_offset(grid_of(dataset))

    def stored(self, window: Window, shape: tuple[int, int]) -> np.ndarray:
        """(C, *shape) uint16: the window, filled up with missing pixels below and to the right."""
        values = read(self.dataset, self.indices, window=window)
        missing = [(0, 0)] + [(0, s - n) for s, n in zip(shape, values.shape[1:], strict=True)]
        return np.pad(values, missing) if any(map(any, missing)) else values

    def inputs(self, stored: np.ndarray, corners: Sequence[tuple[int, int]]) -> Inputs:
        """(N, C, H, W) uint16 -> images on the device, and the other fields that methods may read.

        Args:
            corners: row and column in the scene of each image's first pixel.
        """
        images, valid = to_images(stored, self.fill)
        images = images.to(self.device, memory_format=torch.channels_last)
        return Inputs(images, valid, torch.tensor(corners) + torch.tensor(self.ground))


class Windows:
    """Windows with halos, whose map equals that of one pass over the whole scene.

    Attributes:
        strips: rows of each strip; together they are the scene.
        layers: names of the further bands of the map.
        bands: number of values per pixel that the method returns.
    """

    layers = ()

    def __init__(self, source: Source, method: Method, settings: Attribution, bands: int = 1):
        self.source, self.method, self.bands = source, method, bands
        # with this much halo no window of a larger scene is so small that it would be filled up
        least = -(-SMALLEST // method.multiple) * method.multiple
        halo = max(method.halo, least) if method.halo else 0
        pieces = halo_pieces(
            source.height, source.width,
            core=settings.window, halo=halo, multiple=method.multiple, ground=source.ground,
        )  # fmt: skip
        self.lines = [list(line) for _, line in groupby(pieces, lambda p: p.core.row_off)]
        self.strips = [_rows(line[0].core) for line in self.lines]

    def run(self, first: int, last: int) -> Iterator[np.ndarray]:
        """Strips first .. last - 1, each (B, rows, width) float32, NaN = no data."""
        pieces = [piece for line in self.lines[first:last] for piece in line]
        loaded = _prefetched(self.load, pieces)
        width = self.source.width
        for piece, stored in zip(track(pieces, "map", unit="windows"), loaded, strict=True):
            _, columns = piece.core.toslices()
            if columns.start == 0:
                strip = np.empty((self.bands, piece.core.height, width), np.float32)
            strip[:, :, columns] = self._values(piece, stored)
            if columns.stop == width:
                yield strip
                del strip  # not kept while the next one is made

    def load(self, piece: Piece) -> np.ndarray:
        """Stored values to read for a piece, (1, C, H, W) uint16."""
        sides = int(piece.read.height), int(piece.read.width)
        return self.source.stored(piece.read, tuple(max(SMALLEST, side) for side in sides))[None]

    def _values(self, piece: Piece, stored: np.ndarray) -> np.ndarray:
        inputs = self.source.inputs(stored, [(piece.read.row_off, piece.read.col_off)])
        valid = inputs.valid[0].numpy()[piece.inner]
        if not valid.any():
            return np.full((self.bands, *valid.shape), np.nan, np.float32)
        values = _layered(inputs.attribute(self.method))[0][:, *piece.inner]
        return np.where(valid, values, np.float32(np.nan))


class Tiles:
    """Overlapping tiles, averaged; strips reach from the top of one row of tiles to the next.

    A second band is the range over the tiles that see a pixel, their disagreement (NaN where only
    one tile sees it).
    """

    layers = ("disagreement",)

    def __init__(self, source: Source, method: Method, size: int, settings: Attribution):
        self.source, self.method, self.size = source, method, size
        self.batch_size = settings.batch_size
        # a method may need another overlap than the settings'
        overlap = min(method.overlap or settings.overlap, size // 2)
        self.tops = tile_starts(source.height, size, overlap, source.ground[0])
        self.lefts = tile_starts(source.width, size, overlap, source.ground[1])
        self.weight = tile_weight(size, overlap)
        self.strips = list(pairwise([*self.tops, source.height]))

    def run(self, first: int, last: int) -> Iterator[np.ndarray]:
        """Strips first .. last - 1, each (2, rows, width) float32, NaN = no data."""
        # rows of tiles above the first strip reach into it
        above = [k for k in range(first) if self.tops[k] + self.size > self.tops[first]]
        lines = range(min(above, default=first), last)
        sums = _Sums(self.size, max(self.source.width, self.size))
        present: dict[int, np.ndarray] = {}  # valid pixels of the rows of tiles in work
        values = self._values(self._present_tiles(lines, present))
        following = next(values, None)
        for k in track(lines, "map", unit="rows of tiles"):
            while following and following[0].line == k:
                sums.add(following[0].left, following[1], self.weight)
                following = next(values, None)
            sums.valid[:] = present.pop(k)
            rows = sums.take(self.strips[k][1] - self.strips[k][0])
            if k >= first:
                yield rows[:, :, : self.source.width]

    def _load(self, top: int) -> np.ndarray:
        rows = Window(0, top, self.source.width, min(self.size, self.source.height - top))
        return self.source.stored(rows, (self.size, max(self.source.width, self.size)))

    def _present_tiles(self, lines: range, present: dict[int, np.ndarray]) -> Iterator["_Tile"]:
        """Tiles with a valid pixel; fills `present`, (size, width) bool by row of tiles."""
        loaded = _prefetched(self._load, [self.tops[k] for k in lines])
        for k, stored in zip(lines, loaded, strict=True):
            present[k] = (stored != 0).all(axis=0)
            for left in self.lefts:
                columns = slice(left, left + self.size)
                if present[k][:, columns].any():
                    yield _Tile(k, left, stored[:, :, columns])

    def _values(self, tiles: Iterator["_Tile"]) -> Iterator[tuple["_Tile", np.ndarray]]:
        """Each tile with its values, (size, size).

        All batches are of one size, across rows, and the last is filled up, since rounding depends
        on the size of a batch and a cut of the scene has fewer tiles. In sizes that are no multiple
        of 8, linear layers also round by a tile's position in the batch.
        """
        while batch := list(islice(tiles, self.batch_size)):
            filled = batch + batch[-1:] * (self.batch_size - len(batch))
            inputs = self.source.inputs(
                np.stack([tile.stored for tile in filled]),
                [(self.tops[tile.line], tile.left) for tile in filled],
            )
            values = _layered(inputs.attribute(self.method))[:, 0]
            yield from zip(batch, values[: len(batch)], strict=True)


class _Tile(NamedTuple):
    """A tile to be computed: its row of tiles, its first column, and its stored pixels."""

    line: int
    left: int
    stored: np.ndarray


class _Sums:
    """Sums over the tiles that reach into the current rows."""

    def __init__(self, height: int, width: int):
        self.total, self.weights = np.zeros((2, height, width), np.float32)
        self.low = np.full((height, width), np.inf, np.float32)
        self.high = np.full((height, width), -np.inf, np.float32)
        self.count = np.zeros((height, width), np.uint8)
        self.valid = np.zeros((height, width), bool)

    def add(self, left: int, values: np.ndarray, weight: np.ndarray) -> None:
        """A tile, (H, W)."""
        columns = slice(left, left + values.shape[1])
        self.total[:, columns] += weight * values
        self.weights[:, columns] += weight
        np.minimum(self.low[:, columns], values, out=self.low[:, columns])
        np.maximum(self.high[:, columns], values, out=self.high[:, columns])
        self.count[:, columns] += 1

    def take(self, rows: int) -> np.ndarray:
        """(2, rows, width): mean and range of the first rows, which are finished and removed."""
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = self.total[:rows] / self.weights[:rows]
            spread = np.where(self.count[:rows] > 1, self.high[:rows] - self.low[:rows], np.nan)
        taken = np.where(self.valid[:rows], np.stack([mean, spread]), np.float32(np.nan))
        left = len(self.total) - rows
        for buffer, empty in (
            (self.total, 0), (self.weights, 0), (self.count, 0),
            (self.low, np.inf), (self.high, -np.inf),
        ):  # fmt: skip
            buffer[:left] = buffer[rows:].copy()
            buffer[left:] = empty
        return taken.astype(np.float32)


def _layered(values: Tensor) -> np.ndarray:
    """(N, H, W) or (N, B, H, W) -> (N, B, H, W) float32."""
    values = values.float().cpu().numpy()
    return values if values.ndim == 4 else values[:, None]


def _rows(window: Window) -> Rows:
    return window.row_off, window.row_off + window.height


def _prefetched(load: Callable, items: Iterable) -> Iterator:
    """Results of `load`, the next one read in the background."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting = None
        for item in items:
            following = pool.submit(load, item)
            if waiting is not None:
                yield waiting.result()
            waiting = following
        if waiting is not None:
            yield waiting.result()
