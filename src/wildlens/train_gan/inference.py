"""Batch statistics of the averaged generators, and the scores that they reach.

The kept weights are a running mean, but the running batch statistics come from the weights of each
step. The generators may therefore differ between training and inference: on homogeneous land, X-
had a score of 0.98 instead of 0.29.
"""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from wildlens.networks.device import on_device
from wildlens.settings import Gan
from wildlens.train_gan.batches import Plan, draw_pasted
from wildlens.training.augmentation import central_crop
from wildlens.training.data import TileSet

BATCH = 16  # tiles in a pass
DIFFERENCE = 0.05  # of mean scores at inference and in training, above which it is a warning


def image_batches(
    tiles: TileSet, all_tiles: TileSet, count: int, settings: Gan, device
) -> Iterable[Tensor]:
    """Up to `count` tiles, evenly spaced over the set: their centres, with cells as in training.

    Args:
        all_tiles: tiles of any class, which cells are pasted from if `settings.mixed` says so.
    """
    generator = np.random.default_rng(settings.seed)
    chosen = torch.linspace(0, len(tiles) - 1, min(count, len(tiles))).round().long()
    crop = central_crop(tiles.size, settings.crop)
    for part in chosen.split(BATCH):
        pasted = draw_pasted(len(part), tiles.size, settings, generator, len(all_tiles))
        plan = Plan(part.numpy(), np.zeros(len(part), int), crop, *pasted)
        yield on_device(plan.prepare(tiles, np.arange(len(part)), all_tiles), device)


@torch.no_grad()
def recompute_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace running statistics of batch normalisation by the means over these batches.

    The weights are not changed; networks without batch normalisation are not changed. Leaves the
    network in eval mode.
    """
    layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # a cumulative mean
    network.train()
    for images in batches:
        network(images)
    network.eval()
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


@torch.no_grad()
def scores_at_inference(
    classifier: nn.Module, generators: Mapping[str, nn.Module], batches: Iterable[Tensor]
) -> dict[str, float]:
    """Mean score of X+ (`score_max`) and of X- (`score_min`) over these batches."""
    keys = {"maximizer": "score_max", "minimizer": "score_min"}
    scores: dict[str, list[Tensor]] = {key: [] for key in keys.values()}
    for images in batches:
        for name, generator in generators.items():
            scores[keys[name]].append(classifier(generator(images)).sigmoid())
    return {key: torch.cat(values).mean().item() for key, values in scores.items()}


def warnings_about_inference(
    training: Mapping[str, float], inference: Mapping[str, float]
) -> list[str]:
    """Warnings if generated images may differ from those of training, from mean scores of each."""
    names = {"score_max": "X+", "score_min": "X-"}
    return [
        f"at inference the mean score of {names[key]} is {score:.2f}, in training it was "
        f"{training[key]:.2f}: the generators behave otherwise than they were trained to; raise "
        "gan.batch_size or gan.statistics_tiles"
        for key, score in inference.items()
        if abs(score - training[key]) > DIFFERENCE
    ]
