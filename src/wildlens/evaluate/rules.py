"""Rules of what counts as high attribution: rules.csv, one row per method, reference and rule.

The rule that methods are judged by was fixed beforehand: one threshold in the method's own unit,
which maximises the pooled IoU on the validation tiles. The other rules show how much depends on it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from wildlens.evaluate import tile_metrics
from wildlens.evaluate.intervals import pooled_iou, ratio, sum_by_block, with_interval
from wildlens.evaluate.thresholds import mean_sd_threshold, otsu_threshold, top_threshold

VALIDATION = "validation threshold, pooled IoU"
OTSU = "Otsu's threshold of each tile"
MARKS_NOTHING = "no evidence: marks no pixel"
MARKS_ALL = "no evidence: marks every pixel"
Rule = Callable[[np.ndarray], float]


@dataclass(frozen=True)
class Marked:
    """Pixels of each tile by a rule, (tile,) int64 each; all are known to the reference.

    Attributes:
        known: all; target: of the target; high: of high attribution; hits: of both.
    """

    known: np.ndarray
    target: np.ndarray
    high: np.ndarray
    hits: np.ndarray

    @property
    def union(self) -> np.ndarray:
        """(tile,) pixels of the target or of high attribution."""
        return self.target + self.high - self.hits


def count_marked(high: np.ndarray, known: np.ndarray, target: np.ndarray) -> Marked:
    """Count high attribution and a target, both within `known`, (tile, y, x) bool each."""
    masks = (known, target, high, high & target)
    return Marked(*(np.count_nonzero(mask, axis=(1, 2)) for mask in masks))


def join_marked(parts: Sequence[Marked]) -> Marked:
    """The counts of successive tiles in one."""
    return Marked(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Marked)))


@dataclass(frozen=True)
class Outcome:
    """Result of a rule on the test tiles.

    Attributes:
        metrics: column of rules.csv -> value.
        by_tile: (tile,) IoU; NaN for tiles without target, where it is 0 for every map.
        iou, iou_tiles: (blocks,) replicates of the pooled IoU and of the mean over tiles; NaN =
            undefined.
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


def outcome(counts: Marked, blocks: np.ndarray) -> Outcome:
    """Compare high attribution with a target.

    Args:
        counts: of all tiles; blocks: (tile,) int, block of each.
    """
    by_tile = np.where(counts.target > 0, ratio(counts.hits, counts.union), np.nan)
    pooled = pooled_iou(sum_by_block(counts.hits, blocks), sum_by_block(counts.union, blocks))
    of_tiles = tile_metrics.mean_replicates(by_tile, blocks)
    marked, pixels = int(counts.high.sum()), int(counts.known.sum())
    hits, union = int(counts.hits.sum()), int(counts.union.sum())
    metrics = {
        "share_high": marked / pixels,
        "tiles_marked": np.count_nonzero(counts.high),
        "iou": hits / union if union else float("nan"),
        "iou_tiles": tile_metrics.mean(by_tile),
        "tiles_with_target": int(np.isfinite(by_tile).sum()),
        "share_inside": hits / marked if marked else float("nan"),
        "note": {0: MARKS_NOTHING, pixels: MARKS_ALL}.get(marked, ""),
    }
    for name, replicates in (("iou", pooled), ("iou_tiles", of_tiles)):
        metrics |= with_interval(name, metrics[name], replicates)
    return Outcome(metrics, by_tile, pooled, of_tiles)
