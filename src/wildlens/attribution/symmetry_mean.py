"""The mean of a method's maps over the eight symmetries of the square: north has no meaning.

A network is trained on turned and mirrored tiles, and still answers each view a little differently.
What the views agree on stays; what hangs on the grid of strides and paddings is averaged out.
"""

from dataclasses import dataclass

from torch import Tensor

from wildlens.attribution import signs
from wildlens.networks.alignment import whole_cells
from wildlens.networks.symmetries import COUNT, turn, turn_back


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
        # else the cells of a mirrored image, which are counted from its end, would lie elsewhere in
        # a window than in a pass over the scene
        whole = whole_cells(images, self.method.multiple)
        total = sum(turn_back(attribute(turn(whole, k)), k) for k in range(COUNT))
        return (total / COUNT)[..., :height, :width]


def symmetric(method, count: int):
    """The method averaged over `count` symmetries, 1 or 8; what looks at single pixels stays.

    The same pixel has the same value in every view, and a control of noise is no noise once
    averaged.
    """
    return method if count == 1 or method.halo == 0 else SymmetryMean(method)
