"""Faithfulness of attributions to the classifier: faithfulness.csv, which needs no land cover.

Deletion: pixels are blanked in descending order of attribution; the sooner the score falls, the
lower the area under its curve. Insertion: they are restored in a blank tile in the same order; the
sooner the score rises, the higher the area (Petsiuk et al. 2018). Both depend on what a blank tile
is, which is a setting: if its own score (`blank_score`) is far from 0.5, the curves tell little.

Randomisation: rank correlation of a map with the same method's map of a classifier of random
weights; a method near 1 shows the image and not the network (Adebayo et al. 2018).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from wildlens.evaluate.intervals import difference_interval
from wildlens.evaluate.tile_metrics import mean_replicates
from wildlens.networks.baselines import make_baseline
from wildlens.networks.device import on_device
from wildlens.settings import Evaluation

BATCH = 32
COLUMNS = [
    "method", "tiles", "steps", "fill", "blank_score", "deletion_auc", "insertion_auc",
    "insertion_minus_deletion", "insertion_minus_deletion_low", "insertion_minus_deletion_high",
    "randomisation_tiles", "randomisation_correlation",
]  # fmt: skip


def choose_tiles(count: int, settings: Evaluation) -> np.ndarray:
    """Positions of the tiles of the curves: a seeded choice, ascending."""
    order = np.random.default_rng(settings.seed).permutation(count)
    return np.sort(order[: settings.faithfulness_tiles])


def ranks(values: np.ndarray, seed: int) -> np.ndarray:
    """Rank of each pixel from the highest value (0) down, (y, x) int64; -1 where it is missing.

    Equal values come in random order, since any other order would be a spatial pattern.

    Args:
        values: (y, x) float32, NaN = missing.
    """
    flat = values.ravel()
    valid = np.flatnonzero(np.isfinite(flat))
    chance = np.random.default_rng(seed).random(valid.size)
    found = np.full(flat.size, -1)
    found[valid[np.lexsort((chance, -flat[valid]))]] = np.arange(valid.size)
    return found.reshape(values.shape)


@torch.inference_mode()
def curves(
    classifier: nn.Module, image: Tensor, order: np.ndarray, blank: Tensor, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of one tile while pixels are deleted, and while they are inserted, (steps + 1,) each.

    Args:
        image, blank: (C, H, W) reflectance.
        order: (H, W), see `ranks`. Missing pixels are never changed.
        steps: after step k, the first k / steps of the pixels are deleted or inserted.
    """
    count = int((order >= 0).sum())
    ends = torch.from_numpy(np.round(np.arange(steps + 1) / steps * count).astype(int))
    order = torch.from_numpy(np.where(order < 0, order.size, order))
    # (steps + 1, 1, H, W): pixels that are reached after each step
    reached = (order < ends[:, None, None])[:, None].to(image.device)
    logits_of_both = [
        torch.cat([classifier(on_device(part, image.device)) for part in variants.split(BATCH)])
        for variants in (torch.where(reached, blank, image), torch.where(reached, image, blank))
    ]
    deleted, inserted = (torch.sigmoid(logits).cpu().numpy() for logits in logits_of_both)
    return deleted, inserted


def area(curve: np.ndarray) -> float:
    """Area under a curve over equal steps from 0 to 1."""
    return float(np.trapezoid(curve, dx=1 / (len(curve) - 1)))


@dataclass(frozen=True)
class Faithfulness:
    """The faithfulness test of all methods: the classifier, and the tiles of the curves.

    Attributes:
        images: (T, C, H, W) reflectance of the chosen tiles; chosen: (T,) positions among all.
        blocks: (T,) the spatial block of each.
    """

    classifier: nn.Module
    images: Tensor
    chosen: np.ndarray
    blocks: np.ndarray
    settings: Evaluation

    def row(
        self,
        method: str,
        maps: np.ndarray,
        randomised: Iterable[tuple[np.ndarray, np.ndarray]] = (),
    ) -> dict:
        """The row of one method in faithfulness.csv.

        Args:
            maps: (T, y, x) float32 of the chosen tiles, NaN = missing.
            randomised: maps of any tiles, each with that of the randomised classifier.
        """
        settings = self.settings
        fill, steps = settings.faithfulness_fill, settings.faithfulness_steps
        pairs = [
            curves(self.classifier, image, ranks(values, settings.seed), blank, steps)
            for image, blank, values in zip(self.images, self._blanks, maps, strict=True)
        ]
        starts = np.array([inserted[0] for _, inserted in pairs])
        areas = np.array([[area(curve) for curve in pair] for pair in pairs]).reshape(-1, 2)
        gain = areas[:, 1] - areas[:, 0]
        correlation = correlations(randomised)
        row = (
            method, len(self.chosen), steps, fill, _mean(starts), *_mean(areas), _mean(gain),
            *self._interval(gain), len(correlation), _mean(correlation),
        )  # fmt: skip
        return dict(zip(COLUMNS, row, strict=True))

    @cached_property
    def _blanks(self) -> Tensor:
        """(T, C, H, W) reflectance: the blank image of each tile, the same for all methods."""
        return make_baseline(self.settings.faithfulness_fill, self.classifier)(self.images)

    def _interval(self, gain: np.ndarray) -> tuple[float, float]:
        """95 % interval of the mean over tiles, from their spatial blocks."""
        if not len(gain):
            return float("nan"), float("nan")
        blocks = np.unique(self.blocks, return_inverse=True)[1]
        return difference_interval(_mean(gain), mean_replicates(gain, blocks))


def correlations(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Spearman's rank correlation of two maps of each tile, (n,); constant maps are left out."""
    found = []
    for one, other in pairs:
        both = np.isfinite(one) & np.isfinite(other)
        one, other = one[both], other[both]
        if one.size and np.ptp(one) > 0 and np.ptp(other) > 0:
            found.append(spearmanr(one, other).statistic)
    return np.array(found)


def _mean(values: np.ndarray):
    """Mean over the first axis; NaN for none."""
    if not len(values):
        return np.full(values.shape[1:], np.nan)[()]
    return values.mean(axis=0)
