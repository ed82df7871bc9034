"""Does the classifier use what a map highlights? faithfulness.csv, which needs no land cover.

Deletion: pixels are blanked from the highest attribution down; the sooner the score falls, the
lower the area under its curve. Insertion: they are brought back into a blank tile; the sooner the
score rises, the higher the area (Petsiuk et al. 2018). Both lean on what stands for blank, which is
a setting: where its own score (`blank_score`) is far from one half, curves say little.

Randomisation: the rank correlation of a map with the same method's map of a classifier of random
weights; a method near 1 shows the image and not the network (Adebayo et al. 2018).
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from wildlens.progress import track
from wildlens.registry.record import RANDOMISED
from wildlens.settings import Evaluation

BATCH = 32
COLUMNS = [
    "method", "tiles", "steps", "fill", "blank_score", "deletion_auc", "insertion_auc",
    "insertion_minus_deletion", "insertion_minus_deletion_sd", "randomisation_tiles",
    "randomisation_correlation",
]  # fmt: skip


def choose_tiles(count: int, settings: Evaluation) -> np.ndarray:
    """Positions of the tiles that curves are drawn of: a seeded choice, in their own order."""
    order = np.random.default_rng(settings.seed).permutation(count)
    return np.sort(order[: settings.faithfulness_tiles])


def blank_image(classifier: nn.Module, fill: str) -> Tensor:
    """(C, 1, 1) reflectance of a blank pixel: the band means, or 0."""
    mean = classifier.standardise.mean[:, None, None]
    return mean if fill == "mean" else torch.zeros_like(mean)


def ranks(values: np.ndarray, seed: int) -> np.ndarray:
    """Place of each pixel from the highest value (0) down, (y, x) int64; -1 where it is missing.

    Equal values come in random order: rows from the top would be a pattern of their own.

    Args:
        values: (y, x) float32, NaN = missing.
    """
    flat = values.ravel()
    valid = np.flatnonzero(np.isfinite(flat))
    chance = np.random.default_rng(seed).random(valid.size)
    places = np.full(flat.size, -1)
    places[valid[np.lexsort((chance, -flat[valid]))]] = np.arange(valid.size)
    return places.reshape(values.shape)


@torch.inference_mode()
def curves(
    classifier: nn.Module, image: Tensor, places: np.ndarray, blank: Tensor, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of one tile while pixels are deleted, and while they are inserted, (steps + 1,) each.

    Args:
        image: (C, H, W) reflectance; blank: (C, 1, 1).
        places: (H, W), see `ranks`. Missing pixels are never changed.
        steps: after step k, the first k / steps of the pixels are deleted or inserted.
    """
    count = int((places >= 0).sum())
    ends = torch.from_numpy(np.round(np.arange(steps + 1) / steps * count).astype(int))
    places = torch.from_numpy(np.where(places < 0, places.size, places))
    # (steps + 1, 1, H, W): what each step has reached
    taken = (places < ends[:, None, None])[:, None].to(image.device)
    scores = [
        torch.cat([torch.sigmoid(classifier(chunk)) for chunk in variants.split(BATCH)])
        for variants in (torch.where(taken, blank, image), torch.where(taken, image, blank))
    ]
    return scores[0].cpu().numpy(), scores[1].cpu().numpy()


def area(curve: np.ndarray) -> float:
    """Area under a curve over equal steps from 0 to 1."""
    return float(np.trapezoid(curve, dx=1 / (len(curve) - 1)))


def faithfulness_table(
    classifier: nn.Module,
    images: Tensor,
    chosen: np.ndarray,
    values: Mapping[str, np.ndarray],
    settings: Evaluation,
) -> pd.DataFrame:
    """faithfulness.csv: one row for each method.

    Args:
        images: (T, C, H, W) reflectance of the chosen tiles; chosen: their positions among all.
        values: method -> (tile, y, x) float32 of all test tiles, NaN = missing.
    """
    blank = blank_image(classifier, settings.faithfulness_fill)
    rows = []
    for method, maps in track(values.items(), "faithfulness", total=len(values), unit="method"):
        drawn = [
            curves(
                classifier, image, ranks(maps[tile], settings.seed), blank,
                settings.faithfulness_steps,
            )
            for image, tile in zip(images, chosen, strict=True)
        ]  # fmt: skip
        starts = np.array([inserted[0] for _, inserted in drawn])
        areas = np.array([[area(curve) for curve in pair] for pair in drawn]).reshape(-1, 2)
        gain = areas[:, 1] - areas[:, 0]
        random = values.get(f"{method}{RANDOMISED}")
        alike = correlations(maps, random) if random is not None else np.empty(0)
        row = (
            method, len(chosen), settings.faithfulness_steps, settings.faithfulness_fill,
            _mean(starts), *_mean(areas), _mean(gain), _sd(gain), len(alike), _mean(alike),
        )  # fmt: skip
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return pd.DataFrame(rows, columns=COLUMNS)


def correlations(maps: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation of two maps of each tile, (n,); constant maps are left out."""
    found = []
    for one, other in zip(maps, others, strict=True):
        both = np.isfinite(one) & np.isfinite(other)
        one, other = one[both], other[both]
        if one.size and np.ptp(one) > 0 and np.ptp(other) > 0:
            found.append(spearmanr(one, other).statistic)
    return np.array(found)


def _mean(figures: np.ndarray):
    """Mean over the first axis; NaN for none."""
    if not len(figures):
        return np.full(figures.shape[1:], np.nan)[()]
    return figures.mean(axis=0)


def _sd(figures: np.ndarray) -> float:
    """Standard deviation over tiles; NaN for fewer than two."""
    return float(figures.std(ddof=1)) if len(figures) > 1 else float("nan")
