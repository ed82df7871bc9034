"""Compressed tiles in memory: land cover and masks of all tiles, which are read many times."""

import zlib
from collections.abc import Iterable

import numpy as np

LEVEL = 1  # the fastest; patches of one class become a few per cent of their size


class CompressedTiles:
    """Tiles of one shape and dtype, each compressed; a slice of them is an array.

    Args:
        parts: arrays (n, y, x), one after the other.
    """

    def __init__(self, parts: Iterable[np.ndarray]):
        self._tiles: list[bytes] = []
        for part in parts:
            self._shape, self._dtype = part.shape[1:], part.dtype
            self._tiles += [zlib.compress(np.ascontiguousarray(tile), LEVEL) for tile in part]

    def __len__(self) -> int:
        return len(self._tiles)

    def __getitem__(self, tiles: slice) -> np.ndarray:
        """These tiles, (n, y, x)."""
        flat = b"".join(map(zlib.decompress, self._tiles[tiles]))
        return np.frombuffer(flat, self._dtype).reshape(-1, *self._shape)
