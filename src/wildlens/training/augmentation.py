"""Random order, symmetries and crops of training tiles."""

import numpy as np
import torch
from torch import Tensor

from wildlens.networks.symmetries import COUNT, turn


def epoch_batches(count: int, size: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Indices 0..count-1 in random order, cut into batches; an incomplete last one is dropped.

    With fewer than `size` items there is one batch of all.
    """
    order = generator.permutation(count)
    whole = max(count // size, 1)
    return [order[i * size : (i + 1) * size] for i in range(whole)]


def draw_symmetries(count: int, generator: np.random.Generator) -> np.ndarray:
    """Number of a symmetry of the square for each image (see `symmetries.turn`), (count,)."""
    return generator.integers(COUNT, size=count)


def apply_symmetries(images: Tensor, symmetries: np.ndarray) -> Tensor:
    """Turn each image by its symmetry, (N, C, S, S)."""
    out = torch.empty_like(images)
    for k in range(COUNT):
        chosen = torch.from_numpy(np.flatnonzero(symmetries == k))
        out[chosen] = turn(images[chosen], k)
    return out


def draw_crop(size: int, side: int | None, generator: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a random crop; the whole tile if `side` is None or not smaller."""
    if side is None or side >= size:
        return slice(None), slice(None)
    top, left = (int(generator.integers(size - side + 1)) for _ in range(2))
    return slice(top, top + side), slice(left, left + side)


def central_crop(size: int, side: int | None) -> tuple[slice, slice]:
    """Rows and columns of the central crop; the whole tile if `side` is None or not smaller."""
    side = min(side or size, size)
    start = (size - side) // 2
    return slice(start, start + side), slice(start, start + side)
