"""Tests of partial forward passes against whole ones, and of the reach against gradients."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from wildlens.methods.occlusion import Occlusion, intervals, spread, whole_falls
from wildlens.networks.classifier import LocalClassifier, UNetClassifier
from wildlens.networks.generator import Generator
from wildlens.networks.partial_forward import PartialPass
from wildlens.networks.receptive_field import Interval, LocalGraph, reach, trace


class Odd(nn.Module):
    """Layers that no own network has: zero padding, overlapping strides, dropped pixels."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 3, 5, stride=3, padding=2)
        self.pool = nn.MaxPool2d(3, 2)
        self.second = nn.Conv2d(3, 4, 2, stride=2, padding=1)

    def forward(self, images):
        return self.second(self.pool(self.first(images))).square().flatten(1).sum(1)


class Switch(nn.Module):
    """Network with a data-dependent branch, which cannot be traced."""

    def forward(self, images):
        mean = images.mean(dim=(1, 2, 3))
        return mean * 2 if mean.sum() > 0 else mean


def network_of(name: str) -> nn.Module:
    torch.manual_seed(1)
    network = {
        "local": lambda: LocalClassifier(2, width=4),
        "unet": lambda: UNetClassifier(2, 64, width=4, strides=(2, 3, 2)),
        "odd": Odd,
        "normalised": lambda: nn.Sequential(
            nn.Conv2d(2, 3, 3, padding=1), nn.InstanceNorm2d(3), nn.Flatten(), nn.Softmax(1)
        ),
    }[name]()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2)
    return network.double().eval().requires_grad_(False)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "name, shape",
    [
        ("local", (40, 52)), ("local", (37, 30)), ("unet", (64, 64)),
        ("odd", (41, 50)), ("normalised", (12, 15)),
    ],
)  # fmt: skip
def test_partial_pass_equals_whole_pass(name, shape, seed):
    random = np.random.default_rng(seed)
    network, generator = network_of(name), torch.Generator().manual_seed(seed)
    image = torch.rand(2, *shape, generator=generator, dtype=torch.float64)
    # another value at each pixel, as a blurred image has
    fill = torch.rand(2, *shape, generator=generator, dtype=torch.float64)
    sides = []
    for length in shape:
        starts = [0, length - 1, *random.integers(0, length, 2)]
        sides.append([Interval(a, min(length, a + int(random.integers(1, 20)))) for a in starts])
    found = PartialPass(LocalGraph(network), image).outputs(*sides, fill, batch_size=7)
    for i, rows in enumerate(sides[0]):
        for j, columns in enumerate(sides[1]):
            changed = image.clone()
            square = (slice(None), slice(*rows), slice(*columns))
            changed[square] = fill[square]
            assert torch.allclose(found[i, j], network(changed[None])[0], rtol=1e-9, atol=1e-11)


def test_untraceable_network_falls_back_to_whole_passes():
    assert trace(Switch()) is None
    image, fill = torch.rand(1, 2, 20, 24), torch.zeros(2, 1, 1)
    rows, columns = intervals(20, 8, 4), intervals(24, 8, 4)
    falls = whole_falls(Switch(), image[0], rows, columns, fill.expand(2, 20, 24), 5)
    expected = spread(falls, rows, columns, (20, 24))
    assert torch.equal(Occlusion(Switch(), fill.expand_as, 8, 4)(image)[0], expected)


def test_partial_pass_computes_only_reached_values(monkeypatch):
    """The convolutions of a partial pass compute a small part of the values of whole passes."""
    counts, convolution = [], functional.conv2d

    def counting(*args, **options):
        result = convolution(*args, **options)
        counts[-1] += result.numel()
        return result

    network, side = network_of("local"), [Interval(96, 112), Interval(104, 120)]
    one = PartialPass(LocalGraph(network), torch.rand(2, 256, 256, dtype=torch.float64))
    monkeypatch.setattr(functional, "conv2d", counting)
    counts.append(0)
    one.outputs(side, side, torch.zeros(2, 256, 256).double(), 4)
    counts.append(0)
    network(torch.rand(4, 2, 256, 256).double())
    assert 0 < counts[0] * 50 < counts[1]


@pytest.mark.parametrize("downsamplings, blocks", [(0, 1), (1, 2), (2, 1)])
def test_reach_equals_extent_of_gradient(downsamplings, blocks):
    network = Generator(1, width=2, downsamplings=downsamplings, blocks=blocks).double().eval()
    for parameter in network.parameters():
        parameter.data = (torch.rand(parameter.shape) + 0.5).double() / parameter[0].numel()
    multiple, side = network.multiple, 2 * network.halo + 8 * network.multiple
    furthest = 0
    for pixel in range(side // 2, side // 2 + multiple):
        image = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(network.layers(image)[0, 0, pixel, pixel], image)
        rows = np.flatnonzero(gradient[0, 0].abs().sum(dim=1).numpy())
        furthest = max(furthest, pixel - rows[0], rows[-1] - pixel)
    assert reach(network.layers, multiple) == furthest


def test_reach_of_whole_image_network_is_refused():
    with pytest.raises(ValueError, match="whole image"):
        reach(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.InstanceNorm2d(1)), 1)
