"""Build a network from its kind and its arguments, as a model file names them."""

from collections.abc import Callable, Mapping
from functools import cached_property

from torch import Tensor, nn

# built-in architectures: named here, since digests of code follow imports
from wildlens.networks import classifier  # noqa: F401
from wildlens.networks.blocks import find_blocks
from wildlens.networks.generator import Generator
from wildlens.networks.one_vs_rest import TargetLogit
from wildlens.networks.standardise import Standardise
from wildlens.registry import classifiers

GENERATOR = "generator"


def build_network(kind: str, arguments: Mapping) -> nn.Module:
    """A new network, with weights drawn from torch's current random state.

    Args:
        kind: `generator`, or the name of a classifier's architecture.
        arguments: of its constructor.

    Raises:
        WildLensError: there is no such architecture.
        TypeError, ValueError: the arguments do not suit it.
    """
    if kind == GENERATOR:
        return Generator(**arguments)
    record = classifiers.find(kind)
    factory = record.load_factory()
    return WrappedClassifier(factory, **arguments) if record.wrapped else factory(**arguments)


class WrappedClassifier(nn.Module):
    """A plain network of another package between standardisation and the target's logit.

    Args:
        factory: returns a network from (N, bands, S, S) standardised images to (N, outputs) logits;
            called with bands, tile_size, outputs and `options`.
        outputs, target: see `TargetLogit`.
    """

    def __init__(
        self,
        factory: Callable[..., nn.Module],
        bands: int,
        tile_size: int,
        outputs: int = 1,
        target: int = 0,
        **options,
    ):
        super().__init__()
        self.tile_size = tile_size
        self.standardise = Standardise(bands)
        self.body = factory(bands=bands, tile_size=tile_size, outputs=outputs, **options)
        self.against_rest = TargetLogit(outputs, target)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, S, S) reflectance -> (N,) logits."""
        return self.against_rest(self.class_logits(images))

    def class_logits(self, images: Tensor) -> Tensor:
        """(N, C, S, S) reflectance -> (N, outputs) logits."""
        return self.body(self.standardise(images))

    @cached_property
    def blocks(self) -> list[nn.Module]:
        """Convolutions with their activations, in order: GradCAM takes the output of one."""
        mean = self.standardise.mean[:, None, None]
        images = self.standardise(mean.expand(1, -1, self.tile_size, self.tile_size))
        return find_blocks(self.body, images)
