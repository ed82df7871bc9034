"""`wildlens networks`: layers of the paper's networks, receptive fields, training memory."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from wildlens import training_memory
from wildlens.cli import cli
from wildlens.doctor.step import read_configuration
from wildlens.networks.classifier import LocalClassifier, UNetClassifier
from wildlens.networks.discriminator import PatchDiscriminator
from wildlens.networks.generator import Generator
from wildlens.networks.summary import layers, local_field
from wildlens.settings import Settings
from wildlens.train_classifier.network import build, network_arguments
from wildlens.train_gan.trainer import Trainer, generator_arguments
from wildlens.training.classes import Classes
from wildlens.training.processes import Processes

ROOT = Path(__file__).parents[1]
PAPER = [ROOT / "config.yaml", ROOT / "workflow" / "configs" / "paper.yaml"]


@pytest.fixture(scope="module")
def paper() -> dict[str, training_memory.Network]:
    networks, _ = training_memory.measure(read_configuration(PAPER))
    return {network.name.partition(" ")[0]: network for network in networks}


def convolutions(network: training_memory.Network) -> list[tuple]:
    """Kind, output and parameters of the layers that have a kernel or are linear."""
    kinds = ("Conv2d", "Linear")
    return [(x.kind, x.shape, x.parameters) for x in network.layers if x.kind.startswith(kinds)]


def test_paper_classifier_layers(paper):
    def step(a, b, side):  # 3x3 without bias, before batch normalisation
        return ("Conv2d 3x3", (b, side, side), 9 * a * b)

    assert convolutions(paper["classifier"]) == [
        step(3, 32, 256), step(32, 64, 128), step(64, 128, 64), step(128, 128, 32),
        step(256, 64, 64), step(128, 32, 128), step(64, 32, 256),
        ("Conv2d 1x1", (3, 256, 256), 3 * 32 + 3),
        ("Conv2d 5x5 stride 3", (6, 84, 84), 25 * 3 * 6 + 6),
        ("Conv2d 5x5 stride 3", (12, 27, 27), 25 * 6 * 12 + 12),
        ("Conv2d 5x5 stride 3", (24, 8, 8), 25 * 12 * 24 + 24),
        ("Linear", (128,), 512 * 3 * 128 + 128),
        ("Linear", (1,), 128 + 1),
    ]  # fmt: skip


def test_paper_generator_layers(paper):
    down = [("Conv2d 7x7", (64, 256, 256), 49 * 3 * 64)]
    up = []
    for level in range(3):
        a, side = 64 * 2**level, 256 >> level
        down.append(("Conv2d 3x3 stride 2", (2 * a, side // 2, side // 2), 9 * a * 2 * a))
        up.insert(0, ("Conv2d 3x3", (a, side, side), 9 * a * 2 * a))
    blocks = 12 * 2 * [("Conv2d 3x3", (512, 32, 32), 9 * 512 * 512)]
    last = ("Conv2d 7x7", (3, 256, 256), 49 * 64 * 3 + 3)
    assert convolutions(paper["generator"]) == [*down, *blocks, *up, last]
    assert paper["generator"].copies == 2


def test_paper_discriminator_is_70_pixel_patchgan(paper):
    found = paper["discriminator"]
    sides, widths = (128, 64, 32, 31, 30), (3, 64, 128, 256, 512, 1)
    assert [x[1:] for x in convolutions(found)] == [
        ((b, side, side), 16 * a * b + b)
        for a, b, side in zip(widths, widths[1:], sides, strict=False)
    ]
    assert found.field == 70
    # of five such convolutions on three bands, as CycleGAN's publication has them
    assert found.parameters == 2_764_737


def measured_field(network, image, row, column, of=lambda out: out) -> int:
    """Rows of the image that an output pixel's gradient reaches; weights are positive."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        values = torch.rand(parameter.shape, generator=generator, dtype=parameter.dtype) + 0.5
        fan_in = parameter[0].numel() if parameter.dim() > 1 else 1
        parameter.data.copy_(values / fan_in)
    image = image.requires_grad_()
    out = of(network.eval())(image)
    (gradient,) = torch.autograd.grad(out[0, ..., row, column].sum(), image)
    rows = np.flatnonzero(gradient[0].abs().sum(dim=(0, 2)).numpy())
    return int(rows[-1] - rows[0] + 1)


@pytest.mark.parametrize("downsamplings, blocks", [(0, 1), (1, 2), (3, 2)])
def test_generator_receptive_field_equals_gradient_reach(downsamplings, blocks):
    network = Generator(1, 1, downsamplings, blocks).double().eval()
    period, side = network.multiple, 2 * network.halo + 8 * network.multiple
    fields = [
        measured_field(network, torch.rand(1, 1, side, side).double(), p, p)
        for p in range(side // 2, side // 2 + period)
    ]
    assert local_field(network) == max(fields)


@pytest.mark.parametrize("depth", [1, 3])
def test_unet_receptive_field_equals_gradient_reach(depth):
    network = UNetClassifier(1, 128, width=1, depth=depth, maps=1, strides=(2, 3, 2)).double()
    found = {layer.name: layer.field for layer in layers(network, torch.rand(1, 1, 128, 128))}
    # the largest of a group is not blocked: pooled pixels compete, means would not
    for module in network.unet.down:
        module[0] = torch.nn.AvgPool2d(2)
    image = torch.rand(1, 1, 128, 128).double()
    fields = [
        measured_field(network, image, p, p, lambda n: n.activations) for p in range(64, 64 + 8)
    ]
    assert found["unet.out.1"] == max(fields)


def test_receptive_fields_of_local_classifier_and_discriminator():
    assert local_field(PatchDiscriminator(2, 2)) == 70
    network = LocalClassifier(1, 2).double()
    field = measured_field(
        network, torch.rand(1, 1, 64, 64).double(), 8, 8, lambda n: n.local_logits
    )
    assert local_field(network) == field


def configuration(**sections) -> Settings:
    inputs = {"training": [{"name": "a", "product": "a"}], "landcover": "l", "areas": "w"}
    return Settings(inputs=inputs, **sections)


def peak(run, path) -> int:
    """Bytes of tensors alive at once, at most, among those that `run` makes."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profiler:
        run()
    profiler.export_chrome_trace(str(path))
    events = json.loads(path.read_text())["traceEvents"]
    return max(e["args"]["Total Allocated"] for e in events if e["name"] == "[memory]")


@pytest.mark.parametrize("architecture", ["local", "unet"])
def test_classifier_step_memory_near_measured(architecture, tmp_path):
    settings = configuration(
        scene={"bands": ["B04", "B08"]},
        tiles={"size": 64},
        classifier={
            "architecture": architecture, "width": 8, "strides": [2, 2, 2], "batch_size": 8,
        },
        gan={"activation": "score"},
        attribution={"methods": ["gan"]},
    )  # fmt: skip
    _, (step, _) = training_memory.measure(settings)
    chosen, classes = settings.classifier, Classes(settings.tiles.classes, "protected")

    def run():
        arguments = network_arguments(chosen, 2, 64, classes)
        network = build(chosen, arguments).train()
        optimizer = torch.optim.AdamW(network.parameters())
        images, labels = torch.rand(8, 2, 64, 64), torch.ones(8)
        for _ in range(2):
            loss = classes.loss(network.class_logits(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    measured = peak(run, tmp_path / "trace.json")
    assert 0.8 * measured < step.total <= measured


def test_gan_step_memory_near_measured(tmp_path):
    settings = configuration(
        scene={"bands": ["B04", "B08"]},
        tiles={"size": 64},
        classifier={"architecture": "local"},
        gan={"activation": "local", "blocks": 2, "batch_size": 2, "crop": 64},
    )
    _, (_, step) = training_memory.measure(settings)

    def run():
        classifier = LocalClassifier(2, settings.classifier.width).eval().requires_grad_(False)
        data = SimpleNamespace(bands=["B04", "B08"], mean=torch.zeros(2), sd=torch.ones(2))
        arguments = generator_arguments(settings.gan, 2)
        cpu = torch.device("cpu")
        trainer = Trainer.build(classifier, data, arguments, settings.gan, cpu, Processes())
        images = torch.rand(2, 2, 64, 64).contiguous(memory_format=torch.channels_last)
        for _ in range(2):
            trainer.step(images, 0.3)

    measured = peak(run, tmp_path / "trace.json")
    assert 0.8 * measured < step.total <= measured


def test_networks_command_prints_tables_and_writes_csv(tmp_path):
    table = tmp_path / "layers.csv"
    configs = [word for path in PAPER for word in ("--config", str(path))]
    result = CliRunner().invoke(cli, ["networks", *configs, "--csv", str(table)])
    assert result.exit_code == 0, result.output
    for text in (
        "2,764,737 parameters each, receptive field 70 px",
        "batches of 32 x 3 x 256 x 256",
        "layers.4.body.0   Conv2d 3x3",
        "train-gan, batch 3: ",
    ):
        assert text in result.output
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[1] == {
        "network": "classifier", "layer": "unet.stem.0", "kind": "Conv2d 3x3",
        "output": "32 x 256 x 256", "field_px": "3", "parameters": "864",
    }  # fmt: skip


def test_network_too_large_for_tiles_refused_by_name(tmp_path):
    small = tmp_path / "small.yaml"
    small.write_text(
        "tiles: {size: 32}\nclassifier: {architecture: unet}\ngan: {activation: score}"
    )
    configs = ["--config", str(PAPER[0]), "--config", str(small)]
    result = CliRunner().invoke(cli, ["networks", *configs])
    assert "are too many or too large for tiles" in str(result.exception)
