"""The training set, in memory or read as it is wanted, and random views of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wildlens.files.reflectance import SCALE
from wildlens.networks.images import to_images
from wildlens.networks.symmetries import COUNT, turn
from wildlens.settings import TWO_CLASSES
from wildlens.tiles.store import TilesOnDisk, class_names, open_tiles

# bytes of pixels that are kept in memory; a larger set is read from the disk batch by batch
IN_MEMORY = 2 * 2**30
_AT_ONCE = 64 * 2**20  # bytes of pixels that are counted together


@dataclass(frozen=True)
class TileSet:
    """Tiles of one split, as stored; a batch becomes float32 reflectance when it is asked for.

    Attributes:
        stored: (M, C, S, S) uint16, reflectance x 10000, 0 = missing; of this and other splits.
        labels: (N,) float32, 1 protected, 0 anthropogenic, from 2 on further classes.
        fill: (C,) float32 reflectance for missing pixels: the band means of the training split.
        rows: (N,) which of `stored` they are; None: all of them.
    """

    stored: np.ndarray | TilesOnDisk
    labels: Tensor
    fill: Tensor
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> int:
        """Side of a tile, px."""
        return self.stored.shape[-1]

    def images(self, indices: np.ndarray) -> Tensor:
        """(len(indices), C, S, S) float32 reflectance."""
        rows = indices if self.rows is None else self.rows[indices]
        return to_images(self.stored[rows], self.fill)[0]

    def only(self, label: int) -> "TileSet":
        """The tiles of one label; their pixels are not copied."""
        chosen = np.flatnonzero(self.labels.numpy() == label)
        rows = chosen if self.rows is None else self.rows[chosen]
        return TileSet(self.stored, self.labels[torch.from_numpy(chosen)], self.fill, rows)


@dataclass(frozen=True)
class TrainingSet:
    """All splits, with the band statistics of the training split (reflectance)."""

    splits: dict[str, TileSet]
    mean: Tensor
    sd: Tensor
    bands: list[str]
    tile_size: int
    classes: Sequence[str] = TWO_CLASSES  # by label


def load_training_set(path: Path, in_memory: int = IN_MEMORY) -> TrainingSet:
    """Open `tiles.zarr`; its pixels are kept in memory if they have `in_memory` bytes or less.

    A larger set is read tile by tile as batches ask for it, so that memory does not depend on the
    number of tiles. What is trained is the same.
    """
    with open_tiles(path) as dataset:
        pixels = dataset["reflectance"]
        stored = pixels.values if pixels.nbytes <= in_memory else TilesOnDisk(path)
        labels = torch.from_numpy(dataset["label"].values.astype(np.float32))
        split = dataset["split"].values.astype(str)
        bands = [str(band) for band in dataset["band"].values]
        classes = class_names(dataset)
    rows = {name: np.flatnonzero(split == name) for name in ("train", "val", "test")}
    mean, sd = band_statistics(stored, rows["train"])
    splits = {
        name: TileSet(stored, labels[torch.from_numpy(those)], mean, those)
        for name, those in rows.items()
    }
    return TrainingSet(splits, mean, sd, bands, stored.shape[-1], classes)


def band_statistics(
    stored: np.ndarray | TilesOnDisk, rows: np.ndarray | None = None
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by band over valid pixels; (C,) float32 reflectance each.

    Args:
        stored: (M, C, S, S) uint16.
        rows: the tiles that count; None: all.
    """
    means, sds = [], []
    values = np.arange(2**16) / SCALE
    for counts in _value_counts(stored, np.arange(len(stored)) if rows is None else rows):
        counts[0] = 0
        mean = np.average(values, weights=counts)
        means.append(mean)
        sds.append(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
    return torch.tensor(means, dtype=torch.float32), torch.tensor(sds, dtype=torch.float32)


def _value_counts(stored: np.ndarray | TilesOnDisk, rows: np.ndarray) -> np.ndarray:
    """How often each of the 65536 possible values occurs in each band; (C, 65536) float64.

    Exact, and without a copy of all tiles.
    """
    _, bands, height, width = stored.shape
    counts = np.zeros((bands, 2**16))
    step = max(1, _AT_ONCE // (2 * bands * height * width))
    for start in range(0, len(rows), step):
        tiles = stored[rows[start : start + step]]
        for band in range(bands):
            counts[band] += np.bincount(tiles[:, band].ravel(), minlength=2**16)
    return counts


def draw_symmetries(count: int, generator: np.random.Generator) -> np.ndarray:
    """For each image the number of a symmetry of the square (see `symmetries.turn`)."""
    return generator.integers(COUNT, size=count)


def turned(images: Tensor, symmetries: np.ndarray) -> Tensor:
    """Each image in the view of its symmetry, (N, C, S, S)."""
    out = torch.empty_like(images)
    for k in range(COUNT):
        chosen = torch.from_numpy(np.flatnonzero(symmetries == k))
        out[chosen] = turn(images[chosen], k)
    return out


def draw_crop(size: int, side: int | None, generator: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random crop of tiles; without a side, or a larger one, of all."""
    if side is None or side >= size:
        return slice(None), slice(None)
    top, left = (int(generator.integers(size - side + 1)) for _ in range(2))
    return slice(top, top + side), slice(left, left + side)


def batches(count: int, size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Indices 0..count-1 in random order, cut into batches; a short rest is left out.

    With fewer than `size` items there is one batch of all.
    """
    order = generator.permutation(count)
    whole = max(count // size, 1)
    return [order[i * size : (i + 1) * size] for i in range(whole)]
