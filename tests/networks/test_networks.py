"""Tests of networks: shapes, receptive fields, halos, files, and missing pixels."""

import numpy as np
import pytest
import safetensors
import torch

from wildlens.errors import WildLensError
from wildlens.networks import weights
from wildlens.networks.blocks import find_blocks
from wildlens.networks.classifier import LocalClassifier, PixelOcclusion, UNetClassifier
from wildlens.networks.discriminator import PatchDiscriminator
from wildlens.networks.generator import BOUND, Generator
from wildlens.networks.images import to_images


def awake(network: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Set random positive weights of mean 1 / fan-in, so that no unit is dead or saturated."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        values = torch.rand(parameter.shape, generator=generator) + 0.5
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
        parameter.data.copy_(values / fan_in)
    return network.eval()


@pytest.mark.parametrize("tile_size, strides", [(128, (2, 3, 2)), (256, (3, 3, 3))])
def test_unet_classifier_gives_one_logit_and_8x8_cells(tile_size, strides):
    network = UNetClassifier(3, tile_size, strides=strides).eval()
    cells = []
    network.blocks[-1].register_forward_hook(lambda *args: cells.append(args[2].shape))
    assert network(torch.rand(2, 3, tile_size, tile_size)).shape == (2,)
    assert cells[0][-2:] == (8, 8)


def test_unet_classifier_refuses_tiles_too_small_for_strides():
    with pytest.raises(ValueError, match="too small"):
        UNetClassifier(3, 32)


def test_pixel_occlusion_drops_whole_pixels_only_in_training():
    torch.manual_seed(0)
    layer, ones = PixelOcclusion(0.2), torch.ones(8, 3, 32, 32)
    dropped = [layer(ones) for _ in range(20)]
    mixed = [maps for maps in dropped if (maps == 0).any()]
    assert 0 < len(mixed) < 20
    for maps in mixed:
        assert ((maps == 0).all(dim=1) | (maps == 1).all(dim=1)).all()
        assert (maps == 0).float().mean().item() == pytest.approx(0.2, abs=0.03)
    assert (layer.eval()(ones) == 1).all()


def test_local_classifier_accepts_any_image_size():
    network = LocalClassifier(4, width=4).eval()
    for shape in ((64, 64), (61, 90), (128, 128)):
        images = torch.rand(2, 4, *shape)
        logits, local = network(images), network.local_logits(images)
        assert local.shape == (2, shape[0] // 4, shape[1] // 4)
        assert torch.equal(logits, local.mean(dim=(1, 2)))


@pytest.mark.parametrize("outputs", [1, 3])
def test_valid_logits_exclude_missing_cells(outputs):
    torch.manual_seed(0)
    network = LocalClassifier(2, width=4, outputs=outputs).eval()
    images, valid = torch.rand(3, 2, 32, 32), torch.ones(3, 32, 32, dtype=torch.bool)
    assert torch.allclose(network.valid_logits(images, valid), network(images), atol=1e-6)
    valid[1, :16], valid[2] = False, False
    evidence = network._evidence(images)
    expected = network.against_rest(evidence[1:2, :, 4:].mean(dim=(2, 3)))
    found = network.valid_logits(images, valid)
    assert torch.allclose(found[1:2], expected, atol=1e-6)
    assert torch.allclose(found[2], network(images)[2], atol=1e-6)
    valid[1, 16:, :2] = False  # cells of one column are half missing and have half the weight
    weight = torch.ones(8)
    weight[0] = 0.5
    pooled = (evidence[1, :, 4:] * weight).sum(dim=(1, 2)) / (4 * weight.sum())
    expected = network.against_rest(pooled[None])
    assert torch.allclose(network.valid_logits(images, valid)[1:2], expected, atol=1e-6)


def test_patch_discriminator_has_receptive_field_of_70_pixels():
    network = awake(PatchDiscriminator(2, width=4))
    image = torch.rand(1, 2, 256, 256, requires_grad=True)
    out = network(image)
    assert out.shape == (1, 1, 30, 30)
    (gradient,) = torch.autograd.grad(out[0, 0, 15, 15], image)
    rows = np.flatnonzero(gradient[0].abs().sum(dim=(0, 2)).numpy())
    columns = np.flatnonzero(gradient[0].abs().sum(dim=(0, 1)).numpy())
    assert rows[-1] - rows[0] + 1 == columns[-1] - columns[0] + 1 == 70


@pytest.mark.parametrize("downsamplings", [0, 1, 2, 3])
@pytest.mark.parametrize("blocks", [1, 3])
def test_generator_halo_tightly_covers_receptive_field(downsamplings, blocks):
    network = awake(Generator(1, width=2, downsamplings=downsamplings, blocks=blocks)).double()
    side = 2 * network.halo + 8 * network.multiple
    reach = 0
    for offset in range(network.multiple):  # pixels of a cell have different receptive fields
        centre = side // 2 + offset
        image = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(network(image)[0, 0, centre, centre], image)
        rows = np.flatnonzero(gradient[0, 0].abs().sum(dim=1).numpy())
        reach = max(reach, centre - rows[0], rows[-1] - centre)
    assert reach <= network.halo <= reach + 2 * network.multiple


def test_generator_starts_as_identity_and_respects_bound():
    network = Generator(3, width=4)
    network.standardise.set_statistics(torch.rand(3), torch.tensor([0.1, 0.2, 0.5]))
    image = torch.rand(2, 3, 37, 50)
    assert torch.equal(network(image), image)
    change = awake(network)(image) - image
    limit = BOUND * network.standardise.sd[:, None, None]
    assert (change.abs() <= limit * 1.0001).all() and change.abs().max() > 0


@pytest.mark.parametrize(
    "kind, network",
    [
        ("unet", UNetClassifier(2, 64, width=4, strides=(2, 2, 2))),
        ("local", LocalClassifier(2, width=4)),
    ],
)
def test_classifier_file_round_trip(tmp_path, kind, network):
    arguments = {"bands": 2, "width": 4}
    if kind == "unet":
        arguments |= {"tile_size": 64, "strides": [2, 2, 2]}
    path = tmp_path / "model.safetensors"
    weights.save(
        path, {"classifier": awake(network)}, kind=kind, arguments=arguments,
        bands=["B04", "B08"], tile_size=64, provenance={"wildlens_version": "x"},
    )  # fmt: skip
    loaded = weights.load_classifier(path)
    image = torch.rand(3, 2, 64, 64)
    assert torch.equal(loaded(image), network(image))
    assert loaded.bands == ["B04", "B08"] and loaded.tile_size == 64
    assert not loaded.training and not any(p.requires_grad for p in loaded.parameters())


def test_equal_models_give_equal_bytes(tmp_path):
    provenance = {f"key {n}": f'"{n}"\n ä \\ \x7f' for n in range(12)}
    written = []
    for name in "ab":
        path = tmp_path / name
        network = {"classifier": awake(LocalClassifier(2, width=4))}
        weights.save(
            path, network, kind="local", arguments={"bands": 2, "width": 4}, bands=["B04", "B08"],
            tile_size=64, provenance=provenance,
        )  # fmt: skip
        with safetensors.safe_open(path, "pt") as file:
            assert provenance.items() <= file.metadata().items()
        written.append(path.read_bytes())
        weights.load_classifier(path)
    assert written[0] == written[1]


def test_unsuitable_model_files_are_refused_by_name(tmp_path):
    text = tmp_path / "text.safetensors"
    text.write_text("no model")
    classifier = tmp_path / "classifier.safetensors"
    save = {"bands": ["B04"], "tile_size": 64, "provenance": {}}
    network = {"classifier": LocalClassifier(1, width=4)}
    weights.save(classifier, network, kind="local", arguments={"bands": 1, "width": 4}, **save)
    other = tmp_path / "other.safetensors"
    weights.save(other, network, kind="local", arguments={"bands": 1, "width": 8}, **save)
    with pytest.raises(WildLensError, match=r"text\.safetensors: is no model file"):
        weights.load_classifier(text)
    with pytest.raises(WildLensError, match="holds no generators"):
        weights.load_generators(classifier)
    with pytest.raises(WildLensError, match="do not fit"):
        weights.load_classifier(other)
    with pytest.raises(WildLensError, match="missing"):
        weights.load_classifier(tmp_path / "missing.safetensors")


def test_missing_pixels_become_band_means():
    stored = np.array([[[[1, 0], [20_000, 5000]], [[2, 7], [3, 0]]]], np.uint16)
    images, valid = to_images(stored, torch.tensor([0.25, 0.5]))
    assert valid.tolist() == [[[True, False], [True, False]]]
    expected = [[[1e-4, 0.25], [1.0, 0.25]], [[2e-4, 0.5], [3e-4, 0.5]]]
    assert np.allclose(images[0].numpy(), expected)


class Residual(torch.nn.Module):
    """A residual block with one activation that is called twice."""

    def __init__(self):
        super().__init__()
        self.one, self.two = (torch.nn.Conv2d(3, 3, 3, padding=1) for _ in range(2))
        self.relu = torch.nn.ReLU()

    def forward(self, x):
        return self.relu(x + self.two(self.relu(self.one(x))))


def test_blocks_include_their_activation():
    from torch import nn

    relu, residual = nn.ReLU(), Residual()
    block = [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), relu]
    head = [nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(1)]
    images = torch.rand(1, 2, 12, 12)
    network = nn.Sequential(*block, *head)
    assert find_blocks(network, images) == [relu] and network.training
    assert not any(module._forward_hooks for module in network.modules())
    found = find_blocks(nn.Sequential(*block, residual, *head), images)
    assert found == [relu, residual.one, residual]
    with pytest.raises(WildLensError, match="no convolution"):
        find_blocks(nn.Flatten(), images)
