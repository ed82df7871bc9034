"""Augmented batches of the generators: crops and symmetries."""

from dataclasses import dataclass

import numpy as np
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
    """

    indices: np.ndarray
    symmetries: np.ndarray
    crop: tuple[slice, slice]

    @classmethod
    def draw(
        cls, indices: np.ndarray, side: int, settings: Gan, generator: np.random.Generator
    ) -> "Plan":
        """Random choices for these tiles of `side` px."""
        crop = draw_crop(side, settings.crop, generator)
        return cls(indices, draw_symmetries(len(indices), generator), crop)

    def prepare(self, tiles: TileSet, rows: np.ndarray) -> Tensor:
        """Images (n, C, H, W) of these rows of the batch."""
        images = tiles.images(self.indices[rows])[..., *self.crop]
        return apply_symmetries(images, self.symmetries[rows])
