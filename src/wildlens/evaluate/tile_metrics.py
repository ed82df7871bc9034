"""Per-tile metrics and their mean: every tile counts the same, as in the paper's Table I."""

import numpy as np

from wildlens.evaluate.intervals import leave_one_out, ratio
from wildlens.evaluate.ranking import rank


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
            ranking = rank(v[k], t[k])
            found[:, number] = ranking.auroc, ranking.average_precision
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


def mean_replicates(metric: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Mean over the tiles of all blocks but one, (blocks,); NaN where no tile has the metric.

    Args:
        metric: (tile,) float, NaN = undefined; blocks: (tile,) int, block of each tile.
    """
    known, count = np.isfinite(metric), blocks.max() + 1
    sums = np.bincount(blocks[known], metric[known], minlength=count)
    counts = np.bincount(blocks[known], minlength=count)
    return ratio(leave_one_out(sums), leave_one_out(counts))


def mean(metric: np.ndarray) -> float:
    """Mean over the tiles that have a metric; NaN if none has."""
    known = metric[np.isfinite(metric)]
    return float(known.mean()) if known.size else float("nan")
