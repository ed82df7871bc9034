"""What the generators do to the classifier's score, and how much they change for it: scores.csv."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from wildlens.errors import WildLensError
from wildlens.networks.device import choose_device
from wildlens.networks.files import load_classifier, load_generators
from wildlens.progress import track
from wildlens.reflectance import to_images
from wildlens.tileset import open_tiles

BATCH = 16


@dataclass(frozen=True)
class Generated:
    """A batch of tiles with their generated images.

    Attributes:
        images: (tile, 3, band, y, x) float32 reflectance: X, X+ and X-. Missing pixels of X hold
            the band means.
        valid: (tile, y, x) bool, pixels that X has.
        scores: (tile, 3) float32 in [0, 1] of the three.
    """

    images: np.ndarray
    valid: np.ndarray
    scores: np.ndarray


def generate(
    tiles_path: Path, names: np.ndarray, classifier_path: Path, generators_path: Path, device: str
) -> Iterator[Generated]:
    """Raise and lower the score of the named tiles of a store, batch by batch in their order."""
    where = choose_device(device)
    classifier = load_classifier(classifier_path).to(where)
    generators = [network.to(where) for network in load_generators(generators_path)]
    tiles = open_tiles(tiles_path)
    _check_models(tiles_path, tiles, classifier, *generators)
    position = {name: i for i, name in enumerate(tiles["name"].values.tolist())}
    rows = [position[name] for name in names.tolist()]
    for start in range(0, len(rows), BATCH):
        stored = tiles["reflectance"].isel(tile=rows[start : start + BATCH]).values
        images, valid = to_images(stored, classifier.standardise.mean.cpu())
        with torch.inference_mode():
            images = images.to(where)
            variants = [images, *(generator(images) for generator in generators)]
            logits = torch.stack([classifier(variant) for variant in variants], dim=1)
        yield Generated(
            torch.stack(variants, dim=1).cpu().numpy(),
            valid.numpy(),
            torch.sigmoid(logits).cpu().numpy(),
        )


def score_images(
    tiles_path: Path, names: np.ndarray, classifier_path: Path, generators_path: Path, device: str
) -> tuple[np.ndarray, np.ndarray]:
    """Score tiles and their generated images.

    Returns:
        scores: (tile, 3) float32 in [0, 1] of X, X+ and X-.
        change: (tile, 3) float32, mean absolute difference to X over bands and valid pixels,
        reflectance (0 for X; NaN for a tile without valid pixels).
    """
    batches = generate(tiles_path, names, classifier_path, generators_path, device)
    scores, change = [], []
    for batch in track(batches, "scores", total=-(-len(names) // BATCH), unit="batches"):
        scores.append(batch.scores)
        change.append(_mean_change(batch))
    return np.concatenate(scores), np.concatenate(change)


def _mean_change(batch: Generated) -> np.ndarray:
    """Mean absolute difference to X over bands and valid pixels, (tile, 3)."""
    pixels = np.abs(batch.images - batch.images[:, :1]).mean(axis=2)
    total = np.where(batch.valid[:, None], pixels, 0).sum(axis=(2, 3))
    count = np.count_nonzero(batch.valid, axis=(1, 2))[:, None]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def scores_table(split: str, scores: np.ndarray, change: np.ndarray) -> pd.DataFrame:
    """scores.csv: a row for each of X, X+ and X-. Arguments as `score_images` returns them."""
    original, raised, lowered = scores.T
    in_order = np.mean((lowered < original) & (original < raised))
    return pd.DataFrame(
        {
            "split": split,
            "image": ["X", "X+", "X-"],
            "tiles": len(scores),
            "mean_score": scores.mean(axis=0),
            "std_score": scores.std(axis=0),
            "share_in_order": in_order,
            "l1_reflectance": np.nanmean(change, axis=0),
        }
    )


def _check_models(path: Path, tiles: xr.Dataset, *networks: torch.nn.Module) -> None:
    bands, size = tiles["band"].values.tolist(), tiles.sizes["y"]
    for network in networks:
        if list(network.bands) != bands or network.tile_size != size:
            raise WildLensError(
                f"{path}: has tiles of {size} px with {', '.join(bands)}, a model was trained on "
                f"{network.tile_size} px with {', '.join(network.bands)}; use the tiles that the "
                "models were trained on"
            )
