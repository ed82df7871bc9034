"""The interface of attribution methods; their static properties are in their records."""

from abc import ABC, abstractmethod

from torch import Tensor


class Method(ABC):
    """A method that is ready to be called: its networks are loaded, its settings are known.

    Attributes:
        halo: pixels around a pixel on which its value depends; None if on the whole tile.
        multiple: windows with a halo must start at multiples of this many pixels.
        overlap: of whole tiles, px, where it must be another than the setting; else None.
        reads: fields of `attribution.inputs.Inputs` that it is called with, in their order.
    """

    halo: int | None = None
    multiple: int = 1
    overlap: int | None = None
    reads: tuple[str, ...] = ("images",)

    @abstractmethod
    def __call__(self, *inputs: Tensor) -> Tensor:
        """Attributions (N, H, W) float32 of the inputs in `reads`.

        By default it reads (N, C, H, W) float32 reflectance. A method of form "image" returns
        (N, C, H, W) reflectance.
        """


class Additive(Method):
    """A method whose contributions should sum to a difference of logits (completeness)."""

    sign_rule: str  # key of `signs.RULES`

    @abstractmethod
    def contributions(self, images: Tensor) -> Tensor:
        """(N, C, H, W) reflectance -> (N, H, W), summed over bands, with their sign."""

    @abstractmethod
    def difference(self, images: Tensor) -> Tensor:
        """Difference of logits that the contributions of each image should sum to, (N,)."""
