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


def rank_groups(
    passes: Passes, known: np.ndarray, target: np.ndarray, limit: int = LIMIT
) -> list[Ranking]:
    """Ranking statistics of every group, equal to those of all its pixels in memory.

    Args:
        passes: each call reads all pixels again, in parts: values (n,) float32, finite, and codes
            (n,) unsigned.
        known, target: (codes, groups) bool, codes whose pixels are compared with a group, and those
            among them that are its target.
        limit: pixels that are held in memory, at 8 bytes each.
    """
    members = np.hstack([known, target])
    bins, codes = _count(passes, len(members))
    totals = codes @ members.astype(np.int64)
    groups = known.shape[1]
    curves = [Curve(*pair) for pair in zip(totals[:groups], totals[groups:], strict=True)]
    for keys, counts in _whole_ties(_parts(passes, bins, members, limit)):
        for group, curve in enumerate(curves):
            curve.add(keys, counts[:, group], counts[:, groups + group])
    return [curve.ranking() for curve in curves]


def _count(passes: Passes, codes: int) -> tuple[np.ndarray, np.ndarray]:
    """Number of pixels in each bin, (65536,), and of each code, (codes,), int64."""
    of_bin, of_code = np.zeros(BIN_SIZE, np.int64), np.zeros(codes, np.int64)
    for values, found in passes():
        of_bin += np.bincount(sort_keys(values) >> BIN_BITS, minlength=BIN_SIZE)
        of_code += np.bincount(found, minlength=codes)
    return of_bin, of_code


def _parts(passes: Passes, bins: np.ndarray, members: np.ndarray, limit: int) -> Iterator[Part]:
    """Keys, descending, and their counts by column; equal keys may be in successive parts."""
    for low, high in _slices(bins, limit):
        size = int(bins[low : high + 1].sum())
        if size > limit:
            yield _count_values(passes, low, members)
            continue
        packed = _collect(passes, low, high, size)
        for stop in range(size, 0, -PIECE):
            yield tally(packed[max(stop - PIECE, 0) : stop], members)


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


def _count_values(passes: Passes, number: int, members: np.ndarray) -> Part:
    """Counts of the values of one bin, without holding its pixels."""
    counts = np.zeros((BIN_SIZE, members.shape[1]), np.int64)
    for values, codes in passes():
        keys = sort_keys(values)
        inside = keys >> BIN_BITS == number
        lower, of_pixel = keys[inside] % BIN_SIZE, members[codes[inside]]
        for column in range(members.shape[1]):
            counts[:, column] += np.bincount(lower[of_pixel[:, column]], minlength=BIN_SIZE)
    keys = (np.uint32(number) << BIN_BITS) + np.arange(BIN_SIZE, dtype=np.uint32)
    return keys[::-1], counts[::-1]


def _whole_ties(parts: Iterable[Part]) -> Iterator[Part]:
    """Join equal keys of successive parts: the last one is held back until the next is known."""
    held = np.empty(0, np.uint32), np.empty((0, 1), np.int64)
    for keys, counts in parts:
        if held[0].size and held[0][0] == keys[0]:
            counts = np.vstack([counts[:1] + held[1], counts[1:]])
        elif held[0].size:
            keys, counts = np.append(held[0], keys), np.vstack([held[1], counts])
        held = keys[-1:], counts[-1:]
        yield keys[:-1], counts[:-1]
    if held[0].size:
        yield held
