"""Figures of single tiles, and their mean: each tile counts the same, as in the paper's Table I."""

import numpy as np

from wildlens.evaluate.ranking import rank
from wildlens.evaluate.thresholds import iou


def tile_ious(high: np.ndarray, target: np.ndarray) -> np.ndarray:
    """IoU of each tile, (tile,); NaN for tiles without target, where it is 0 whatever the map says.

    Args:
        high, target: (tile, y, x) bool.
    """
    return np.array([iou(h, t) if t.any() else np.nan for h, t in zip(high, target, strict=True)])


def tile_aurocs(values: np.ndarray, known: np.ndarray, target: np.ndarray) -> np.ndarray:
    """AUROC within each tile, (tile,); NaN for tiles with target only, or without.

    Args:
        values: (tile, y, x) float32, finite where known; known, target: (tile, y, x) bool.
    """
    return np.array(
        [
            rank(v, k).auroc(t) if t.any() and t.sum() < k.sum() else np.nan
            for v, k, t in zip(values, known, target, strict=True)
        ]
    )


def pointing_game(values: np.ndarray, known: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Whether the highest value of each tile hits the target, (tile,) in 0..1 (Zhang et al. 2018).

    Of several highest pixels, the share that hits: a constant map scores the target's share. NaN
    for tiles without target. Arguments as in `tile_aurocs`.
    """
    hits = []
    for v, k, t in zip(values, known, target, strict=True):
        highest = k & (v == v[k].max()) if t.any() else k
        hits.append(np.count_nonzero(highest & t) / highest.sum() if t.any() else np.nan)
    return np.array(hits)


def resampled_mean(figures: np.ndarray, blocks: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Mean over the tiles of the drawn blocks, (resamples,); NaN where none has a figure.

    Args:
        figures: (tile,) float, NaN = no figure; blocks: (tile,) int, block of each tile.
        draws: (resamples, blocks), see `bootstrap.draw_blocks`.
    """
    known = np.isfinite(figures)
    sums = np.bincount(blocks[known], figures[known], minlength=draws.shape[1])
    counts = np.bincount(blocks[known], minlength=draws.shape[1])
    total = draws @ counts
    return np.divide(draws @ sums, total, out=np.full(len(draws), np.nan), where=total > 0)


def mean(figures: np.ndarray) -> float:
    """Mean over the tiles that have a figure; NaN if none has."""
    known = figures[np.isfinite(figures)]
    return float(known.mean()) if known.size else float("nan")
