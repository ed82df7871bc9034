"""Scores and features of tiles by every member: one forward pass per member."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wildlens.errors import WildLensError
from wildlens.evaluate.scores import check_models
from wildlens.networks.blocks import module_calls
from wildlens.networks.device import choose_device
from wildlens.networks.images import to_images
from wildlens.networks.weights import load_classifier
from wildlens.progress import track
from wildlens.tiles.store import TilesOnDisk, open_tiles

BATCH = 32
MOST_TRAINING = 512  # training tiles whose features are computed, evenly spaced
WEIGHTED = (nn.Linear, nn.Conv2d)


@dataclass(frozen=True)
class Prediction:
    """What one classifier gives for the tiles of a training set; NaN for tiles that it did not see.

    Attributes:
        logits: (tile,) float64, of the explained class against the rest.
        features: (tile, features) float32, input of the last layer with weights, averaged over the
            image if that is a convolution; None for a network without such a layer.
        target: name of the explained class.
    """

    logits: np.ndarray
    features: np.ndarray | None
    target: str


def predict_all(tiles: Path, classifiers: Sequence[Path], device: str) -> list[Prediction]:
    """Predictions of all members, in their order, for the tiles of `choose_rows`.

    Raises:
        WildLensError: a model does not fit the tiles or gives numbers that are not finite, or
            members explain different classes.
    """
    found = [predict(tiles, path, device) for path in classifiers]
    for path, prediction in zip(classifiers, found, strict=True):
        if prediction.target != found[0].target:
            raise WildLensError(
                f"{path}: explains the class '{prediction.target}', {classifiers[0]} the class"
                f" '{found[0].target}'; give members of one run"
            )
    return found


def choose_rows(splits: np.ndarray) -> np.ndarray:
    """Positions of all validation and test tiles and of some training tiles, ascending.

    Args:
        splits: (tile,) str.
    """
    training = np.flatnonzero(splits == "train")
    count = min(MOST_TRAINING, len(training))
    some = training[np.linspace(0, len(training) - 1, count).astype(int)]
    return np.sort(np.concatenate([some, np.flatnonzero(np.isin(splits, ("val", "test")))]))


@torch.inference_mode()
def predict(tiles: Path, classifier: Path, device: str) -> Prediction:
    """Logits and features of the tiles of `choose_rows`; pixels are read batch by batch."""
    where = choose_device(device)
    network = load_classifier(classifier).to(where)
    with open_tiles(tiles) as dataset:
        check_models(tiles, dataset, network)
        splits = dataset["split"].values
    stored, fill = TilesOnDisk(tiles), network.standardise.mean.cpu()
    rows = choose_rows(splits)
    logits, features, last = np.full(len(splits), np.nan), None, None
    batches = np.array_split(rows, max(1, -(-len(rows) // BATCH)))
    for batch in track(batches, f"confidence: {classifier.stem}", unit="batches"):
        images = to_images(stored[batch], fill)[0].to(where)
        if batch[0] == rows[0]:
            last = last_weighted(network, images[:1])
        found, of_layer = _forward(network, last, images)
        logits[batch] = found.double().cpu().numpy()
        if of_layer is not None:
            if features is None:
                features = np.full((len(splits), of_layer.shape[1]), np.nan, np.float32)
            features[batch] = of_layer
        of_batch = logits[batch] if features is None else np.c_[logits[batch], features[batch]]
        if not np.isfinite(of_batch).all():
            raise WildLensError(
                f"{classifier}: gives scores or features that are not finite for the tiles of"
                f" {tiles}; train it again"
            )
    return Prediction(logits, features, network.target)


def last_weighted(network: nn.Module, images: Tensor) -> nn.Module | None:
    """The layer with weights (linear or convolution) that a network calls last; None without."""
    called = [module for module, _ in module_calls(network, images) if isinstance(module, WEIGHTED)]
    return called[-1] if called else None


def _forward(
    network: nn.Module, layer: nn.Module | None, images: Tensor
) -> tuple[Tensor, np.ndarray | None]:
    """Logits (N,), and the input of a layer as (N, features) float32."""
    if layer is None:
        return network(images), None
    taken: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
    try:
        logits = network(images)
    finally:
        hook.remove()
    features = taken[-1]
    if features.ndim > 2:
        features = features.mean(dim=tuple(range(2, features.ndim)))
    return logits, features.float().cpu().numpy()
