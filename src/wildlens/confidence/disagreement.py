"""disagreement.csv: whether pixels on which members disagree are wrong more often than others.

Two measures: the standard deviation of the members' attribution, in quarters whose limits are those
of the validation tiles; and the share of members in the minority over whether a pixel is high.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from wildlens.errors import WildLensError
from wildlens.evaluate.intervals import (
    difference_interval,
    leave_one_out,
    ratio,
    with_interval,
)
from wildlens.evaluate.ranking import sort_keys, values_of
from wildlens.evaluate.samples import Read, Sample, attribution_reader
from wildlens.evaluate.target_groups import TargetGroup
from wildlens.files.member_bands import AGREEMENT, SD

QUARTERS = 4
MINORITY = "minority"
MOST_LEVELS = 101  # different shares of members in the minority
BIN_BITS = np.uint32(16)


def has_members(store: xr.Dataset) -> bool:
    """Whether a store of attributions is that of several members."""
    return SD in store and AGREEMENT in store


@dataclass(frozen=True)
class Measure:
    """A measure of the members' disagreement, and groups of pixels by it.

    Attributes:
        read: reads its values of a slice of the test tiles.
        starts: (groups - 1,) values from which each group but the first begins, ascending.
        lowest: (groups,) lowest value of each group, for the table; NaN = none is stated.
    """

    read: Read
    starts: np.ndarray
    lowest: np.ndarray


def disagreement_rows(
    method: str,
    store: xr.Dataset,
    groups: Sequence[TargetGroup],
    thresholds: Sequence[float],
    samples: Mapping[str, Sample],
) -> list[dict]:
    """Rows of disagreement.csv of one method whose store `has_members`.

    Args:
        groups: the target group by each reference; thresholds: one for each, from the validation
            tiles; samples: "val" and "test".
    """
    test, validation = samples["test"], samples["val"]
    read = attribution_reader(store, test.names)
    limits = quantiles(validation, attribution_reader(store, validation.names, SD), QUARTERS)
    spread = attribution_reader(store, test.names, SD)
    share = attribution_reader(store, test.names, AGREEMENT)
    levels = _minority_levels(method, test, share)
    measures = {
        SD: Measure(spread, limits, np.append(np.nan, limits)),
        # groups part in the middle between shares, which are rounded
        MINORITY: Measure(_minority(share), (levels[1:] + levels[:-1]) / 2, levels),
    }
    return [
        {"method": method, "reference": group.reference, "measure": measure} | row
        for group, threshold in zip(groups, thresholds, strict=True)
        for measure, one in measures.items()
        for row in _rows(test, group, threshold, read, one)
    ]


def quantiles(sample: Sample, read: Read, parts: int) -> np.ndarray:
    """Values that part the pixels of a sample into equal parts, (parts - 1,) float32, ascending.

    Exact to 1 %: pixels are counted by the upper 16 bits of their values, so that none is kept.
    Equal limits occur where many pixels have one value.
    """
    counts = np.zeros(2**16, np.int64)
    for tiles in sample.spans():
        values = read(tiles)
        keys = sort_keys(values[np.isfinite(values) & sample.valid[tiles]])
        counts += np.bincount(keys >> BIN_BITS, minlength=len(counts))
    wanted = counts.sum() * np.arange(1, parts) / parts
    bins = np.searchsorted(np.cumsum(counts), wanted)
    return values_of(bins.astype(np.uint32) << BIN_BITS)


def _minority(read: Read) -> Read:
    """Reader of the share of members in the minority, from that of the agreement; 0..0.5."""

    def minority(tiles: slice) -> np.ndarray:
        share = read(tiles)
        return np.minimum(share, 1 - share)

    return minority


def _minority_levels(method: str, sample: Sample, read: Read) -> np.ndarray:
    """The shares of members in the minority that occur, (levels,) float32, ascending."""
    found: set[float] = set()
    minority = _minority(read)
    for tiles in sample.spans():
        values = minority(tiles)
        # of N members the shares are multiples of 1 / N, up to rounding
        found.update(np.unique(np.round(values[np.isfinite(values)], 5)).tolist())
        if len(found) > MOST_LEVELS:
            raise WildLensError(
                f"attribution '{method}': its {AGREEMENT} has more than {MOST_LEVELS} different"
                " values, which no number of members gives; make it with wildlens"
                " combine-attributions"
            )
    return np.array(sorted(found), np.float32)


def _rows(
    test: Sample,
    group: TargetGroup,
    threshold: float,
    read: Read,
    measure: Measure,
) -> list[dict]:
    """Error rate in each group of pixels, least disagreement first; empty groups are left out."""
    counts = _count(test, group, threshold, read, measure)
    pixels, wrong = counts[:, :, 0], counts[:, :, 1]
    rates = ratio(wrong.sum(axis=0), pixels.sum(axis=0))
    replicates = ratio(leave_one_out(wrong), leave_one_out(pixels))
    present = np.flatnonzero(pixels.sum(axis=0))
    rows = []
    for number in present:
        first = present[0]
        difference = np.nan if number == first else rates[number] - rates[first]
        of_both = replicates[:, number] - replicates[:, first]
        total = pixels[:, number].sum()
        rows.append(
            {
                "group": int(number) + 1,
                "from": measure.lowest[number],
                "pixels": int(total),
                "target_share": counts[:, number, 2].sum() / total,
                "share_high": counts[:, number, 3].sum() / total,
            }
            | with_interval("error_rate", rates[number], replicates[:, number])
            | with_interval("error_minus_first", difference, of_both, difference_interval)
        )
    return rows


def _count(
    test: Sample,
    group: TargetGroup,
    threshold: float,
    read: Read,
    measure: Measure,
) -> np.ndarray:
    """Pixels, wrong ones, those of the target and high ones: (blocks, groups, 4) float64."""
    shape = (int(test.blocks.max()) + 1, len(measure.starts) + 1)
    counts = np.zeros((4, shape[0] * shape[1]))
    for tiles in test.spans():
        values, spread = read(tiles), measure.read(tiles)
        known, target = group.masks(test, tiles)
        known = known & np.isfinite(spread)
        high = (values >= np.float32(threshold))[known]
        block = np.broadcast_to(test.blocks[tiles][:, None, None], known.shape)[known]
        of_pixel = np.searchsorted(measure.starts, spread[known], side="right")
        cell = np.ravel_multi_index((block, of_pixel), shape)
        target = target[known]
        weights = (np.ones(len(cell)), high != target, target, high)
        counts += [np.bincount(cell, w, minlength=counts.shape[1]) for w in weights]
    return np.moveaxis(counts.reshape(4, *shape), 0, 2)
