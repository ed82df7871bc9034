"""Augmented batches of the generators: crops, symmetries, and cells of other tiles."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wildlens.settings import Gan
from wildlens.training.augmentation import apply_symmetries, draw_crop, draw_symmetries
from wildlens.training.data import TileSet


@dataclass(frozen=True)
class Plan:
    """The random choices of a batch.

    Attributes:
        indices, symmetries: (N,) tile, and number of its symmetry, of each image.
        crop: rows and columns, the same for all images.
        others: (N,) tiles of any class that cells are taken from; None if nothing is pasted.
        cells: bool (N, 1, S, S), the pixels that are pasted.
    """

    indices: np.ndarray
    symmetries: np.ndarray
    crop: tuple[slice, slice]
    others: np.ndarray | None = None
    cells: np.ndarray | None = None

    @classmethod
    def draw(
        cls,
        indices: np.ndarray,
        side: int,
        settings: Gan,
        generator: np.random.Generator,
        others: int,
    ) -> "Plan":
        """Random choices for these tiles of `side` px; `others`: number of tiles of any class."""
        crop = draw_crop(side, settings.crop, generator)
        symmetries = draw_symmetries(len(indices), generator)
        pasted = draw_pasted(len(indices), side, settings, generator, others)
        return cls(indices, symmetries, crop, *pasted)

    def prepare(self, tiles: TileSet, rows: np.ndarray, all_tiles: TileSet) -> Tensor:
        """Images (n, C, H, W) of these rows of the batch; `all_tiles`: where `others` point."""
        images = tiles.images(self.indices[rows])
        if self.others is not None:
            pasted = torch.from_numpy(self.cells[rows])
            images = torch.where(pasted, all_tiles.images(self.others[rows]), images)
        return apply_symmetries(images[..., *self.crop], self.symmetries[rows])


def draw_pasted(
    count: int, side: int, settings: Gan, generator: np.random.Generator, others: int
) -> tuple[np.ndarray, np.ndarray] | tuple[()]:
    """`others` and `cells` of a plan in a share `mixed` of the batches, else nothing."""
    if settings.mixed == 0 or generator.random() >= settings.mixed:
        return ()
    return generator.integers(others, size=count), draw_cells(count, side, generator)


def draw_cells(count: int, side: int, generator: np.random.Generator) -> np.ndarray:
    """Half of the cells of a grid of quarters or eighths of the side, bool (count, 1, S, S)."""
    parts = int(generator.choice((4, 8)))
    chosen = generator.random((count, parts, parts)) < 0.5
    position = np.arange(side) * parts // side
    return chosen[:, None, position[:, None], position]
