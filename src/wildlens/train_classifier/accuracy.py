"""Accuracy of a trained classifier by split, and warnings about an unsound classifier."""

import logging

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from wildlens.registry import classifiers
from wildlens.training.classes import Classes
from wildlens.training.data import TileSet

log = logging.getLogger(__name__)

FGSM_STEP = 0.1  # standard deviations of each band
CHANCE = 0.6  # validation accuracy below which the classifier has learnt nothing to explain
# FGSM accuracy below which explanations of a U-Net were seen to collapse. Not applied to the local
# architecture: there, changes of all pixels add up in the mean, and explanations were good at 0.1.
BRITTLE = 0.3


@torch.no_grad()
def predict(network: nn.Module, tile_set: TileSet, where, size: int = 64) -> tuple[Tensor, Tensor]:
    """Logits (N, outputs) and labels (N,) of all tiles, on the CPU; sets eval mode."""
    network.eval()
    chunks = np.array_split(np.arange(len(tile_set)), max(1, -(-len(tile_set) // size)))
    logits = [network.class_logits(tile_set.images(chunk).to(where)).cpu() for chunk in chunks]
    return torch.cat(logits), tile_set.labels


def measure(
    network: nn.Module, tile_set: TileSet, classes: Classes, where
) -> tuple[dict, list[dict]]:
    """Metrics of a split, and its confusion matrix (one row per class).

    Metrics: number of tiles, accuracy, AUROC of the target against the rest, and accuracy after one
    step of the fast gradient sign method. The last needs no land cover, and indicates whether
    explanations of the classifier are meaningful.
    """
    logits, labels = predict(network, tile_set, where)
    target_logits = network.against_rest(logits)
    metrics = {
        "tiles": len(tile_set),
        "accuracy": classes.accuracy(logits, labels),
        "auroc": float(roc_auc_score((labels == classes.number).numpy(), target_logits.numpy())),
        "fgsm_accuracy": _fgsm_accuracy(network, tile_set, classes, where),
    }
    table = [
        {"class": name, **{f"predicted {n}": c for n, c in zip(classes.names, row, strict=True)}}
        for name, row in zip(classes.names, classes.confusion(logits, labels).tolist(), strict=True)
    ]
    return metrics, table


def _fgsm_accuracy(
    network: nn.Module, tile_set: TileSet, classes: Classes, where, most: int = 256
) -> float:
    """Accuracy after a step of FGSM_STEP against the label (Goodfellow et al. 2015)."""
    chosen = np.linspace(0, len(tile_set) - 1, min(most, len(tile_set))).astype(int)
    right = 0.0
    for indices in np.array_split(chosen, -(-len(chosen) // 32)):
        images = tile_set.images(indices).to(where).requires_grad_()
        labels = tile_set.labels[torch.from_numpy(indices)].to(where)
        loss = classes.loss(network.class_logits(images), classes.targets(labels))
        (gradient,) = torch.autograd.grad(loss, images)
        step = FGSM_STEP * network.standardise.sd[:, None, None]
        with torch.no_grad():
            logits = network.class_logits(images + step * gradient.sign())
        right += classes.accuracy(logits, labels) * len(indices)
    return right / len(chosen)


def warnings_about(accuracy: list[dict], architecture: str) -> list[str]:
    """Log the accuracy of each split; returns reasons why explanations would be meaningless."""
    rows = {row["split"]: row for row in accuracy}
    for row in accuracy:
        log.info(
            "classifier: %s accuracy %.3f on %d tiles, AUROC %.3f, accuracy under FGSM %.3f",
            row["split"], row["accuracy"], row["tiles"], row["auroc"], row["fgsm_accuracy"],
        )  # fmt: skip
    if rows["val"]["accuracy"] < CHANCE:
        return [
            "validation accuracy is near chance: there is nothing to explain; "
            "train longer (classifier.epochs) or on more tiles"
        ]
    if not classifiers.find(architecture).local_logits and rows["val"]["fgsm_accuracy"] < BRITTLE:
        return [
            "a very small change of the pixels fools the classifier; explanations of such "
            "classifiers were seen to collapse: train with more cutmix or a smaller width"
        ]
    return []
