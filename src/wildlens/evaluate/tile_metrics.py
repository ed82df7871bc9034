"""Per-tile metrics and their mean: every tile counts the same, as in the paper's Table I."""

import numpy as np

from wildlens.evaluate.intervals import ratio
from wildlens.evaluate.ranking import rank
from wildlens.evaluate.thresholds import iou


def tile_ious(high: np.ndarray, target: np.ndarray) -> np.ndarray:
    """IoU of each tile, (tile,); NaN for tiles without target, where it is 0 for every map.

    Args:
        high, target: (tile, y, x) bool.
    """
    return np.array([iou(h, t) if t.any() else np.nan for h, t in zip(high, target, strict=True)])


def tile_rankings(
    values: np.ndarray, known: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """AUROC and average precision within each tile, (tile,) each.

    NaN for tiles without target; the AUROC also for tiles with nothing else.

    Args:
        values: (tile, y, x) float32, finite where known; known, target: (tile, y, x) bool.
    """
    found = np.full((2, len(values)), np.nan)
    for number, (v, k, t) in enumerate(zip(values, known, target, strict=True)):
        if t.any():
            ranking = rank(v, k)
            found[:, number] = ranking.auroc(t), ranking.average_precision(t)
    return found[0], found[1]


def pointing_game(values: np.ndarray, known: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Whether the highest value of each tile hits the target, (tile,) in 0..1 (Zhang et al. 2018).

    Of several highest pixels, the share that hits: a constant map scores the target's share. NaN
    for tiles without target. Arguments as in `tile_rankings`.
    """
    hits = []
    for v, k, t in zip(values, known, target, strict=True):
        highest = k & (v == v[k].max()) if t.any() else k
        hits.append(np.count_nonzero(highest & t) / highest.sum() if t.any() else np.nan)
    return np.array(hits)


def mean_replicates(metric: np.ndarray, blocks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean over the tiles of each replicate, (replicates,); NaN where no tile has the metric.

    Args:
        metric: (tile,) float, NaN = undefined; blocks: (tile,) int, block of each tile.
        weights: (replicates, blocks), see `intervals.leave_one_out`.
    """
    known = np.isfinite(metric)
    sums = np.bincount(blocks[known], metric[known], minlength=weights.shape[1])
    counts = np.bincount(blocks[known], minlength=weights.shape[1])
    return ratio(weights @ sums, weights @ counts)


def mean(metric: np.ndarray) -> float:
    """Mean over the tiles that have a metric; NaN if none has."""
    known = metric[np.isfinite(metric)]
    return float(known.mean()) if known.size else float("nan")
