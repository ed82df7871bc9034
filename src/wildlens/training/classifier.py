"""Pattern learning (paper, II.A): a classifier tells protected from anthropogenic tiles."""

import copy
import logging
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from wildlens import provenance
from wildlens.errors import WildLensError
from wildlens.networks import files
from wildlens.networks.device import choose_device
from wildlens.progress import duration, track
from wildlens.settings import Classifier
from wildlens.training.cutmix import cutmix
from wildlens.training.data import TileSet, TrainingSet, batches, load_training_set, turned
from wildlens.training.tables import write_table

log = logging.getLogger(__name__)

FGSM_STEP = 0.1  # standard deviations of each band
CHANCE = 0.6  # validation accuracy below which the classifier has learnt nothing to explain
# FGSM accuracy below which explanations of a U-Net were seen to collapse. Not of the local family:
# there a step on every pixel adds up under the mean, and explanations were good at 0.1.
BRITTLE = 0.3


def train(
    tiles: Path, output: Path, metrics: Path, settings: Classifier, *, device: str = "auto"
) -> None:
    """Train a classifier and write it, its training curve and its accuracies.

    Keeps the weights of the epoch with the lowest validation loss. Writes `output` (safetensors),
    `metrics/training.csv` (a row an epoch) and `metrics/accuracy.csv` (a row a split).
    """
    where = choose_device(device)
    data = load_training_set(tiles)
    torch.manual_seed(settings.seed)
    arguments = network_arguments(settings, data)
    network = _build(settings, arguments)
    network.standardise.set_statistics(data.mean, data.sd)
    network.to(where, memory_format=torch.channels_last)

    history = _fit(network, data, settings, where)
    accuracy = [
        {"split": name, **measure(network, tile_set, where)}
        for name, tile_set in data.splits.items()
    ]
    write_table(metrics / "training.csv", history)
    write_table(metrics / "accuracy.csv", accuracy)
    files.save(
        output,
        {"classifier": network},
        kind=settings.architecture,
        arguments=arguments,
        bands=data.bands,
        tile_size=data.tile_size,
        provenance=provenance.record("train-classifier", settings, [tiles]),
    )
    _judge(accuracy, settings.architecture)


def network_arguments(settings: Classifier, data: TrainingSet) -> dict:
    """Arguments of the network's constructor, as they are saved in the model's file."""
    if settings.architecture == "local":
        return {"bands": len(data.bands), "width": settings.width}
    return {
        "bands": len(data.bands),
        "tile_size": data.tile_size,
        "width": settings.width,
        "depth": settings.depth,
        "maps": settings.maps,
        "strides": list(settings.strides),
        "dropout": settings.dropout,
        "pixel_occlusion": settings.pixel_occlusion,
    }


def _build(settings: Classifier, arguments: dict) -> nn.Module:
    try:
        return files.NETWORKS[settings.architecture](**arguments)
    except ValueError as error:
        raise WildLensError(
            f"classifier: {error}; change classifier.strides or tiles.size"
        ) from None


def _fit(network: nn.Module, data: TrainingSet, settings: Classifier, where) -> list[dict]:
    """Train in place; the network ends with its best weights. Returns the rows of the curve."""
    generator = np.random.default_rng(settings.seed)
    tile_set = data.splits["train"]
    steps = len(batches(len(tile_set), settings.batch_size, generator))
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.max_rate, total_steps=settings.epochs * steps
    )
    history, best, best_loss = [], None, float("inf")
    start = time.monotonic()
    for epoch in range(1, settings.epochs + 1):
        network.train()
        losses = []
        order = batches(len(tile_set), settings.batch_size, generator)
        for indices in track(order, f"classifier: epoch {epoch}", unit="batches"):
            images, labels = _augmented(tile_set, indices, settings, generator)
            loss = _loss(network, images.to(where), labels.to(where))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        logits, labels = predict(network, data.splits["val"], where)
        row = {
            "epoch": epoch,
            "rate": schedule.get_last_lr()[0],
            "train_loss": float(np.mean(losses)),
            "val_loss": binary_cross_entropy_with_logits(logits, labels).item(),
            "val_accuracy": _accuracy(logits, labels),
        }
        history.append(row)
        if not np.isfinite(row["train_loss"]):
            raise WildLensError("classifier: the loss is not finite; lower classifier.max_rate")
        if row["val_loss"] <= best_loss:
            best, best_loss = copy.deepcopy(network.state_dict()), row["val_loss"]
        left = (time.monotonic() - start) / epoch * (settings.epochs - epoch)
        log.info(
            "classifier: epoch %d of %d, loss %.3f, validation loss %.3f, accuracy %.3f, %s left",
            epoch, settings.epochs, row["train_loss"], row["val_loss"], row["val_accuracy"],
            duration(left),
        )  # fmt: skip
    if best is not None:
        network.load_state_dict(best)
    network.eval()
    return history


def _augmented(
    tile_set: TileSet, indices: np.ndarray, settings: Classifier, generator: np.random.Generator
) -> tuple[Tensor, Tensor]:
    images = turned(tile_set.images(indices), generator)
    labels = tile_set.labels[torch.from_numpy(indices)]
    if generator.random() < settings.cutmix:
        images, labels = cutmix(images, labels, generator)
    return images, labels


def _loss(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    images = images.contiguous(memory_format=torch.channels_last)
    return binary_cross_entropy_with_logits(network(images), labels)


@torch.no_grad()
def predict(network: nn.Module, tile_set: TileSet, where, size: int = 64) -> tuple[Tensor, Tensor]:
    """Logits and labels (N,) of all tiles of a set, on the CPU; the network in eval mode."""
    network.eval()
    chunks = np.array_split(np.arange(len(tile_set)), max(1, -(-len(tile_set) // size)))
    logits = [network(tile_set.images(chunk).to(where)).cpu() for chunk in chunks]
    return torch.cat(logits), tile_set.labels


def measure(network: nn.Module, tile_set: TileSet, where) -> dict:
    """Tiles, accuracy, AUROC, and the accuracy after one step of the fast gradient sign method.

    The last needs no land cover, and foretells whether explanations of it mean anything.
    """
    logits, labels = predict(network, tile_set, where)
    return {
        "tiles": len(tile_set),
        "accuracy": _accuracy(logits, labels),
        "auroc": float(roc_auc_score(labels.numpy(), logits.numpy())),
        "fgsm_accuracy": _fgsm_accuracy(network, tile_set, where),
    }


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    return ((logits > 0) == (labels > 0.5)).float().mean().item()


def _fgsm_accuracy(network: nn.Module, tile_set: TileSet, where, most: int = 256) -> float:
    """Accuracy after FGSM_STEP sd a band against the label (Goodfellow et al. 2015)."""
    chosen = np.linspace(0, len(tile_set) - 1, min(most, len(tile_set))).astype(int)
    right = 0.0
    for indices in np.array_split(chosen, -(-len(chosen) // 32)):
        images = tile_set.images(indices).to(where).requires_grad_()
        labels = tile_set.labels[torch.from_numpy(indices)].to(where)
        (gradient,) = torch.autograd.grad(
            binary_cross_entropy_with_logits(network(images), labels), images
        )
        step = FGSM_STEP * network.standardise.sd[:, None, None]
        with torch.no_grad():
            logits = network(images + step * gradient.sign())
        right += _accuracy(logits, labels) * len(indices)
    return right / len(chosen)


def _judge(accuracy: list[dict], architecture: str) -> None:
    """Say how good the classifier is, and warn where explaining it makes no sense."""
    rows = {row["split"]: row for row in accuracy}
    for row in accuracy:
        log.info(
            "classifier: %s accuracy %.3f of %d tiles, AUROC %.3f, accuracy under FGSM %.3f",
            row["split"], row["accuracy"], row["tiles"], row["auroc"], row["fgsm_accuracy"],
        )  # fmt: skip
    if rows["val"]["accuracy"] < CHANCE:
        log.warning(
            "classifier: WARNING: validation accuracy is near chance: there is nothing to explain; "
            "train longer (classifier.epochs) or on more tiles"
        )
    elif architecture == "unet" and rows["val"]["fgsm_accuracy"] < BRITTLE:
        log.warning(
            "classifier: WARNING: a tiny step fools it; explanations of a classifier this brittle "
            "were seen to collapse: train with more cutmix or fewer channels"
        )
