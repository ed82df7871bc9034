"""Compressed tiles give back what they were made of."""

import numpy as np
import pytest

from wildlens.evaluate.compressed import CompressedTiles


@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_slices_equal_those_of_the_array(dtype):
    tiles = np.random.default_rng(0).integers(0, 2, (7, 5, 3)).astype(dtype)
    kept = CompressedTiles([tiles[:4], tiles[4:]])
    assert len(kept) == 7
    for part in (slice(None), slice(2, 5), slice(6, 20), slice(3, 3)):
        found = kept[part]
        assert found.dtype == dtype and np.array_equal(found, tiles[part])
