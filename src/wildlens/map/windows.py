"""Cut a scene into pieces that a network can take, without visible seams.

There are two ways. If an output depends on a finite neighbourhood, windows are read with a halo
that is trimmed from the result, which is exact. If it depends on a whole tile, tiles overlap and
their results are averaged with weights that sum to one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from rasterio.windows import Window


@dataclass(frozen=True)
class Piece:
    """One window to read, and its part that is kept.

    Attributes:
        read: window of the scene to read, halo included.
        core: window of the scene that this piece fills.
        inner: (rows, columns) of the core inside the read window.
    """

    read: Window
    core: Window
    inner: tuple[slice, slice]


def halo_pieces(
    height: int,
    width: int,
    *,
    core: int,
    halo: int,
    multiple: int = 1,
    ground: tuple[int, int] = (0, 0),
) -> Iterator[Piece]:
    """Pieces whose cores cover the scene once, row by row.

    Read windows start at the scene's border or at multiples of `multiple` from the CRS's origin,
    since the values of a strided network depend on the alignment; they end at the border or `halo`
    beyond the core.

    Args:
        core: side of the cores, px; rounded up to a multiple of `multiple`.
        halo: px read around a core; a multiple of `multiple`.
        ground: row and column of the scene's first pixel; see `files.ground`.
    """
    if halo % multiple:
        raise ValueError(f"a halo of {halo} px is no multiple of {multiple}")
    core = -(-core // multiple) * multiple
    above, before = (offset % multiple for offset in ground)
    for top, bottom in _cuts(height, core, above):
        rows = max(0, top - halo), min(height, bottom + halo)
        for left, right in _cuts(width, core, before):
            columns = max(0, left - halo), min(width, right + halo)
            inner = (
                slice(top - rows[0], bottom - rows[0]),
                slice(left - columns[0], right - columns[0]),
            )
            yield Piece(_window(rows, columns), _window((top, bottom), (left, right)), inner)


def tile_starts(length: int, size: int, overlap: int, ground: int = 0) -> list[int]:
    """First pixels of tiles of `size` that cover `length` with at least `overlap`.

    Tiles start at multiples of `size - overlap` from the CRS's origin, so that they are the same in
    every file that contains them completely. One more begins at the first border and one ends at
    the last, unless one does already. A length under `size` gives one tile that extends beyond it.

    Args:
        ground: number of the first pixel from the CRS's origin; see `files.ground`.
    """
    if overlap >= size:
        raise ValueError(f"an overlap of {overlap} px leaves no step for tiles of {size} px")
    last, step = max(0, length - size), size - overlap
    return sorted({0, *range(-ground % step, last, step), last})


def tile_weight(size: int, overlap: int) -> np.ndarray:
    """(size, size) float32 weight of a tile: 1 inside, decreasing smoothly over the overlap.

    It begins with a slope of 0 at both ends, so that maps have no step at tile borders. Never 0: a
    pixel at the border of the scene, seen by one tile only, keeps its value once the sum is
    divided by the sum of the weights.
    """
    position = np.arange(size)
    from_edge = np.minimum(position, position[::-1]) + 0.5
    t = np.minimum(1.0, from_edge / max(overlap, 0.5))
    side = t**2 * (3 - 2 * t)  # smoothstep: s(t) + s(1 - t) = 1
    return np.outer(side, side).astype(np.float32)


def _cuts(length: int, size: int, before: int) -> Iterator[tuple[int, int]]:
    """Stretches of `size` that cover a length; the first one began `before` px before it."""
    for start in range(-before, length, size):
        yield max(0, start), min(length, start + size)


def _window(rows: tuple[int, int], columns: tuple[int, int]) -> Window:
    return Window(columns[0], rows[0], columns[1] - columns[0], rows[1] - rows[0])
