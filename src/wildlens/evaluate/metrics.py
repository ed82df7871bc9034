"""How well each method's attribution finds the target groups on the test tiles.

The rule was fixed beforehand and is the same for every method: one threshold in the method's own
unit, which maximises the pooled IoU on the validation tiles, is applied unchanged to the test
tiles. No metric of the test tiles chooses anything.

Tiles are read span by span, several times: first to rank their pixels, then for what is counted in
each tile by itself. No memory grows with the pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from wildlens.evaluate.comparison import Collector, Comparison
from wildlens.evaluate.ranking import Ranking
from wildlens.evaluate.samples import LEVELS, Read, Sample
from wildlens.evaluate.streaming import rank_groups
from wildlens.evaluate.target_groups import TARGETS, TargetGroup, in_group


def rank_sample(groups: Sequence[TargetGroup], sample: Sample, read: Read) -> list[Ranking]:
    """Ranking statistics of each group on all tiles of a sample.

    Args:
        read: reads the attribution of a slice of the tiles.
    """
    found = {}
    for reference in dict.fromkeys(group.reference for group in groups):
        of_reference = [group for group in groups if group.reference == reference]
        targets = [in_group(np.arange(LEVELS), group.codes) for group in of_reference]
        passes = partial(_known_pixels, sample, reference, read)
        rankings = rank_groups(passes, np.stack(targets))
        for group, ranking in zip(of_reference, rankings, strict=True):
            found[reference, group.name] = ranking
    return [found[group.reference, group.name] for group in groups]


def _known_pixels(
    sample: Sample, reference: str, read: Read
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Values and classes of all pixels that the reference knows, in parts."""
    for tiles in sample.spans():
        classes = sample.classes(reference, tiles)
        known = classes > 0
        yield read(tiles)[known], classes[known]


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
        collected.append(Collector(group, threshold, ranking, test, shares))
    for tiles in test.spans():
        values = read(tiles)
        for one in collected:
            one.add(values, tiles)
    return [one.comparison(method) for one in collected]


def target_thresholds(comparisons: Sequence[Comparison]) -> dict[tuple[str, str], float]:
    """(reference, method) -> threshold of the target group."""
    return {
        (c.group.reference, c.method): c.threshold for c in comparisons if c.group.name == TARGETS
    }
