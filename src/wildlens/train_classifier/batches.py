"""Augmented batches of the classifier: symmetries, CutMix, and CutMix in small pieces."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wildlens.settings import Classifier
from wildlens.train_classifier.cells import Cells, draw_cells, mix_cells
from wildlens.train_classifier.cutmix import Mix, cutmix, draw_mix
from wildlens.training.augmentation import apply_symmetries, draw_symmetries
from wildlens.training.data import TileSet


@dataclass(frozen=True)
class Plan:
    """The random choices of a batch.

    Attributes:
        indices, symmetries: (N,) tile, and number of its symmetry, of each image.
        targets: (N,) or (N, classes), before mixing.
        mix: None if the batch is not mixed, or mixed in small pieces: then `cells`.
    """

    indices: np.ndarray
    symmetries: np.ndarray
    targets: Tensor
    mix: Mix | None
    cells: Cells | None = None

    @classmethod
    def draw(
        cls,
        indices: np.ndarray,
        targets: Tensor,
        side: int,
        settings: Classifier,
        generator: np.random.Generator,
    ) -> "Plan":
        """Random choices for these tiles of `side` px."""
        symmetries, mix = draw_symmetries(len(indices), generator), None
        if generator.random() < settings.cutmix:
            if settings.cutmix_cells and generator.random() < settings.cutmix_cells:
                cells = draw_cells(len(indices), side, settings.cutmix_blank, generator)
                return cls(indices, symmetries, targets, None, cells)
            mix = draw_mix(targets, side, side, generator, settings.cutmix_form)
        return cls(indices, symmetries, targets, mix)

    def prepare(self, tiles: TileSet, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (n, C, S, S) and class fractions of these rows of the batch."""
        own = self._turned(tiles, rows)
        if self.cells is not None:
            partners = self._turned(tiles, self.cells.partners[rows])
            uniform = 1 / max(2, self.targets[0].numel())
            return mix_cells(*own, *partners, self.cells, rows, tiles.fill, uniform)
        if self.mix is None:
            return own
        return cutmix(*own, *self._turned(tiles, self.mix.partners[rows]), self.mix)

    def _turned(self, tiles: TileSet, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        images = apply_symmetries(tiles.images(self.indices[rows]), self.symmetries[rows])
        return images, self.targets[torch.from_numpy(rows)]
