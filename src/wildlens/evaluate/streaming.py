"""Ranking statistics of more pixels than fit in memory: exact, in passes over the tiles.

The first pass counts pixels by the upper 16 bits of their keys, which order them (`sort_keys`).
Neighbouring bins with at most `LIMIT` pixels together are a slice; each slice is collected in a
pass of its own, sorted, and added to the curves of all groups. A bin with more pixels than that,
such as the zeros of a map, holds no more than 65,536 different values, which are counted instead.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from wildlens.evaluate.ranking import Curve, Ranking, pack, sort_keys, tally

LIMIT = 2**25  # pixels that are sorted at once: 8 bytes each
PIECE = 2**18  # pixels that are tallied at once
BIN_BITS = np.uint32(16)
BIN_SIZE = 2**16
Passes = Callable[[], Iterable[tuple[np.ndarray, np.ndarray]]]
Part = tuple[np.ndarray, np.ndarray]


def rank_groups(passes: Passes, targets: np.ndarray, limit: int = LIMIT) -> list[Ranking]:
    """Ranking statistics of every group, equal to those of all pixels in memory.

    Args:
        passes: each call reads all pixels again, in parts: values (n,) float32, finite, and codes
            (n,) unsigned.
        targets: (groups, codes) bool, codes of the target of each group.
        limit: pixels that are held in memory, at 8 bytes each.
    """
    bins, codes = _count(passes, targets.shape[1])
    curves = [Curve(codes.sum(), codes[target].sum()) for target in targets]
    for keys, counts in _whole_ties(_parts(passes, bins, targets, limit)):
        for curve, hits in zip(curves, counts[1:], strict=True):
            curve.add(keys, counts[0], hits)
    return [curve.ranking() for curve in curves]


def _count(passes: Passes, codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Number of pixels in each bin, (65536,), and of each code, (codes,), int64."""
    of_bin, of_code = np.zeros(BIN_SIZE, np.int64), np.zeros(codes, np.int64)
    for values, found in passes():
        of_bin += np.bincount(sort_keys(values) >> BIN_BITS, minlength=BIN_SIZE)
        of_code += np.bincount(found, minlength=codes)
    return of_bin, of_code


def _parts(passes: Passes, bins: np.ndarray, targets: np.ndarray, limit: int) -> Iterator[Part]:
    """Keys, descending, and their counts as of `tally`; a key may be in successive parts."""
    for low, high in _slices(bins, limit):
        size = int(bins[low : high + 1].sum())
        if size > limit:
            yield _count_values(passes, low, targets)
            continue
        packed = _collect(passes, low, high, size)
        for stop in range(size, 0, -PIECE):
            yield tally(packed[max(stop - PIECE, 0) : stop], targets)
        del packed  # before the next slice is collected


def _slices(bins: np.ndarray, limit: int) -> list[tuple[int, int]]:
    """First and last bin of each slice, from the highest; a bin above the limit is one itself."""
    slices, size = [], 0
    for number in np.flatnonzero(bins)[::-1].tolist():
        size += int(bins[number])
        if not slices or size > limit:
            slices.append((number, number))
            size = int(bins[number])
        slices[-1] = (number, slices[-1][1])
    return slices


def _collect(passes: Passes, low: int, high: int, size: int) -> np.ndarray:
    """The pixels of a slice, `size` of them, packed and ascending."""
    packed, filled = np.empty(size, np.uint64), 0
    for values, codes in passes():
        bins = sort_keys(values) >> BIN_BITS
        inside = (bins >= low) & (bins <= high)
        found = pack(values[inside], codes[inside])
        packed[filled : filled + found.size] = found
        filled += found.size
    packed.sort()
    return packed


def _count_values(passes: Passes, number: int, targets: np.ndarray) -> Part:
    """Counts of the values of one bin, without holding its pixels."""
    counts = np.zeros((1 + len(targets), BIN_SIZE), np.int64)
    for values, codes in passes():
        keys = sort_keys(values)
        inside = keys >> BIN_BITS == number
        lower, found = keys[inside] % BIN_SIZE, codes[inside]
        counts[0] += np.bincount(lower, minlength=BIN_SIZE)
        for of_target, target in zip(counts[1:], targets, strict=True):
            of_target += np.bincount(lower[target[found]], minlength=BIN_SIZE)
    keys = (np.uint32(number) << BIN_BITS) + np.arange(BIN_SIZE, dtype=np.uint32)
    return keys[::-1], counts[:, ::-1]


def _whole_ties(parts: Iterable[Part]) -> Iterator[Part]:
    """Join equal keys of successive parts: the last one is held back until the next is known."""
    held = None
    for keys, counts in parts:
        if held is not None:
            keys, counts = np.append(held[0], keys), np.hstack([held[1], counts])
            if keys[0] == keys[1]:
                counts[:, 1] += counts[:, 0]
                keys, counts = keys[1:], counts[:, 1:]
        held = keys[-1:], counts[:, -1:]
        yield keys[:-1], counts[:, :-1]
    if held is not None:
        yield held
