"""Tests that every network gives its CPU values and gradients on a GPU, in each precision."""

from contextlib import nullcontext
from functools import cache

import numpy as np
import pytest
import torch
from benchmarks.in_memory import FILES, Configuration, new_classifier, new_generator, training_set
from gpu_device import device, difference, needs_gpu, tf32
from torch import nn

from wildlens.networks.device import in_precision, on_device
from wildlens.networks.discriminator import PatchDiscriminator

pytestmark = needs_gpu

SIDES = {"classifier": 64, "generator": 32, "discriminator": 64}  # px; enough for all strides
TILES = 2
# largest relative difference (root mean square) from float32 on the CPU
VALUES = {"float32": 1e-5, "tf32": 5e-3, "bfloat16": 3e-2}
GRADIENTS = {"float32": 1e-3, "tf32": 5e-2, "bfloat16": 3e-1}


def build(configuration: str, kind: str) -> tuple[nn.Module, torch.Tensor]:
    """An untrained network of a configuration on the CPU, and images."""
    settings = Configuration.read(configuration)
    data = training_set(settings.bands, SIDES[kind], TILES, stored=TILES)
    # masks are random numbers, which differ between devices
    plain = settings.classifier.model_copy(update={"dropout": 0.0, "pixel_occlusion": 0.0})
    if kind == "classifier":
        network = new_classifier(plain, data)
    elif kind == "generator":
        network = new_generator(settings.gan, data)
    else:
        torch.manual_seed(0)
        network = PatchDiscriminator(len(settings.bands), settings.gan.discriminator_width)
        network.standardise.set_statistics(data.mean, data.sd)
    return network, data.splits["train"].images(np.arange(TILES))


def passed(network: nn.Module, images, where, precision: str, training: bool):
    """Output, gradient of the images, and gradients of the weights as one vector."""
    network = network.to(where, memory_format=torch.channels_last).train(training)
    network.zero_grad()
    images = on_device(images, where).detach().requires_grad_()
    with tf32() if precision == "tf32" else nullcontext():
        with in_precision(precision, where) if precision != "tf32" else nullcontext():
            output = network(images).float()
        weighted = output * torch.linspace(0.5, 1, output.numel(), device=where).view_as(output)
        weighted.sum().backward()
    weights = torch.cat([p.grad.flatten().cpu() for p in network.parameters()])
    return output.detach().cpu(), images.grad.cpu(), weights


@cache
def expected(configuration: str, kind: str, training: bool):
    network, images = build(configuration, kind)
    return passed(network, images, torch.device("cpu"), "float32", training)


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("precision", VALUES)
@pytest.mark.parametrize("kind", ["classifier", "generator", "discriminator"])
@pytest.mark.parametrize("configuration", FILES)
def test_network_near_cpu(configuration, kind, precision, training):
    where = device()
    network, images = build(configuration, kind)
    output, *gradients = passed(network, images, where, precision, training)
    values, *exact = expected(configuration, kind, training)
    found = [difference(output, values), *map(difference, gradients, exact)]
    print(f"{configuration} {kind} {precision}: " + " ".join(f"{d:.1e}" for d in found))
    assert found[0] <= VALUES[precision]
    assert max(found[1:]) <= GRADIENTS[precision]


def test_tf32_is_off_and_would_be_seen():
    """float32 on the device is as exact as on the CPU; with TF32 it would be less exact."""
    where = device()
    torch.manual_seed(0)
    layer, images = nn.Conv2d(64, 64, 3), torch.rand(4, 64, 32, 32)
    exact = layer.double()(images.double())
    layer = layer.float().to(where)
    assert difference(layer(images.to(where)), exact) < 1e-6
    if where.type == "cuda" and torch.cuda.get_device_capability() >= (8, 0):
        with tf32():
            assert difference(layer(images.to(where)), exact) > 1e-5
        assert difference(layer(images.to(where)), exact) < 1e-6
