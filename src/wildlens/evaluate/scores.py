"""Effect of the generators on the classifier's score, and the size of their change: scores.csv."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from wildlens.errors import WildLensError
from wildlens.evaluate.generated import Generated
from wildlens.evaluate.perturbations import Perturbation
from wildlens.files.reflectance import SCALE
from wildlens.networks.device import choose_device
from wildlens.networks.images import to_images
from wildlens.networks.weights import load_classifier, load_generators
from wildlens.progress import track
from wildlens.tiles.store import open_tiles, rows_of

BATCH = 16


@dataclass(frozen=True)
class Scored:
    """Scores of tiles and of their generated images, and the size of the change.

    Attributes:
        scores: (tile, 3) float32 in [0, 1] of X, X+ and X-.
        change: (tile, 3) float32, mean absolute difference to X over bands and valid pixels,
            reflectance (0 for X; NaN for a tile without valid pixels).
        perturbed: name of a perturbation -> (tile, 3) scores after it.
        unchanged: (tile, 3) float64, share of the valid pixels whose bands all differ from X by
            less than one digital number.
    """

    scores: np.ndarray
    change: np.ndarray
    perturbed: dict[str, np.ndarray] = field(default_factory=dict)
    unchanged: np.ndarray | None = None


def generate(
    tiles_path: Path,
    names: np.ndarray,
    classifier_path: Path,
    generators_path: Path,
    device: str,
    perturbations: Mapping[str, Perturbation] | None = None,
) -> Iterator[Generated]:
    """Generated images X+ and X- of the named tiles of a store, batch by batch in their order."""
    where = choose_device(device)
    classifier = load_classifier(classifier_path).to(where)
    generators = [network.to(where) for network in load_generators(generators_path)]
    tiles = open_tiles(tiles_path)
    check_models(tiles_path, tiles, classifier, *generators)
    rows = rows_of(tiles["name"].values, names)
    for start in range(0, len(rows), BATCH):
        stored = tiles["reflectance"].isel(tile=rows[start : start + BATCH]).values
        images, valid = to_images(stored, classifier.standardise.mean.cpu())
        with torch.inference_mode():
            images = images.to(where)
            variants = [images, *(generator(images) for generator in generators)]
            stacked = torch.stack(variants, dim=1)
            logits = torch.stack([classifier(variant) for variant in variants], dim=1)
            perturbed = {
                name: torch.stack(
                    [
                        classifier(perturb(three, start + number))
                        for number, three in enumerate(stacked)
                    ]
                )
                for name, perturb in (perturbations or {}).items()
            }
        yield Generated(
            stacked.cpu().numpy(),
            valid.numpy(),
            torch.sigmoid(logits).cpu().numpy(),
            {name: torch.sigmoid(values).cpu().numpy() for name, values in perturbed.items()},
        )


def score_images(
    tiles_path: Path,
    names: np.ndarray,
    classifier_path: Path,
    generators_path: Path,
    device: str,
    perturbations: Mapping[str, Perturbation] | None = None,
) -> Scored:
    """Scores of the named tiles and of their generated images, without and with perturbations."""
    perturbations = perturbations or {}
    batches = generate(
        tiles_path, names, classifier_path, generators_path, device, perturbations
    )  # fmt: skip
    scores, change, unchanged = [], [], []
    perturbed: dict[str, list] = {name: [] for name in perturbations}
    for batch in track(batches, "scores", total=-(-len(names) // BATCH), unit="batches"):
        scores.append(batch.scores)
        size = np.abs(batch.images - batch.images[:, :1])
        change.append(_mean_of_valid(size.mean(axis=2), batch.valid))
        unchanged.append(_mean_of_valid(size.max(axis=2) < 1 / SCALE, batch.valid))
        for name, values in batch.perturbed.items():
            perturbed[name].append(values)
    return Scored(
        np.concatenate(scores),
        np.concatenate(change),
        {name: np.concatenate(values) for name, values in perturbed.items()},
        np.concatenate(unchanged),
    )


def _mean_of_valid(pixels: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Mean of (tile, 3, y, x) over valid pixels (tile, y, x), (tile, 3); NaN without any."""
    total = np.where(valid[:, None], pixels, 0).sum(axis=(2, 3), dtype=np.float64)
    count = np.count_nonzero(valid, axis=(1, 2))[:, None]
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def scores_table(split: str, scored: Scored, margin: float = 0.05) -> pd.DataFrame:
    """scores.csv: one row for each of X, X+ and X-.

    `change_kept_NAME` is the share of the mean change of the score from X that remains after a
    perturbation of both images; `share_beyond_margin` the share of tiles whose score moved in the
    intended direction by `margin` or more.
    """
    scores = scored.scores
    original, raised, lowered = scores.T
    up, down = raised - original, original - lowered
    beyond = [np.nan, np.mean(up >= margin), np.mean(down >= margin)]
    table = {
        "split": split,
        "image": ["X", "X+", "X-"],
        "tiles": len(scores),
        "mean_score": scores.mean(axis=0),
        "std_score": scores.std(axis=0),
        "share_in_order": np.mean((down > 0) & (up > 0)),
        "order_margin": margin,
        "share_in_order_with_margin": np.mean((down >= margin) & (up >= margin)),
        "share_beyond_margin": beyond,
        "l1_reflectance": np.nanmean(scored.change, axis=0),
    }
    if scored.unchanged is not None:
        table["share_unchanged"] = np.nanmean(scored.unchanged, axis=0)
    for name, after in scored.perturbed.items():
        table[f"mean_score_{name}"] = after.mean(axis=0)
        table[f"change_kept_{name}"] = _kept(scores, after)
    return pd.DataFrame(table)


def _kept(scores: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Change of the mean score from X, after a perturbation divided by before, (3,); NaN if 0."""
    before, later = ((s - s[:, :1]).mean(axis=0, dtype=np.float64) for s in (scores, after))
    return np.divide(later, before, out=np.full(3, np.nan), where=before != 0)


def read_images(
    tiles_path: Path, names: np.ndarray, classifier_path: Path, device: str
) -> tuple[torch.nn.Module, torch.Tensor]:
    """The classifier and the named tiles as its input, (N, C, H, W) float32 on the device."""
    where = choose_device(device)
    classifier = load_classifier(classifier_path).to(where)
    tiles = open_tiles(tiles_path)
    check_models(tiles_path, tiles, classifier)
    stored = tiles["reflectance"].isel(tile=rows_of(tiles["name"].values, names)).values
    images, _ = to_images(stored, classifier.standardise.mean.cpu())
    return classifier, images.to(where)


def check_models(path: Path, tiles: xr.Dataset, *networks: torch.nn.Module) -> None:
    """Raise a WildLensError if a network was trained on other bands or another tile size."""
    bands, size = tiles["band"].values.tolist(), tiles.sizes["y"]
    for network in networks:
        if list(network.bands) != bands or network.tile_size != size:
            raise WildLensError(
                f"{path}: has tiles of {size} px with {', '.join(bands)}, a model was trained on "
                f"{network.tile_size} px with {', '.join(network.bands)}; use the tiles that the "
                "models were trained on"
            )
