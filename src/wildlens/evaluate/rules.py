"""What "high attribution" may mean: rules.csv, one row for each method, reference and rule.

The rule that methods are judged by was fixed beforehand: one threshold in the method's own unit,
which maximises the pooled IoU on the validation tiles. The other rules show what hangs on it.
"""

from dataclasses import dataclass

import numpy as np

from wildlens.evaluate import tile_metrics
from wildlens.evaluate.bootstrap import interval, resampled_iou
from wildlens.evaluate.thresholds import (
    iou,
    mean_sd_threshold,
    otsu_threshold,
    top_threshold,
)

VALIDATION = "validation threshold, pooled IoU"
OTSU = "Otsu's threshold of each tile"


@dataclass(frozen=True)
class Outcome:
    """What a rule comes to on the test tiles.

    Attributes:
        figures: column of rules.csv -> value.
        iou, iou_tiles: (resamples,) of the pooled IoU and of the mean over tiles; NaN = undefined.
    """

    figures: dict[str, float]
    iou: np.ndarray
    iou_tiles: np.ndarray


def tile_rules(top_shares: list[float], target_share: float) -> dict:
    """Rules that give each tile a threshold of its own: name -> function of its values.

    Args:
        top_shares: shares of a tile that are high.
        target_share: of the validation tiles, which makes one more such rule.
    """
    rules = {OTSU: otsu_threshold, "mean + standard deviation of each tile": mean_sd_threshold}
    for share in top_shares:
        rules[f"highest {100 * share:g} % of each tile"] = _top(share)
    rules["highest of each tile, as many as validation tiles hold of the group"] = _top(
        target_share
    )
    return rules


def _top(share: float):
    return lambda values: top_threshold(values, share)


def masks_by_tile(values: np.ndarray, valid: np.ndarray, rule) -> np.ndarray:
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
    high: np.ndarray, known: np.ndarray, target: np.ndarray, blocks: np.ndarray, draws: np.ndarray
) -> Outcome:
    """Compare high attribution with a target, both (tile, y, x) bool within `known`.

    Args:
        blocks: (tile,) int; draws: (resamples, blocks), see `bootstrap.draw_blocks`.
    """
    by_tile = tile_metrics.tile_ious(high, target)
    pooled = resampled_iou(by_block(high & target, blocks), by_block(high | target, blocks), draws)
    of_tiles = tile_metrics.resampled_mean(by_tile, blocks, draws)
    low, up = interval(pooled, draws.shape[1])
    tiles_low, tiles_up = interval(of_tiles, draws.shape[1])
    count = np.count_nonzero(high)
    figures = {
        "share_high": count / np.count_nonzero(known),
        "iou": iou(high, target),
        "iou_low": low,
        "iou_high": up,
        "iou_tiles": tile_metrics.mean(by_tile),
        "iou_tiles_low": tiles_low,
        "iou_tiles_high": tiles_up,
        "tiles_with_target": int(np.isfinite(by_tile).sum()),
        "share_inside": np.count_nonzero(high & target) / count if count else float("nan"),
    }
    return Outcome(figures, pooled, of_tiles)


def by_block(mask: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """True pixels of each block, (blocks,) int64."""
    counts = np.zeros(blocks.max() + 1, np.int64)
    np.add.at(counts, blocks, np.count_nonzero(mask, axis=(1, 2)))
    return counts
