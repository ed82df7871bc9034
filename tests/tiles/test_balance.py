"""Tests that balancing leaves out tiles of frequent classes from training only."""

import numpy as np
import pytest

from wildlens.tiles.balance import surplus


@pytest.mark.parametrize("seed", range(8))
def test_balance_limits_the_ratio_to_the_rarest(seed):
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), random.integers(1, 60, 3))
    random.shuffle(labels)
    ratio = random.uniform(1, 4)
    before = np.bincount(labels)
    after = np.bincount(labels[~surplus(labels, ratio, seed)])
    most = int(ratio * before.min())
    assert np.array_equal(after, np.minimum(before, most))


def test_balance_is_random_and_reproducible():
    labels = np.array([0] * 50 + [1] * 10)
    first, again, other = (surplus(labels, 1, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert not first[50:].any()
    assert not surplus(labels, 5, 0).any()
    assert surplus(labels[:0], 2, 0).shape == (0,)
