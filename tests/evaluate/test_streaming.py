"""Ranking statistics in passes: equal to a naive float64 version, whatever fits in memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wildlens.evaluate.ranking import sort_keys, values_of
from wildlens.evaluate.streaming import rank_groups

TARGETS = np.array([[True, False, False, True], [False, False, True, True]])  # (groups, codes)


def naive(values, target):
    """AUROC, average precision and best threshold, from all pairs and all thresholds."""
    values = values.astype(np.float64)
    hits, misses = values[target], values[~target]
    above = hits[:, None] > misses
    auroc = (above + 0.5 * (hits[:, None] == misses)).mean() if above.size else np.nan
    precision, best, recall = 0.0, (-1.0, np.inf), 0.0
    for threshold in np.unique(values)[::-1]:
        high = values >= threshold
        found = (high & target).sum()
        precision += (found / max(len(hits), 1) - recall) * found / high.sum()
        recall = found / max(len(hits), 1)
        best = max(best, (found / (high | target).sum(), threshold), key=lambda pair: pair[0])
    separable = len(np.unique(values)) > 1
    return auroc, precision if len(hits) else np.nan, best[1] if separable else np.inf


def draw(kind, size, rng):
    noise = rng.normal(0, 1, size)
    values = {
        "continuous": noise,
        "few values": rng.integers(-2, 3, size) / 4,
        "mostly zero": np.where(rng.random(size) < 0.8, 0, noise),
        "both zeros": rng.choice([0.0, -0.0, 1.0, -1.0], size),
        "constant": np.full(size, -0.25),
        "one bin": 1 + rng.integers(0, 50, size) * 2.0**-23,
        "all magnitudes": noise * 10.0 ** rng.integers(-44, 38, size),
    }
    return values[kind].astype(np.float32)


KINDS = [
    "continuous", "few values", "mostly zero", "both zeros", "constant", "one bin",
    "all magnitudes",
]  # fmt: skip


@given(
    kind=st.sampled_from(KINDS),
    size=st.integers(1, 120),
    limit=st.integers(1, 200),
    seed=st.integers(0, 1000),
)
@example(kind="mostly zero", size=100, limit=3, seed=0)
@settings(max_examples=200, deadline=None)
def test_groups_equal_a_naive_version_for_any_limit(kind, size, limit, seed):
    rng = np.random.default_rng(seed)
    values, codes = draw(kind, size, rng), rng.integers(0, 4, size).astype(np.uint16)
    parts = np.array_split(np.arange(size), 3)
    passes = lambda: ((values[part], codes[part]) for part in parts)  # noqa: E731
    for group, ranking in enumerate(rank_groups(passes, TARGETS, limit)):
        target = TARGETS[group, codes]
        expected = naive(values, target)
        assert ranking.constant == (len(np.unique(values)) < 2)
        assert ranking.auroc == pytest.approx(expected[0], abs=1e-12, nan_ok=True)
        assert ranking.average_precision == pytest.approx(expected[1], abs=1e-12, nan_ok=True)
        if target.any():
            assert ranking.best_threshold == expected[2]


@pytest.mark.parametrize("kind", KINDS)
def test_statistics_do_not_depend_on_the_limit(kind):
    rng = np.random.default_rng(1)
    values, codes = draw(kind, 300_000, rng), rng.integers(0, 4, 300_000).astype(np.uint16)
    passes = lambda: [(values, codes)]  # noqa: E731
    for small, large in zip(
        rank_groups(passes, TARGETS, 20_000),
        rank_groups(passes, TARGETS, 2**20),
        strict=True,
    ):
        assert small.auroc == large.auroc and small.best_threshold == large.best_threshold
        assert small.average_precision == pytest.approx(large.average_precision, abs=1e-12)
        assert np.array_equal(small.cuts, large.cuts)


def test_no_pixel_at_all_is_undefined():
    (ranking, _) = rank_groups(list, TARGETS)
    assert np.isnan(ranking.auroc) and np.isnan(ranking.average_precision) and ranking.constant


def test_keys_have_the_order_of_values():
    rng = np.random.default_rng(2)
    values = np.sort(np.append(draw("all magnitudes", 5000, rng), draw("both zeros", 9, rng)))
    keys = sort_keys(values)
    assert np.array_equal(np.diff(keys.astype(np.int64)) > 0, np.diff(values) > 0)
    assert np.array_equal(values_of(keys), values)


def peak_of(parts, limit=2**14):
    """Largest memory of a ranking whose passes draw this many parts, bytes."""

    def passes():
        rng = np.random.default_rng(3)
        for _ in range(parts):
            yield draw("mostly zero", 2**14, rng), rng.integers(0, 4, 2**14).astype(np.uint8)

    tracemalloc.start()
    rank_groups(passes, TARGETS, limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_pixels():
    assert peak_of(40) < 1.1 * peak_of(10)
