"""How well each method's attribution finds the target groups on the test tiles.

The rule was fixed beforehand and is the same for every method: one threshold in the method's own
unit, which maximises the pooled IoU on the validation tiles, is applied unchanged to the test
tiles. No metric of the test tiles chooses anything.

Tiles are read span by span, several times: first to rank their pixels, then for what is counted in
each tile by itself. No memory grows with the pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wildlens.evaluate import tile_metrics
from wildlens.evaluate.block_counts import BlockCounts
from wildlens.evaluate.intervals import interval
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
from wildlens.evaluate.samples import Read, Sample
from wildlens.evaluate.streaming import rank_groups
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
            two methods can be subtracted (target group only).
    """

    method: str
    group: TargetGroup
    threshold: float
    metrics: dict[str, float]
    rules: list[dict]
    by_tile: dict[str, np.ndarray]
    replicates: dict[str, np.ndarray]


def rank_sample(groups: Sequence[TargetGroup], sample: Sample, read: Read) -> list[Ranking]:
    """Ranking statistics of each group on all tiles of a sample.

    Args:
        read: reads the attribution of a slice of the tiles.
    """
    tables = [group.table(sample) for group in groups]
    known, target = (np.stack(masks, axis=1) for masks in zip(*tables, strict=True))
    return rank_groups(lambda: _compared_pixels(sample, read), known, target)


def _compared_pixels(sample: Sample, read: Read) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Values and codes of all pixels whose land cover some reference knows, in parts."""
    for tiles in sample.spans():
        codes = sample.codes(tiles)
        compared = codes > 0
        yield read(tiles)[compared], codes[compared]


def choose_thresholds(groups: Sequence[TargetGroup], validation: Sample, read: Read) -> list[float]:
    """The threshold of each group with the highest pooled IoU on the validation tiles.

    Args:
        read: reads the attribution of a slice of these tiles.
    """
    return [ranking.best_threshold for ranking in rank_sample(groups, validation, read)]


def compare(
    method: str,
    groups: Sequence[TargetGroup],
    thresholds: Sequence[float],
    read: Read,
    test: Sample,
    tile_shares: Mapping[str, Sequence[float]],
) -> list[Comparison]:
    """Compare one method with target groups.

    Args:
        thresholds: one per group; read: reads the attribution of a slice of the test tiles.
        tile_shares: reference -> shares of the further rules for its target group: `top_shares`,
            and last the target's share of the validation tiles. References that are missing here
            have no further rules, nor any interval of the rankings.
    """
    rankings, collected = rank_sample(groups, test, read), []
    for group, threshold, ranking in zip(groups, thresholds, rankings, strict=True):
        shares = tile_shares.get(group.reference) if group.name == TARGETS else None
        collected.append(_Collected(group, threshold, ranking, test, shares))
    for tiles in test.spans():
        values = read(tiles)
        for one in collected:
            one.add(values, tiles)
    return [one.comparison(method) for one in collected]


class _Collected:
    """What is counted in each tile by itself, for one method and group, span by span.

    Args:
        shares: of the further rules; None: the threshold from the validation tiles alone.
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
        self._table = group.table(test)
        self._judged = shares is not None
        self._rules = tile_rules(list(shares[:-1]), shares[-1]) if shares is not None else {}
        self._marked = {name: [] for name in (VALIDATION, *self._rules)}
        self._by_tile = {"auroc": [], "average_precision": [], "pointing_game": []}
        blocks = int(test.blocks.max()) + 1 if self._judged else 0
        self._blocks = BlockCounts(ranking.cuts, blocks)

    def add(self, values: np.ndarray, tiles: slice) -> None:
        """Add a slice of the test tiles with their values (tile, y, x) float32."""
        codes = self._test.codes(tiles)
        known, target = (table[codes] for table in self._table)
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
            metrics[f"{name}_low"], metrics[f"{name}_high"] = interval(metrics[name], of_name)
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


def target_thresholds(comparisons: Sequence[Comparison]) -> dict[tuple[str, str], float]:
    """(reference, method) -> threshold of the target group."""
    return {
        (c.group.reference, c.method): c.threshold for c in comparisons if c.group.name == TARGETS
    }
