"""The mean of a method's maps over the eight symmetries of the square: north has no meaning.

A network is trained on turned and mirrored tiles, and still answers each view a little differently.
What the views agree on stays; what hangs on the grid of strides and paddings is averaged out.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from wildlens.attribution import signs

COUNT = 8


@dataclass(frozen=True)
class SymmetryMean:
    """A method, averaged over views; all that it says of itself it says still.

    Contributions are averaged with their sign, and the sign rule comes after: so their sum is still
    that of the logits' differences, which are averaged, too.
    """

    method: object

    def __getattr__(self, name: str):
        if name.startswith("__"):  # of copying and pickling, before `method` is there
            raise AttributeError(name)
        return getattr(self.method, name)

    def __call__(self, images: Tensor) -> Tensor:
        if hasattr(self.method, "contributions"):
            return signs.apply(self.method.sign_rule, self.contributions(images))
        return self._mean(self.method, images)

    def contributions(self, images: Tensor) -> Tensor:
        """Mean contributions, (N, C, H, W) reflectance -> (N, H, W)."""
        return self._mean(self.method.contributions, images)

    def difference(self, images: Tensor) -> Tensor:
        """Mean of what each view's contributions should sum to, (N,)."""
        return sum(self.method.difference(turn(images, k)) for k in range(COUNT)) / COUNT

    def _mean(self, attribute, images: Tensor) -> Tensor:
        """Mean over the views of what `attribute` gives, (N, H, W)."""
        height, width = images.shape[-2:]
        whole = whole_cells(images, self.method.multiple)
        total = sum(turn_back(attribute(turn(whole, k)), k) for k in range(COUNT))
        return (total / COUNT)[..., :height, :width]


def symmetric(method, count: int):
    """The method averaged over `count` symmetries, 1 or 8; what looks at single pixels stays.

    The same pixel has the same value in every view, and a control of noise is no noise once
    averaged.
    """
    return method if count == 1 or method.halo == 0 else SymmetryMean(method)


def turn(images: Tensor, symmetry: int) -> Tensor:
    """A view, (..., H, W) -> (..., H, W) or (..., W, H): quarter turns, and from 4 on mirrored."""
    view = torch.rot90(images, symmetry % 4, dims=(-2, -1))
    return view.flip(-1) if symmetry >= 4 else view


def turn_back(view: Tensor, symmetry: int) -> Tensor:
    """What `turn` took."""
    view = view.flip(-1) if symmetry >= 4 else view
    return torch.rot90(view, -(symmetry % 4), dims=(-2, -1))


def whole_cells(images: Tensor, multiple: int) -> Tensor:
    """Images whose sides are multiples of a network's stride, the last row and column repeated.

    Else the cells of a mirrored image, which are counted from its end, would lie elsewhere in a
    window than in a pass over the scene.
    """
    height, width = images.shape[-2:]
    missing = [math.ceil(side / multiple) * multiple - side for side in (width, height)]
    if not any(missing):
        return images
    return functional.pad(images, (0, missing[0], 0, missing[1]), "replicate")
