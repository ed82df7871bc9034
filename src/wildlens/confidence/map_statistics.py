"""What a method's maps hold in each test tile, from which any subset of the tiles is compared.

One pass over the tiles of a method, span by span; memory grows with the tiles by about 17 kB for
each reference, most of it the counts from which the AUROC of a subset is computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import xlogy

from wildlens.evaluate.block_counts import BlockCounts
from wildlens.evaluate.ranking import Ranking
from wildlens.evaluate.rules import Marked, count_marked, join_marked
from wildlens.evaluate.samples import LEVELS, Read, Sample
from wildlens.evaluate.target_groups import TargetGroup


@dataclass(frozen=True)
class TileStatistics:
    """Statistics of a method's maps against one reference.

    Attributes:
        method, reference: names.
        threshold: of high attribution, from the validation tiles; infinity: nothing is high.
        entropies: (tile,) float64 of `map_entropy`.
        marked: pixels of each tile that are known, of the target, high, and both.
        ranked: counts of each tile by value, for AUROC.
        pixels, attribution: (tile, LEVELS) number of pixels of each class and sum of their values.
    """

    method: str
    reference: str
    threshold: float
    entropies: np.ndarray
    marked: Marked
    ranked: BlockCounts
    pixels: np.ndarray
    attribution: np.ndarray


def tile_statistics(
    method: str,
    groups: Sequence[TargetGroup],
    rankings: Sequence[Ranking],
    read: Read,
    test: Sample,
) -> list[TileStatistics]:
    """Statistics of every test tile, one entry for each group.

    Args:
        groups: the target group by each reference; rankings: one for each, of the validation tiles:
            their threshold is applied, and their values part the bins of the AUROC.
        read: reads the method's values of a slice of the test tiles.
    """
    count = len(test.names)
    # test tiles may have values below all of the validation tiles
    cuts = [np.append(np.uint32(0), ranking.cuts) for ranking in rankings]
    ranked = [BlockCounts(of_group, count) for of_group in cuts]
    marked: list[list[Marked]] = [[] for _ in groups]
    pixels = np.zeros((len(groups), count, LEVELS), np.int64)
    sums = np.zeros((len(groups), count, LEVELS))
    entropies, lowest, highest = np.empty(count), np.inf, -np.inf
    for tiles in test.spans():
        values, valid = read(tiles), test.valid[tiles]
        lowest = min(lowest, values[valid].min(initial=np.inf))
        highest = max(highest, values[valid].max(initial=-np.inf))
        entropies[tiles] = [map_entropy(v[k]) for v, k in zip(values, valid, strict=True)]
        for number, group in enumerate(groups):
            known, target = group.masks(test, tiles)
            high = (values >= np.float32(rankings[number].best_threshold)) & known
            marked[number].append(count_marked(high, known, target))
            classes = test.classes(group.reference, tiles)
            for place, tile in enumerate(range(count)[tiles]):
                of_tile = known[place]
                v, c = values[place][of_tile], classes[place][of_tile]
                ranked[number].add(v, target[place][of_tile], tile)
                pixels[number, tile] = np.bincount(c, minlength=LEVELS)
                sums[number, tile] = np.bincount(c, v, minlength=LEVELS)
    joined = [join_marked(parts) for parts in marked]
    if lowest == highest:  # a map without contrast marks nothing, wherever its one value lies
        nothing = np.zeros(count, np.int64)
        joined = [replace(one, high=nothing, hits=nothing) for one in joined]
    return [
        TileStatistics(
            method, group.reference, float(rankings[k].best_threshold), entropies, joined[k],
            ranked[k], pixels[k], sums[k],
        )
        for k, group in enumerate(groups)
    ]  # fmt: skip


def map_entropy(values: np.ndarray) -> float:
    """Entropy of the distribution of a map's absolute values over its pixels, in 0..1.

    The absolute values are divided by their sum; their entropy is divided by that of an even
    distribution. 1: all pixels have the same value; 0: one pixel has all. NaN for a map of zeros,
    or of fewer than two pixels.

    Args:
        values: (n,) float32, finite.
    """
    sizes = np.abs(values.astype(np.float64))
    total = sizes.sum()
    if len(sizes) < 2 or total == 0:
        return float("nan")
    share = sizes / total
    return float(np.clip(-xlogy(share, share).sum() / np.log(len(sizes)), 0, 1))
