"""filtered.csv and filtered_classes.csv: maps of the surest test tiles, method by method.

Confidence-filtered relevance (Emam and Roscher 2025, arXiv 2507.13034): explanations in subsets of
the data by the classifier's uncertainty. Every subset has the threshold of high attribution of all
validation tiles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wildlens.confidence.map_statistics import TileStatistics
from wildlens.confidence.subsets import Subset
from wildlens.evaluate.intervals import (
    difference_interval,
    leave_one_out,
    pooled_iou,
    ratio,
    real_interval,
    sum_by_block,
    with_interval,
)
from wildlens.evaluate.tile_metrics import mean, mean_replicates
from wildlens.legend import CORINE


@dataclass(frozen=True)
class Metric:
    """A metric of a subset of the tiles, and (blocks,) values without one block each."""

    value: float
    replicates: np.ndarray


def filtered_rows(one: TileStatistics, subsets: Sequence[Subset], blocks: np.ndarray) -> list[dict]:
    """Rows of filtered.csv of one method and reference.

    Args:
        subsets: of the test tiles; blocks: (tile,) int.
    """
    rows, everything = [], subset_metrics(one, np.ones(len(blocks), bool), blocks)
    for subset in subsets:
        chosen = subset.chosen
        rows.append(
            _head(one, subset)
            | {"tiles": int(chosen.sum()), "blocks": len(np.unique(blocks[chosen]))}
            | {"threshold": one.threshold, "target_share": _target_share(one, chosen)}
            | _columns(subset_metrics(one, chosen, blocks), everything, chosen.all())
        )
    return rows


def subset_metrics(
    one: TileStatistics, chosen: np.ndarray, blocks: np.ndarray
) -> dict[str, Metric]:
    """Entropy of the maps, IoU and AUROC of some of the tiles, by name.

    Blocks without a chosen tile are replicates, too, so that those of two subsets can be
    subtracted.

    Args:
        chosen: (tile,) bool; blocks: (tile,) int, block of every tile.
    """
    entropies = np.where(chosen, one.entropies, np.nan)
    hits, union = (sum_by_block(n * chosen, blocks) for n in (one.marked.hits, one.marked.union))
    ranked = one.ranked.joined(blocks, chosen)
    return {
        "map_entropy": Metric(mean(entropies), mean_replicates(entropies, blocks)),
        "iou": Metric(
            float(ratio(hits.sum(keepdims=True), union.sum(keepdims=True))[0]),
            pooled_iou(hits, union),
        ),
        "auroc": Metric(ranked.auroc(), ranked.replicates()[0]),
    }


def filtered_class_rows(
    one: TileStatistics, subsets: Sequence[Subset], blocks: np.ndarray
) -> list[dict]:
    """Rows of filtered_classes.csv of one method and reference; arguments as in `filtered_rows`."""
    return [
        _head(one, subset) | row
        for subset in subsets
        for row in class_rows(one, subset.chosen, blocks)
    ]


def class_rows(one: TileStatistics, chosen: np.ndarray, blocks: np.ndarray) -> list[dict]:
    """Mean attribution of each class in some of the tiles, with its interval and its rank."""
    pixels, sums = (sum_by_block(a[chosen], blocks[chosen], blocks.max() + 1) for a in
                    (one.pixels, one.attribution))  # fmt: skip
    present = np.flatnonzero(pixels.sum(axis=0))
    means = ratio(sums.sum(axis=0), pixels.sum(axis=0))
    replicates = ratio(leave_one_out(sums), leave_one_out(pixels))
    rows = []
    for index in present:
        land, own = CORINE.of_index(int(index)), replicates[:, index]
        rows.append(
            {
                "class_code": land.code,
                "class_name": land.name,
                "pixels": int(pixels[:, index].sum()),
            }
            | with_interval("mean_attribution", means[index], own, real_interval)
            | {
                "rank": 1 + int((means[present] > means[index]).sum()),
                "classes": len(present),
            }
        )
    return rows


def _head(one: TileStatistics, subset: Subset) -> dict:
    return {
        "method": one.method,
        "reference": one.reference,
        "measure": subset.measure,
        "share": subset.share,
    }


def _columns(
    metrics: Mapping[str, Metric], everything: Mapping[str, Metric], whole: bool
) -> dict[str, float]:
    """Each metric with its interval, and its difference to all tiles, which is empty for these."""
    row = {}
    for name, metric in metrics.items():
        row |= with_interval(name, metric.value, metric.replicates)
    for name, metric in metrics.items():
        other = everything[name]
        difference = np.nan if whole else metric.value - other.value
        replicates = metric.replicates - other.replicates
        row |= with_interval(f"{name}_minus_all", difference, replicates, difference_interval)
    return row


def _target_share(one: TileStatistics, chosen: np.ndarray) -> float:
    """Share of the target: the IoU of marking every pixel, which differs between subsets."""
    known = one.marked.known[chosen].sum()
    return one.marked.target[chosen].sum() / known if known else float("nan")
