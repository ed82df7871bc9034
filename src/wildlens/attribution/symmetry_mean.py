"""The mean of a method's maps over the eight symmetries of the square: north has no meaning.

A network that is trained on rotated and mirrored tiles still gives slightly different maps of each
view. Patterns in all views remain; effects of strides and paddings are averaged out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from wildlens.attribution import signs
from wildlens.attribution.method import Additive, Method
from wildlens.errors import WildLensError
from wildlens.networks.alignment import whole_cells
from wildlens.networks.symmetries import COUNT, turn, turn_back


def average(method: Method) -> Method:
    """The method averaged over the symmetries."""
    if method.reads != Method.reads:
        raise WildLensError(
            f"a method that reads {', '.join(method.reads)} cannot be averaged over views: set"
            " attribution.symmetries to 1"
        )
    return AdditiveMean(method) if isinstance(method, Additive) else SymmetryMean(method)


@dataclass(frozen=True)
class SymmetryMean(Method):
    """A method, averaged over views."""

    method: Method

    @property
    def halo(self) -> int | None:
        return self.method.halo

    @property
    def multiple(self) -> int:
        return self.method.multiple

    @property
    def overlap(self) -> int | None:
        return self.method.overlap

    def __call__(self, images: Tensor) -> Tensor:
        return self._mean(self.method, images)

    def _mean(self, attribute: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
        """Mean of the maps of all views by `attribute`, (N, H, W)."""
        height, width = images.shape[-2:]
        # otherwise the cells of a mirrored image, which are counted from its end, would be aligned
        # differently in a window and in a pass over the scene
        whole = whole_cells(images, self.method.multiple)
        total = sum(turn_back(attribute(_view(whole, k)), k) for k in range(COUNT))
        return (total / COUNT)[..., :height, :width]


@dataclass(frozen=True)
class AdditiveMean(SymmetryMean, Additive):
    """Mean of signed contributions over the views, to which the sign rule is applied afterwards.

    Their sum therefore equals the mean difference of logits.
    """

    method: Additive

    @property
    def sign_rule(self) -> str:
        return self.method.sign_rule

    def __call__(self, images: Tensor) -> Tensor:
        return signs.apply(self.sign_rule, self.contributions(images))

    def contributions(self, images: Tensor) -> Tensor:
        """Mean contributions, (N, C, H, W) reflectance -> (N, H, W)."""
        return self._mean(self.method.contributions, images)

    def difference(self, images: Tensor) -> Tensor:
        """Mean of the differences of logits of all views, (N,)."""
        return sum(self.method.difference(turn(images, k)) for k in range(COUNT)) / COUNT


def _view(images: Tensor, symmetry: int) -> Tensor:
    """A view in the memory layout of a map's images, since rounding differs between layouts."""
    return turn(images, symmetry).contiguous(memory_format=torch.channels_last)
