"""Control: mean reflectance over bands. Methods that do not exceed it find bright land only."""

from dataclasses import dataclass

from torch import Tensor

from wildlens.attribution.method import Method
from wildlens.settings import Attribution


@dataclass(frozen=True)
class Brightness(Method):
    """Mean over bands of the image; needs no model."""

    halo: int | None = 0

    def __call__(self, images: Tensor) -> Tensor:
        return images.mean(dim=1)


def create(models, settings: Attribution) -> Brightness:
    """The control; models are not used."""
    return Brightness()
