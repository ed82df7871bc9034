"""Thresholds: exact, never through equal values, and none where there is no contrast."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildlens.evaluate.rules import masks_by_tile
from wildlens.evaluate.thresholds import (
    best_threshold,
    iou,
    mean_sd_threshold,
    otsu_threshold,
    top_threshold,
)

# few distinct values, so that ties are the rule
values_and_targets = st.lists(
    st.tuples(st.integers(-3, 4), st.booleans()), min_size=1, max_size=40
).filter(lambda pairs: any(target for _, target in pairs))


@given(values_and_targets)
@settings(max_examples=200, deadline=None)
def test_best_threshold_equals_brute_force(pairs):
    values = np.array([value for value, _ in pairs], np.float32)
    target = np.array([target for _, target in pairs])
    found = best_threshold(values, target)
    if len(np.unique(values)) == 1:
        assert found == np.inf
        return
    by_threshold = {t: iou(values >= t, target) for t in np.unique(values)}
    best = max(by_threshold.values())
    assert by_threshold[np.float32(found)] == best
    # of equals, the highest
    assert found == max(t for t, value in by_threshold.items() if value == best)


def test_best_threshold_ignores_order_of_equal_values():
    # a sort that let a threshold cut through equal values would find IoU 1 here
    values = np.array([2, 2, 1, 1], np.float32)
    for target in ([1, 0, 0, 0], [0, 1, 0, 0]):
        target = np.array(target, bool)
        assert best_threshold(values, target) == 2
        assert iou(values >= 2, target) == 0.5


@pytest.mark.parametrize("value", [0.0, 0.25, -3.0])
def test_constant_values_have_no_threshold(value):
    values = np.full(10, value, np.float32)
    assert best_threshold(values, np.arange(10) < 3) == np.inf
    assert otsu_threshold(values) == mean_sd_threshold(values) == np.inf
    assert top_threshold(values, 0.1) == top_threshold(values, 1.0) == np.inf


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=30))
@settings(max_examples=200, deadline=None)
def test_otsu_equals_brute_force(numbers):
    values = np.array(numbers, np.float32)
    cuts = np.unique(values)[1:]
    if not cuts.size:
        assert otsu_threshold(values) == np.inf
        return

    def between(t):
        high, low = values[values >= t], values[values < t]
        return high.size * low.size * (high.mean(dtype=float) - low.mean(dtype=float)) ** 2

    assert between(otsu_threshold(values)) == pytest.approx(max(map(between, cuts)))
    assert otsu_threshold(values) in cuts


def test_otsu_ignores_missing_pixels():
    values = np.zeros((2, 4, 4), np.float32)
    values[0, :2] = 1
    values[1, 0] = 100  # another unit altogether: a rule over all tiles would miss tile 0
    values[0, 3, 3] = np.nan
    high = masks_by_tile(values, np.isfinite(values), otsu_threshold)
    assert high[0].sum() == 8 and high[0, :2].all()
    assert high[1].sum() == 4 and high[1, 0].all()


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=60),
    st.floats(1e-6, 1.0),
)
@settings(max_examples=300, deadline=None)
def test_top_share_is_never_exceeded_and_never_smaller_than_ties_force(numbers, share):
    values = np.array(numbers, np.float32)
    marked = values >= top_threshold(values, share)
    assert marked.mean() <= share + 1e-6
    # the next lower threshold would exceed the share, or there is none that separates anything
    lower = values[~marked]
    if len(np.unique(values)) > 1 and lower.size:
        assert (values >= lower.max()).sum() > np.floor(share * len(values) + 1e-6)


def test_top_share_of_distinct_values_is_met():
    values = np.random.default_rng(2).permutation(1000).astype(np.float32)
    assert (values >= top_threshold(values, 0.1)).sum() == 100
    assert (values[:100] >= top_threshold(values[:100], 0.29)).sum() == 29
    assert (values >= top_threshold(values, 1.0)).all()
    assert (values >= top_threshold(values, 0.001)).sum() == 1
    # less than one pixel: one would be more than the share
    assert not (values >= top_threshold(values, 1e-9)).any()


def test_top_share_of_a_tile_of_zeros_marks_only_what_stands_out():
    values = np.zeros(100, np.float32)
    values[:7] = np.arange(1, 8)
    assert (values >= top_threshold(values, 0.1)).sum() == 7
    values[:20] = 1  # one tie of 20 % is all or nothing
    assert not (values >= top_threshold(values, 0.1)).any()
    assert (values >= top_threshold(values, 0.25)).sum() == 20


def test_mean_sd_threshold_is_their_sum():
    values = np.random.default_rng(2).permutation(1000).astype(np.float32)
    assert mean_sd_threshold(values) == pytest.approx(values.mean() + values.std(), rel=1e-6)


def test_iou_of_empty_sets_is_undefined():
    assert np.isnan(iou(np.zeros(3, bool), np.zeros(3, bool)))
