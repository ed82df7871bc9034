"""The eight symmetries of the square: north has no meaning for what land is."""

import torch
from torch import Tensor

COUNT = 8


def turn(images: Tensor, symmetry: int) -> Tensor:
    """A view, (..., H, W) -> (..., H, W) or (..., W, H): quarter turns, and from 4 on mirrored."""
    view = torch.rot90(images, symmetry % 4, dims=(-2, -1))
    return view.flip(-1) if symmetry >= 4 else view


def turn_back(view: Tensor, symmetry: int) -> Tensor:
    """The inverse of `turn`."""
    view = view.flip(-1) if symmetry >= 4 else view
    return torch.rot90(view, -(symmetry % 4), dims=(-2, -1))
