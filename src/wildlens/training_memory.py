"""Layers of the networks of a configuration, and an estimate of the memory of their training.

No tile is read and no value computed: the paper's configuration takes a second.

At its peak a training step needs, in float32:

- parameters: 4 bytes each, and the buffers (band and batch statistics) of the networks;
- gradients: 4 bytes for each parameter that is trained;
- optimizer: 8 bytes for each of these (Adam's two moments);
- copies: the moving averages of the generators;
- activations: all that autograd saves for the backward pass, each tensor once.

Gradients of activations and work space of convolutions come on top for a short time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from wildlens.errors import WildLensError, one_line
from wildlens.networks import summary
from wildlens.networks.discriminator import PatchDiscriminator
from wildlens.networks.generator import Generator
from wildlens.networks.summary import Layer
from wildlens.settings import Settings
from wildlens.train_classifier.network import build, network_arguments
from wildlens.train_gan.objective import Objective
from wildlens.train_gan.trainer import generator_arguments
from wildlens.training.classes import Classes

FLOAT = 4  # bytes
MIB = 2**20


@dataclass(frozen=True)
class Network:
    """Layers of one network, measured with one image.

    Attributes:
        copies: number of networks of this kind.
        image: (C, H, W) of the input. field: receptive field of the last local layer, px.
        activations: bytes that a forward pass of a batch saves for the backward pass.
    """

    name: str
    copies: int
    batch: int
    image: tuple[int, int, int]
    layers: Sequence[Layer]
    parameters: int
    field: int
    activations: int

    @property
    def whole(self) -> bool:
        """Whether its output depends on the whole image."""
        return self.layers[-1].field is None


@dataclass(frozen=True)
class Step:
    """Memory of a training step: bytes by purpose."""

    name: str
    batch: int
    memory: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.memory.values())


def measure(settings: Settings) -> tuple[list[Network], list[Step]]:
    """Networks of a configuration, and the memory of both training steps."""
    bands, tile = len(settings.scene.bands), settings.tiles.size
    crop = min(settings.gan.crop or tile, tile)
    images = _images(settings.classifier.batch_size, bands, tile)
    classifier = _classifier(settings, bands, tile)
    found = [_network("classifier", 1, classifier, images)]
    steps = [_classifier_step(classifier, images)]
    images = _images(settings.gan.batch_size, bands, crop)
    generator = partial(Generator, **generator_arguments(settings.gan, bands))
    judge = partial(PatchDiscriminator, bands, settings.gan.discriminator_width)
    pair, judges = (
        [summary.on_meta(build_one) for _ in range(2)] for build_one in (generator, judge)
    )
    found.append(_network("generator (w+, w-)", 2, pair[0], images))
    found.append(_network("discriminator (d+, d-)", 2, judges[0], images))
    steps.append(_gan_step(classifier, pair, judges, images, settings))
    return found, steps


def _images(batch: int, bands: int, side: int) -> Tensor:
    return torch.empty(batch, bands, side, side, device="meta")


def _classifier(settings: Settings, bands: int, tile: int) -> nn.Module:
    classes = Classes(settings.tiles.classes, settings.classifier.target)
    arguments = network_arguments(settings.classifier, bands, tile, classes)
    return summary.on_meta(lambda: build(settings.classifier, arguments))


def _network(name: str, copies: int, network: nn.Module, images: Tensor) -> Network:
    try:
        found = summary.layers(network, images[:1])
    except RuntimeError as error:  # a layer without output pixels
        reason = one_line(error, 200)
        raise WildLensError(
            f"{name}: is too large for images of {images.shape[-1]} px: {reason}; raise tiles.size "
            "or gan.crop"
        ) from None
    return Network(
        name, copies, len(images), tuple(images.shape[1:]), found, summary.count(network),
        summary.local_field(network), _kept(network, images),
    )  # fmt: skip


def _kept(network: nn.Module, images: Tensor) -> int:
    """Bytes saved by a forward pass; the larger of two, as pixel occlusion acts in half of them."""
    network.train()
    sizes = []
    for seed in (0, 1):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            sizes.append(summary.kept_for_backward(lambda: network(images), network))
    return max(sizes)


def _classifier_step(classifier: nn.Module, images: Tensor) -> Step:
    memory = _trained(classifier) | {"activations": _kept(classifier, images)}
    return Step("train-classifier", len(images), memory)


def _gan_step(
    classifier: nn.Module,
    pair: Sequence[nn.Module],
    judges: Sequence[nn.Module],
    images: Tensor,
    settings: Settings,
) -> Step:
    """Generators' part of a step, which needs more memory: see `train_gan.trainer.Trainer`."""
    classifier.eval().requires_grad_(False)
    maximizer, minimizer = (generator.train() for generator in pair)
    discriminators = nn.ModuleDict(dict(zip(("maximizer", "minimizer"), judges, strict=True)))
    unit = torch.empty(images.shape[1], 1, 1, device="meta")
    objective = Objective(classifier, maximizer, minimizer, discriminators, unit, settings.gan)

    def forward() -> Tensor:
        terms, _ = objective.terms(images, maximizer(images), minimizer(images))
        return objective.weighted(terms, settings.gan.lambda_am)

    activations = summary.kept_for_backward(forward, classifier, *pair, *judges)
    memory = _trained(*pair, *judges)
    memory["parameters"] += _weights(classifier)
    memory["copies"] = sum(map(_weights, pair))
    return Step("train-gan", len(images), memory | {"activations": activations})


def _weights(network: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in network.state_dict().values())


def _trained(*networks: nn.Module) -> dict[str, int]:
    trained = FLOAT * sum(map(summary.count, networks))
    return {
        "parameters": sum(map(_weights, networks)),
        "gradients": trained,
        "optimizer": 2 * trained,
    }


def as_text(networks: Sequence[Network], steps: Sequence[Step]) -> str:
    """Tables as text."""
    parts = [_network_text(network) for network in networks]
    return "\n\n".join([*parts, *map(_step_text, steps)])


def as_rows(networks: Sequence[Network]) -> list[dict]:
    """One row per layer, for a CSV."""
    return [
        {
            "network": network.name, "layer": layer.name, "kind": layer.kind,
            "output": _shape(layer.shape), "field_px": "" if layer.field is None else layer.field,
            "parameters": layer.parameters,
        }
        for network in networks
        for layer in network.layers
    ]  # fmt: skip


def _network_text(network: Network) -> str:
    header = ("layer", "kind", "output", "field, px", "parameters")
    rows = [
        (
            layer.name, layer.kind, _shape(layer.shape),
            "whole" if layer.field is None else str(layer.field), f"{layer.parameters:,}",
        )
        for layer in network.layers
    ]  # fmt: skip
    of_each = " each" if network.copies > 1 else ""
    reach = f"receptive field {network.field} px"
    if network.whole:
        reach += ", then the whole image"
    return "\n".join(
        [
            f"{network.name}: {network.parameters:,} parameters{of_each}, {reach}",
            f"batches of {network.batch} x {_shape(network.image)}; a forward pass saves "
            f"{_mib(network.activations)} of activations",
            *_aligned([header, *rows]),
        ]
    )


def _step_text(step: Step) -> str:
    parts = " + ".join(f"{_mib(size)} {name}" for name, size in step.memory.items())
    return f"{step.name}, batch {step.batch}: {_mib(step.total)} = {parts}"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align columns; the last two are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    texts = len(widths) - 2
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if n < texts else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "1"


def _mib(size: int) -> str:
    return f"{size / MIB:,.1f} MiB"
