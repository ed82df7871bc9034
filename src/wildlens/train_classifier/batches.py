"""Augmented batches of the classifier: symmetries, CutMix, and CutMix in small pieces."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wildlens.settings import Classifier
from wildlens.train_classifier.cells import BLANK, PARTNER, Cells, draw_cells, mix_cells
from wildlens.train_classifier.cutmix import Mix, cutmix, draw_mix, paste
from wildlens.training.augmentation import apply_symmetries, draw_symmetries
from wildlens.training.data import TileSet


@dataclass(frozen=True)
class Plan:
    """The random choices of a batch.

    Attributes:
        indices, symmetries: (N,) tile, and number of its symmetry, of each image.
        targets: (N,) or (N, classes), before mixing.
        of_target: bool (N,), whether the tile is one of the target class; None if no loss asks.
        mix: None if the batch is not mixed, or mixed in small pieces: then `cells`.
    """

    indices: np.ndarray
    symmetries: np.ndarray
    targets: Tensor
    of_target: Tensor | None
    mix: Mix | None
    cells: Cells | None = None

    @classmethod
    def draw(
        cls,
        indices: np.ndarray,
        targets: Tensor,
        of_target: Tensor | None,
        side: int,
        settings: Classifier,
        generator: np.random.Generator,
    ) -> "Plan":
        """Random choices for these tiles of `side` px."""
        symmetries, mix = draw_symmetries(len(indices), generator), None
        if generator.random() < settings.cutmix:
            if settings.cutmix_cells and generator.random() < settings.cutmix_cells:
                cells = draw_cells(len(indices), side, settings.cutmix_blank, generator)
                return cls(indices, symmetries, targets, of_target, None, cells)
            mix = draw_mix(targets, side, side, generator, settings.cutmix_form)
        return cls(indices, symmetries, targets, of_target, mix)

    def prepare(self, tiles: TileSet, rows: np.ndarray) -> tuple[Tensor, ...]:
        """These rows of the batch.

        Returns:
            Images (n, C, S, S), class fractions of each, and, if there is `of_target`, bool
            (n, 1, S, S): whether a pixel comes from a tile of the target class.
        """
        if self.of_target is None:
            return self._mixed(tiles, rows)
        return *self._mixed(tiles, rows), self._pixels_of_target(tiles.size, rows)

    def _pixels_of_target(self, side: int, rows: np.ndarray) -> Tensor:
        def everywhere(positions: np.ndarray) -> Tensor:
            flags = self.of_target[torch.from_numpy(positions)]
            return flags[:, None, None, None].expand(-1, 1, side, side)

        own = everywhere(rows)
        if self.cells is not None:
            origin = torch.from_numpy(self.cells.origin[rows])
            theirs = everywhere(self.cells.partners[rows])
            return torch.where(origin == PARTNER, theirs, own & (origin != BLANK))
        if self.mix is None:
            return own.contiguous()
        return paste(own, everywhere(self.mix.partners[rows]), self.mix)

    def _mixed(self, tiles: TileSet, rows: np.ndarray) -> tuple[Tensor, Tensor]:
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
