"""The training set, in memory or read from disk batch by batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wildlens.errors import WildLensError
from wildlens.files.origin import copied
from wildlens.networks.images import to_images
from wildlens.settings import TWO_CLASSES
from wildlens.tiles.store import TilesOnDisk, class_names, open_tiles
from wildlens.training.statistics import band_statistics

# bytes of pixels kept in memory; a larger set is read from disk batch by batch
IN_MEMORY = 2 * 2**30
LEAST_SD = 1e-6  # reflectance; a band with less is constant: networks divide by it


@dataclass(frozen=True)
class TileSet:
    """Tiles of one split, as stored; `images` converts a batch to float32 reflectance.

    Attributes:
        stored: (M, C, S, S) uint16, reflectance x 10000, 0 = missing; of this and other splits.
        labels: (N,) float32, 1 protected, 0 anthropogenic, from 2 on further classes.
        fill: (C,) float32 reflectance for missing pixels: the band means of the training split.
        rows: (N,) their indices in `stored`; None: all of `stored`.
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
        """Tiles of one label, without a copy of the pixels."""
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
    origin: Mapping[str, str] = field(default_factory=dict)  # metadata for models, see files.origin


def load_training_set(path: Path, in_memory: int = IN_MEMORY) -> TrainingSet:
    """Open `tiles.zarr`; pixels of at most `in_memory` bytes are kept in memory.

    A larger set is read batch by batch, so that memory does not depend on the number of tiles. The
    training result is the same.

    Raises:
        WildLensError: a band is constant, so that it cannot be standardised.
    """
    with open_tiles(path) as dataset:
        pixels = dataset["reflectance"]
        stored = pixels.values if pixels.nbytes <= in_memory else TilesOnDisk(path)
        labels = torch.from_numpy(dataset["label"].values.astype(np.float32))
        split = dataset["split"].values.astype(str)
        bands = [str(band) for band in dataset["band"].values]
        classes, origin = class_names(dataset), copied(dataset.attrs)
    rows = {name: np.flatnonzero(split == name) for name in ("train", "val", "test")}
    mean, sd = band_statistics(stored, rows["train"])
    if constant := [band for band, one in zip(bands, sd, strict=True) if one < LEAST_SD]:
        raise WildLensError(
            f"{path}: bands constant in the training tiles: {', '.join(constant)}: check their"
            " files, or leave them out of scene.bands"
        )
    splits = {
        name: TileSet(stored, labels[torch.from_numpy(those)], mean, those)
        for name, those in rows.items()
    }
    return TrainingSet(splits, mean, sd, bands, stored.shape[-1], classes, origin)
