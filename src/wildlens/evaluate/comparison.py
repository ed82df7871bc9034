"""Comparison of one method with one target group, collected span by span of the test tiles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wildlens.evaluate import tile_metrics
from wildlens.evaluate.block_counts import BlockCounts
from wildlens.evaluate.intervals import with_interval
from wildlens.evaluate.ranking import Ranking
from wildlens.evaluate.rules import (
    OTSU,
    VALIDATION,
    count_marked,
    join_marked,
    masks_by_tile,
    outcome,
    tile_rules,
)
from wildlens.evaluate.samples import Sample
from wildlens.evaluate.target_groups import TargetGroup


@dataclass(frozen=True)
class Comparison:
    """One method compared with one target group on the test tiles.

    Attributes:
        threshold: in the method's unit, chosen on validation tiles; infinity if none separates.
        metrics: column of groups.csv, and for the target group of methods.csv -> value.
        rules: rows of rules.csv (target group only).
        by_tile: column of tiles.csv -> (tile,) values (target group only).
        replicates: metric -> (blocks,) values without one block each, NaN where undefined; those of
            two methods can be subtracted (target group only).
    """

    method: str
    group: TargetGroup
    threshold: float
    metrics: dict[str, float]
    rules: list[dict]
    by_tile: dict[str, np.ndarray]
    replicates: dict[str, np.ndarray]


class Collector:
    """Counts and metrics of each tile by itself, from which a comparison is made.

    Args:
        threshold: chosen on the validation tiles; ranking: of all pixels of the test tiles.
        shares: of the further rules, that of the target last; None: the threshold from the
            validation tiles is the only rule, and no interval of the rankings is needed.
    """

    def __init__(
        self,
        group: TargetGroup,
        threshold: float,
        ranking: Ranking,
        test: Sample,
        shares: Sequence[float] | None,
    ):
        self._group, self._threshold, self._ranking, self._test = group, threshold, ranking, test
        self._judged = shares is not None
        self._rules = tile_rules(list(shares[:-1]), shares[-1]) if shares is not None else {}
        self._marked = {name: [] for name in (VALIDATION, *self._rules)}
        self._by_tile = {"auroc": [], "average_precision": [], "pointing_game": []}
        blocks = int(test.blocks.max()) + 1 if self._judged else 0
        self._blocks = BlockCounts(ranking.cuts, blocks)

    def add(self, values: np.ndarray, tiles: slice) -> None:
        """Add a slice of the test tiles with their values, (tile, y, x) float32."""
        known, target = self._group.masks(self._test, tiles)
        # a map without contrast marks nothing, wherever its one value lies
        high = (values >= np.float32(self._threshold)) & known & (not self._ranking.constant)
        self._marked[VALIDATION].append(count_marked(high, known, target))
        if not self._judged:
            return
        valid = self._test.valid[tiles]
        for name, rule in self._rules.items():
            # a tile's threshold is of all its valid pixels: unknown land cover does not move it
            high = masks_by_tile(values, valid, rule) & known
            self._marked[name].append(count_marked(high, known, target))
        auroc, precision = tile_metrics.tile_rankings(values, known, target)
        self._by_tile["auroc"].append(auroc)
        self._by_tile["average_precision"].append(precision)
        self._by_tile["pointing_game"].append(tile_metrics.pointing_game(values, known, target))
        blocks = self._test.blocks[tiles]
        for tile, of_tile, hit, block in zip(values, known, target, blocks, strict=True):
            self._blocks.add(tile[of_tile], hit[of_tile], block)

    def comparison(self, method: str) -> Comparison:
        """The comparison, when all tiles have been added."""
        blocks, ranking = self._test.blocks, self._ranking
        marked = {name: join_marked(parts) for name, parts in self._marked.items()}
        outcomes = {name: outcome(counts, blocks) for name, counts in marked.items()}
        counts, fixed = marked[VALIDATION], outcomes[VALIDATION]
        metrics = {
            "tiles": len(blocks),
            "blocks": int(blocks.max()) + 1,
            "pixels": int(counts.known.sum()),
            "auroc": ranking.auroc,
            "average_precision": ranking.average_precision,
            "target_share": counts.target.sum() / counts.known.sum(),
            "threshold": self._threshold,
            **fixed.metrics,
            "iou_ceiling": self._group.ceiling,
        }
        if not self._judged:
            return Comparison(method, self._group, self._threshold, metrics, [], {}, {})
        by_tile = {
            "pixels": counts.known,
            "target_share": counts.target / np.maximum(counts.known, 1),
            "iou": fixed.by_tile,
        } | {name: np.concatenate(parts) for name, parts in self._by_tile.items()}
        replicates = dict(
            zip(("auroc", "average_precision"), self._blocks.replicates(), strict=True)
        )
        for name, source in (("auroc_tiles", "auroc"), ("pointing_game", "pointing_game")):
            metrics[name] = tile_metrics.mean(by_tile[source])
            replicates[name] = tile_metrics.mean_replicates(by_tile[source], blocks)
        for name, of_name in replicates.items():
            metrics |= with_interval(name, metrics[name], of_name)
        replicates |= {"iou": fixed.iou, "iou_tiles": fixed.iou_tiles}
        metrics |= {"rule": VALIDATION, "iou_otsu": outcomes[OTSU].metrics["iou"]}
        rules = [
            {
                "rule": n,
                "threshold": self._threshold if n == VALIDATION else np.nan,
                **found.metrics,
            }
            for n, found in outcomes.items()
        ]
        return Comparison(method, self._group, self._threshold, metrics, rules, by_tile, replicates)
