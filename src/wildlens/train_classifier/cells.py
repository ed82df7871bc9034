"""CutMix in small pieces: each cell of an image is its own, its partner's, or blank.

A pasted box leaves large connected parts of both images, which the absence of fields separates as
well as the presence of a bog. A single cell without fields may come from either class, and a blank
one from none, so that only present patterns reveal the class of a cell. The paper pastes larger
parts.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

SIDES = (16, 32, 64)  # px, of cells; larger ones only if a tile contains several
OWN, PARTNER, BLANK = 0, 1, 2
COMMON, BY_BAND, BY_PIXEL = 0.15, 0.1, 0.08  # relative sd of the reflectance of blank cells


@dataclass(frozen=True)
class Cells:
    """Where each pixel of a batch of images comes from.

    Attributes:
        partners: (N,) positions in the batch. origin: uint8 (N, 1, S, S), OWN, PARTNER or BLANK.
        seed: of the reflectance of blank cells.
    """

    partners: np.ndarray
    origin: np.ndarray
    seed: int


def draw_cells(count: int, side: int, blank: float, generator: np.random.Generator) -> Cells:
    """Random cells for `count` images of `side` px; `blank`: mean share of blank cells."""
    cell = int(generator.choice([s for s in SIDES if s < side] or [side // 2]))
    number = side // cell + 2  # one more on either side, for the shift
    shape = (count, number, number)
    share = generator.uniform(size=(count, 1, 1))
    origin = (generator.random(shape) < share).astype(np.uint8)
    origin[generator.random(shape) < generator.uniform(0, 2 * blank, (count, 1, 1))] = BLANK
    row, column = ((np.arange(side) + shift) // cell for shift in generator.integers(cell, size=2))
    return Cells(
        generator.permutation(count),
        origin[:, None, row[:, None], column],
        int(generator.integers(2**31)),
    )


def mix_cells(
    images: Tensor, labels: Tensor, partners: Tensor, their_labels: Tensor,
    cells: Cells, rows: np.ndarray, mean: Tensor, uniform: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Images whose cells come from two tiles or are blank, and labels by the share of pixels.

    Args:
        images, partners: (n, C, S, S) reflectance. labels, their_labels: (n,) or (n, classes).
        rows: which images of the batch these are.
        mean: (C,) reflectance of blank cells. uniform: their label, the same for all classes.
    """
    origin = torch.from_numpy(cells.origin[rows])
    mixed = torch.where(origin == PARTNER, partners, images)
    blank = torch.stack([_blank(images[0].shape, mean, (cells.seed, int(row))) for row in rows])
    mixed = torch.where(origin == BLANK, blank, mixed)
    own, other, nothing = (
        (origin == kind).float().mean(dim=(1, 2, 3)).reshape(-1, *[1] * (labels.dim() - 1))
        for kind in (OWN, PARTNER, BLANK)
    )
    return mixed, own * labels + other * their_labels + nothing * uniform


def _blank(shape: torch.Size, mean: Tensor, seed: tuple[int, int]) -> Tensor:
    """Reflectance (C, S, S) near the band means, with a random tint and noise."""
    generator = np.random.default_rng(seed)
    tint = COMMON * generator.standard_normal() + BY_BAND * generator.standard_normal(shape[0])
    noise = 1 + BY_PIXEL * generator.standard_normal(shape, np.float32)
    return mean[:, None, None] * torch.from_numpy(np.exp(tint)[:, None, None] * noise).float()
