"""Rules of what counts as high attribution: rules.csv, one row per method, reference and rule.

The rule that methods are judged by was fixed beforehand: one threshold in the method's own unit,
which maximises the pooled IoU on the validation tiles. The other rules show how much depends on it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wildlens.evaluate import tile_metrics
from wildlens.evaluate.intervals import interval, pooled_iou
from wildlens.evaluate.thresholds import (
    iou,
    mean_sd_threshold,
    otsu_threshold,
    top_threshold,
)

VALIDATION = "validation threshold, pooled IoU"
OTSU = "Otsu's threshold of each tile"
MARKS_NOTHING = "no evidence: marks no pixel"
MARKS_ALL = "no evidence: marks every pixel"
Rule = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Outcome:
    """Result of a rule on the test tiles.

    Attributes:
        metrics: column of rules.csv -> value.
        by_tile: (tile,) IoU; NaN for tiles without target.
        iou, iou_tiles: (replicates,) of the pooled IoU and of the mean over tiles; NaN = undefined.
    """

    metrics: dict[str, float]
    by_tile: np.ndarray
    iou: np.ndarray
    iou_tiles: np.ndarray


def tile_rules(top_shares: list[float], target_share: float) -> dict[str, Rule]:
    """Rules that give each tile its own threshold: name -> function of the tile's values.

    Args:
        top_shares: shares of a tile that are high at most.
        target_share: of the validation tiles; one more such rule.
    """
    rules = {OTSU: otsu_threshold, "mean + standard deviation of each tile": mean_sd_threshold}
    for share in top_shares:
        rules[f"highest {100 * share:g} % of each tile"] = _top(share)
    rules["highest of each tile, the target's share of the validation tiles"] = _top(target_share)
    return rules


def _top(share: float) -> Rule:
    return lambda values: top_threshold(values, share)


def masks_by_tile(values: np.ndarray, valid: np.ndarray, rule: Rule) -> np.ndarray:
    """High attribution by each tile's own threshold, (tile, y, x) bool, False where invalid.

    Args:
        values: (tile, y, x) float32; valid: (tile, y, x) bool.
        rule: (n,) float32 -> threshold.
    """
    high = np.zeros(values.shape, bool)
    for tile, pixels, mask in zip(values, valid, high, strict=True):
        if pixels.any():
            mask[pixels] = tile[pixels] >= rule(tile[pixels])
    return high


def outcome(
    high: np.ndarray, known: np.ndarray, target: np.ndarray, blocks: np.ndarray, weights: np.ndarray
) -> Outcome:
    """Compare high attribution with a target, both (tile, y, x) bool within `known`.

    Args:
        blocks: (tile,) int; weights: (replicates, blocks), see `intervals.leave_one_out`.
    """
    by_tile = tile_metrics.tile_ious(high, target)
    pooled = pooled_iou(
        count_by_block(high & target, blocks), count_by_block(high | target, blocks), weights
    )
    of_tiles = tile_metrics.mean_replicates(by_tile, blocks, weights)
    marked, pixels = np.count_nonzero(high), np.count_nonzero(known)
    metrics = {
        "share_high": marked / pixels,
        "tiles_marked": int(high.any(axis=(1, 2)).sum()),
        "iou": iou(high, target),
        "iou_tiles": tile_metrics.mean(by_tile),
        "tiles_with_target": int(np.isfinite(by_tile).sum()),
        "share_inside": np.count_nonzero(high & target) / marked if marked else float("nan"),
        "note": {0: MARKS_NOTHING, pixels: MARKS_ALL}.get(marked, ""),
    }
    for name, replicates in (("iou", pooled), ("iou_tiles", of_tiles)):
        metrics[f"{name}_low"], metrics[f"{name}_high"] = interval(metrics[name], replicates)
    return Outcome(metrics, by_tile, pooled, of_tiles)


def count_by_block(mask: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """True pixels of each block, (blocks,) int64."""
    counts = np.zeros(blocks.max() + 1, np.int64)
    np.add.at(counts, blocks, np.count_nonzero(mask, axis=(1, 2)))
    return counts
