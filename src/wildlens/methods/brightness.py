"""Control: mean reflectance over bands. What beats this has found more than bright land."""

from dataclasses import dataclass

from torch import Tensor

from wildlens.settings import Attribution


@dataclass(frozen=True)
class Brightness:
    """mean over bands of the image itself; needs no model."""

    unit: str = "reflectance"
    sign: str = "0 or more; high where the land is bright"
    halo: int | None = 0
    multiple: int = 1

    def __call__(self, images: Tensor) -> Tensor:
        return images.mean(dim=1)


def create(models, settings: Attribution) -> Brightness:
    """The control; models are not used."""
    return Brightness()
