"""How well each method's attribution finds the target groups on the test tiles.

The rule was fixed beforehand and is the same for every method: one threshold in the method's own
unit, which maximises the pooled IoU on the validation tiles, is applied unchanged to the test
tiles. No metric of the test tiles chooses anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wildlens.evaluate import tile_metrics
from wildlens.evaluate.intervals import interval
from wildlens.evaluate.ranking import Ranking
from wildlens.evaluate.rules import OTSU, VALIDATION, Outcome, masks_by_tile, outcome, tile_rules
from wildlens.evaluate.samples import Sample
from wildlens.evaluate.target_groups import TARGETS, TargetGroup


@dataclass(frozen=True)
class Comparison:
    """One method compared with one target group on the test tiles.

    Attributes:
        threshold: in the method's unit, chosen on validation tiles; infinity if none separates.
        metrics: column of groups.csv, and for the target group of methods.csv -> value.
        rules: rows of rules.csv (target group only).
        by_tile: column of tiles.csv -> (tile,) values (target group only).
        replicates: metric -> (blocks,) values without one block each, NaN where undefined; those of
            two methods can be subtracted.
    """

    method: str
    group: TargetGroup
    threshold: float
    metrics: dict[str, float]
    rules: list[dict]
    by_tile: dict[str, np.ndarray]
    replicates: dict[str, np.ndarray]


def choose_threshold(group: TargetGroup, validation: Sample, ranking: Ranking) -> float:
    """The threshold with the highest pooled IoU on the validation tiles.

    Args:
        ranking: of all valid pixels of the validation tiles.
    """
    known, target = group.masks(validation)
    return ranking.within(known).best_threshold(target)


def compare(
    method: str,
    group: TargetGroup,
    threshold: float,
    values: np.ndarray,
    ranking: Ranking,
    test: Sample,
    weights: np.ndarray,
    tile_shares: Sequence[float] | None,
) -> Comparison:
    """Compare one method with one target group.

    Args:
        values: (tile, y, x) float32 of the test tiles, NaN = missing; ranking: of their valid
            pixels.
        weights: (replicates, blocks) of the test tiles' blocks, see `intervals.leave_one_out`.
        tile_shares: shares of the further rules for the target group: `top_shares`, and last the
            target's share of the validation tiles. None for other groups.
    """
    known, target = group.masks(test)
    ranking = ranking.within(known)
    # a map without contrast marks nothing, wherever its one value lies
    high = (values >= np.float32(threshold)) & known & (not ranking.constant)
    fixed = outcome(high, known, target, test.blocks, weights)
    metrics = {
        "tiles": len(values),
        "blocks": weights.shape[1],
        "pixels": np.count_nonzero(known),
        "auroc": ranking.auroc(target),
        "average_precision": ranking.average_precision(target),
        "target_share": np.count_nonzero(target) / np.count_nonzero(known),
        "threshold": threshold,
        **fixed.metrics,
        "iou_ceiling": group.ceiling,
    }
    if tile_shares is None:
        return Comparison(method, group, threshold, metrics, [], {}, {})
    outcomes = {VALIDATION: fixed}
    for name, rule in tile_rules(tile_shares[:-1], tile_shares[-1]).items():
        # a tile's threshold is of all its valid pixels: unknown land cover does not move it
        marked = masks_by_tile(values, test.valid, rule) & known
        outcomes[name] = outcome(marked, known, target, test.blocks, weights)
    by_tile = _by_tile(values, known, target, fixed)
    replicates = _replicates(ranking, target, by_tile, test.blocks, weights)
    replicates |= {"iou": fixed.iou, "iou_tiles": fixed.iou_tiles}
    metrics |= {
        "auroc_tiles": tile_metrics.mean(by_tile["auroc"]),
        "pointing_game": tile_metrics.mean(by_tile["pointing_game"]),
    }
    for name in ("auroc", "average_precision", "auroc_tiles", "pointing_game"):
        low_high = interval(metrics[name], replicates[name])
        metrics[f"{name}_low"], metrics[f"{name}_high"] = low_high
    metrics |= {"rule": VALIDATION, "iou_otsu": outcomes[OTSU].metrics["iou"]}
    rules = [
        {"rule": name, "threshold": threshold if name == VALIDATION else np.nan, **found.metrics}
        for name, found in outcomes.items()
    ]
    return Comparison(method, group, threshold, metrics, rules, by_tile, replicates)


def target_thresholds(comparisons: Sequence[Comparison]) -> dict[tuple[str, str], float]:
    """(reference, method) -> threshold of the target group."""
    return {
        (c.group.reference, c.method): c.threshold for c in comparisons if c.group.name == TARGETS
    }


def target_share(group: TargetGroup, sample: Sample) -> float:
    """Share of a group among the pixels that its reference knows."""
    known, target = group.masks(sample)
    return np.count_nonzero(target) / np.count_nonzero(known)


def _by_tile(
    values: np.ndarray, known: np.ndarray, target: np.ndarray, fixed: Outcome
) -> dict[str, np.ndarray]:
    pixels = np.count_nonzero(known, axis=(1, 2))
    auroc, precision = tile_metrics.tile_rankings(values, known, target)
    return {
        "pixels": pixels,
        "target_share": np.count_nonzero(target, axis=(1, 2)) / np.maximum(pixels, 1),
        "iou": fixed.by_tile,
        "auroc": auroc,
        "average_precision": precision,
        "pointing_game": tile_metrics.pointing_game(values, known, target),
    }


def _replicates(
    ranking: Ranking,
    target: np.ndarray,
    by_tile: dict[str, np.ndarray],
    blocks: np.ndarray,
    weights: np.ndarray,
) -> dict[str, np.ndarray]:
    of_pixel = np.broadcast_to(blocks[:, None, None], target.shape)
    auroc, precision = ranking.replicates(target, of_pixel, weights)
    tiles = {"auroc_tiles": by_tile["auroc"], "pointing_game": by_tile["pointing_game"]}
    return {"auroc": auroc, "average_precision": precision} | {
        name: tile_metrics.mean_replicates(metric, blocks, weights)
        for name, metric in tiles.items()
    }
