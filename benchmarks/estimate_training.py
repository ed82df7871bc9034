"""Estimate of the duration of the paper's two trainings on one GPU and on several.

    python benchmarks/estimate_training.py

Counts the floating-point operations of the real training steps (torch's counter, on meta tensors)
and divides them by the throughput that a GPU is likely to reach. Counted are convolutions and
matrix products, forward and backward. The rest (normalisation, resampling, optimizers) is limited
by memory bandwidth, which is why only a small share of the peak is reached.
"""

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import click
import torch
import yaml
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.flop_counter import FlopCounterMode

from wildlens.settings import Classifier, Gan
from wildlens.train_classifier.network import build, network_arguments
from wildlens.train_gan.trainer import Trainer, generator_arguments
from wildlens.training.classes import Classes
from wildlens.training.processes import Processes

ROOT = Path(__file__).parents[1]
META = torch.device("meta")
TRAINING_TILES = 19_123  # of AnthroProtect, as published
PEAKS = {"bfloat16": 989e12, "float32": 67e12}  # H100 SXM, dense, by its data sheet
REACHED = (0.15, 0.40)  # share of the peak: assumed, as reported for such networks
SCALING = (0.70, 0.90)  # of each of several GPUs: assumed


@click.command()
@click.option("--gpus", default=8, show_default=True)
@click.option("--tiles", default=TRAINING_TILES, show_default=True, help="Of the training split.")
def main(gpus: int, tiles: int) -> None:
    published = yaml.safe_load((ROOT / "workflow/configs/paper.yaml").read_text())
    data = SimpleNamespace(
        bands=published["scene"]["bands"],
        tile_size=published["tiles"]["size"],
        mean=torch.zeros(3),
        sd=torch.ones(3),
    )
    network, of_classifier = classifier_step(Classifier(**published["classifier"]), data)
    trainer, of_gan = gan_step(Gan(**published["gan"]), data, network)
    counts = millions(network), millions(trainer.maximizer)
    print("parameters: classifier {}, each generator {}".format(*counts))
    print(
        f"H100 at {REACHED[0]:.0%} to {REACHED[1]:.0%} of its peak; {gpus} of them "
        f"{SCALING[0]:.0%} to {SCALING[1]:.0%} of {gpus} times as fast:"
    )
    settings = trainer.objective.settings
    steps = published["classifier"]["epochs"] * (tiles // published["classifier"]["batch_size"])
    describe("classifier", published["classifier"]["batch_size"], of_classifier, steps, gpus)
    describe("gan", settings.batch_size, of_gan, settings.steps, gpus)


def classifier_step(settings: Classifier, data) -> tuple[torch.nn.Module, int]:
    """The network, and the operations of one training step."""
    with META:
        classes = Classes(["anthropogenic", "protected"], settings.target)
        arguments = network_arguments(settings, len(data.bands), data.tile_size, classes)
        network = build(settings, arguments)
        images = torch.empty(settings.batch_size, len(data.bands), data.tile_size, data.tile_size)
        labels = torch.empty(settings.batch_size)
    with FlopCounterMode(display=False) as counter:
        binary_cross_entropy_with_logits(network(images), labels).backward()
    return network, counter.get_total_flops()


def gan_step(settings: Gan, data, network) -> tuple[Trainer, int]:
    """The trainer, and the operations of one step of generators and discriminators."""
    arguments = generator_arguments(settings, len(data.bands))
    network.eval().requires_grad_(False)
    with META:
        trainer = Trainer.build(network, data, arguments, settings, META, Processes())
        images = torch.empty(settings.batch_size, len(data.bands), data.tile_size, data.tile_size)
    # the step reads its losses, and tensors without memory have none
    with (
        patch.object(torch.Tensor, "item", lambda tensor: 1.0),
        FlopCounterMode(display=False) as counter,
    ):
        trainer.step(images, settings.lambda_am)
    return trainer, counter.get_total_flops()


def describe(name: str, batch: int, operations: int, steps: int, gpus: int) -> None:
    total = operations * steps
    print(
        f"{name}: {operations / 1e12:.2f} TFLOP per step of {batch} tiles, x {steps} steps = "
        f"{total / 1e18:.3f} x 10^18 FLOP"
    )
    for precision, peak in PEAKS.items():
        slow, fast = (total / peak / share for share in REACHED)
        print(
            f"  {precision}, {peak / 1e12:.0f} TFLOP/s: one GPU {time(fast)} to {time(slow)}; "
            f"{gpus} GPUs {time(fast / gpus / SCALING[1])} to {time(slow / gpus / SCALING[0])}"
        )


def time(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"


def millions(network: torch.nn.Module) -> str:
    return f"{sum(p.numel() for p in network.parameters()) / 1e6:.1f} million"


if __name__ == "__main__":
    main()
