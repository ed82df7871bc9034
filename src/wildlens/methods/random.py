"""Control: noise, which a method must exceed."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wildlens.attribution.method import Method
from wildlens.settings import Attribution

_BLOCK = 8  # float32 numbers of Philox for one value of its counter


@dataclass(frozen=True)
class RandomControl(Method):
    """Uniform noise in [0, 1), drawn for each pixel from a seed and its location.

    A pixel has the same value in every tile, window and file.
    """

    seed: int
    halo: int | None = 0
    reads: tuple[str, ...] = ("images", "ground")

    def __call__(self, images: Tensor, ground: Tensor) -> Tensor:
        """Images (N, C, H, W), used for their size only, and corners (N, 2) -> (N, H, W)."""
        noise = [ground_noise(self.seed, *corner, *images.shape[2:]) for corner in ground.tolist()]
        return torch.from_numpy(np.stack(noise)).to(images.device)


def ground_noise(seed: int, row: int, column: int, height: int, width: int) -> np.ndarray:
    """(height, width) float32 in [0, 1) of the pixels from this row and column, see `files.ground`.

    Each row is a separate stream of a counter-based generator (Philox), started at the column.
    """
    block, before = divmod(column, _BLOCK)
    lines = []
    for line in range(row, row + height):
        bits = np.random.Philox(key=seed << 64 | line % 2**64, counter=block % 2**256)
        lines.append(np.random.Generator(bits).random(before + width, np.float32)[before:])
    return np.stack(lines)


def create(models, settings: Attribution) -> RandomControl:
    """The control; models are not used."""
    return RandomControl(settings.seed)
