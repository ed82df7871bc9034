"""Augmented batches of the classifier: symmetries and CutMix."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wildlens.settings import Classifier
from wildlens.train_classifier.cutmix import Mix, cutmix, draw_mix
from wildlens.training.augmentation import apply_symmetries, draw_symmetries
from wildlens.training.data import TileSet


@dataclass(frozen=True)
class Plan:
    """The random choices of a batch.

    Attributes:
        indices, symmetries: (N,) tile, and number of its symmetry, of each image.
        targets: (N,) or (N, classes), before mixing.
        mix: None if the batch is not mixed.
    """

    indices: np.ndarray
    symmetries: np.ndarray
    targets: Tensor
    mix: Mix | None

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
            mix = draw_mix(targets, side, side, generator, settings.cutmix_form)
        return cls(indices, symmetries, targets, mix)

    def prepare(self, tiles: TileSet, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        """Images (n, C, S, S) and class fractions of these rows of the batch."""
        own = self._turned(tiles, rows)
        if self.mix is None:
            return own
        return cutmix(*own, *self._turned(tiles, self.mix.partners[rows]), self.mix)

    def _turned(self, tiles: TileSet, rows: np.ndarray) -> tuple[Tensor, Tensor]:
        images = apply_symmetries(tiles.images(self.indices[rows]), self.symmetries[rows])
        return images, self.targets[torch.from_numpy(rows)]
