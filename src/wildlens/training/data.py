"""The training set in memory, and random views of it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wildlens.reflectance import to_images
from wildlens.stored import SCALE
from wildlens.tileset import open_tiles


@dataclass(frozen=True)
class TileSet:
    """Tiles of one split, as stored; a batch becomes float32 reflectance when it is asked for.

    Attributes:
        stored: (N, C, S, S) uint16, reflectance x 10000, 0 = missing.
        labels: (N,) float32, 1 protected, 0 anthropogenic.
        fill: (C,) float32 reflectance for missing pixels: the band means of the training split.
    """

    stored: np.ndarray
    labels: Tensor
    fill: Tensor

    def __len__(self) -> int:
        return len(self.stored)

    def images(self, indices: np.ndarray) -> Tensor:
        """(len(indices), C, S, S) float32 reflectance."""
        return to_images(self.stored[indices], self.fill)[0]

    def only(self, label: int) -> "TileSet":
        """The tiles of one label."""
        keep = self.labels.numpy() == label
        return TileSet(self.stored[keep], self.labels[torch.from_numpy(keep)], self.fill)


@dataclass(frozen=True)
class TrainingSet:
    """All splits, with the band statistics of the training split (reflectance)."""

    splits: dict[str, TileSet]
    mean: Tensor
    sd: Tensor
    bands: list[str]
    tile_size: int


def load_training_set(path: Path) -> TrainingSet:
    """Read `tiles.zarr` into memory (2 bytes a pixel and band)."""
    with open_tiles(path) as dataset:
        stored = dataset["reflectance"].values
        labels = torch.from_numpy(dataset["label"].values.astype(np.float32))
        split = dataset["split"].values.astype(str)
        bands = [str(band) for band in dataset["band"].values]
    mean, sd = band_statistics(stored[split == "train"])
    splits = {}
    for name in ("train", "val", "test"):
        keep = split == name
        splits[name] = TileSet(stored[keep], labels[torch.from_numpy(keep)], mean)
    return TrainingSet(splits, mean, sd, bands, stored.shape[-1])


def band_statistics(stored: np.ndarray) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation by band over valid pixels; (C,) float32 reflectance each."""
    means, sds = [], []
    for band in range(stored.shape[1]):
        # counts of the 65536 possible values: exact in float64, and no float copy of all tiles
        counts = np.bincount(stored[:, band].ravel(), minlength=2**16).astype(np.float64)
        counts[0] = 0
        values = np.arange(2**16) / SCALE
        mean = np.average(values, weights=counts)
        means.append(mean)
        sds.append(np.sqrt(np.average((values - mean) ** 2, weights=counts)))
    return torch.tensor(means, dtype=torch.float32), torch.tensor(sds, dtype=torch.float32)


def turned(images: Tensor, generator: np.random.Generator) -> Tensor:
    """Each image in a random one of the 8 symmetries of the square: north has no meaning."""
    symmetry = generator.integers(8, size=len(images))
    out = torch.empty_like(images)
    for k in range(8):
        chosen = torch.from_numpy(np.flatnonzero(symmetry == k))
        view = torch.rot90(images[chosen], k % 4, dims=(2, 3))
        out[chosen] = view.flip(3) if k >= 4 else view
    return out


def cropped(images: Tensor, side: int | None, generator: np.random.Generator) -> Tensor:
    """The same random `side` x `side` crop of all images; without a side, the whole images."""
    height, width = images.shape[-2:]
    if side is None or side >= min(height, width):
        return images
    top, left = (int(generator.integers(n - side + 1)) for n in (height, width))
    return images[..., top : top + side, left : left + side]


def batches(count: int, size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Indices 0..count-1 in random order, cut into batches; a short rest is left out.

    With fewer than `size` items there is one batch of all.
    """
    order = generator.permutation(count)
    whole = max(count // size, 1)
    return [order[i * size : (i + 1) * size] for i in range(whole)]
