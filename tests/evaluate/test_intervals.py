"""Intervals over blocks: replicates, and the share of samples whose interval is right."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import bootstrap, kurtosis
from scipy.stats import t as student

from wildlens.evaluate.intervals import interval, leave_one_out, pooled_iou, ratio


def test_replicates_pool_the_pixels_of_all_other_blocks():
    rng = np.random.default_rng(3)
    union = rng.integers(50, 100, 5)
    intersection = rng.integers(0, 50, 5)
    for block, value in enumerate(pooled_iou(intersection, union)):
        others = np.arange(5) != block
        assert value == intersection[others].sum() / union[others].sum()


def test_replicates_without_the_only_block_that_counts_are_exactly_zero():
    sums = np.array([0.0, 0.1 + 0.2, 0.0])
    assert leave_one_out(sums).tolist() == [sums[1], 0, sums[1]]


def test_interval_is_student_t_for_even_deviations():
    # replicates with the kurtosis of a normal sample: as many degrees of freedom as blocks - 1
    deviations = np.array([-np.sqrt(3), 0, 0, 0, 0, np.sqrt(3)]) * 0.01
    replicates = 0.1 + deviations
    error = np.sqrt(5 / 6 * np.square(deviations).sum())
    half = student.ppf(0.975, 5) * error
    assert interval(0.1, replicates, share=False) == pytest.approx((0.1 - half, 0.1 + half))
    scaled = expit(logit(0.1) + deviations)
    assert interval(0.1, scaled) == pytest.approx(
        (expit(logit(0.1) - half), expit(logit(0.1) + half))
    )


@pytest.mark.parametrize("seed", range(4))
def test_degrees_of_freedom_follow_the_kurtosis(seed):
    replicates = 0.4 + 0.01 * np.random.default_rng(seed).standard_t(2, 18)
    freedom = 2 * 18 / (kurtosis(replicates, fisher=False) - 1) - 1
    assert 1 < freedom < 17
    half = student.ppf(0.975, freedom) * np.sqrt(17 * np.var(replicates))
    assert interval(0.4, replicates, share=False) == pytest.approx((0.4 - half, 0.4 + half))


def test_two_blocks_have_one_degree_of_freedom():
    half = student.ppf(0.975, 1) * 0.001
    low, high = interval(0.5, np.array([0.499, 0.501]), share=False)
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half))


def test_ratio_of_single_pixels_is_defined():
    assert ratio(np.array([1, 0, 0]), np.array([1, 1, 0]))[:2].tolist() == [1, 0]
    assert np.isnan(ratio(np.array([0]), np.array([0])))


def test_few_influential_blocks_widen_the_interval():
    # equal variance, but all of it from one block
    even = np.tile([0.01, -0.01], 9)
    single = np.zeros(18)
    single[0] = 1
    single = (single - single.mean()) * np.sqrt(np.square(even).sum() / (1 - 1 / 18))
    widths = [
        np.subtract(*interval(0.0, deviations, share=False)[::-1]) for deviations in (even, single)
    ]
    assert widths[1] > 1.5 * widths[0]


def test_interval_is_closed_where_blocks_agree_and_stays_in_range():
    union = np.full(8, 100)
    alike = interval(0.6, pooled_iou(np.full(8, 60), union))
    assert alike == pytest.approx((0.6, 0.6), abs=1e-9)
    low, high = interval(0.5, pooled_iou(np.array([10, 90] * 4), union))
    assert 0 < low < 0.25 and 0.75 < high < 1
    replicates = pooled_iou(np.array([0, 0, 0, 40]), np.full(4, 100))
    low, high = interval(0.1, replicates)
    assert low == 0 and 0.1 < high <= 1
    assert interval(1.0, np.ones(5)) == (1, 1) and interval(0.0, np.zeros(5)) == (0, 0)
    low, high = interval(-0.9, np.array([-0.9, -0.5, -1.0, -0.8]), share=False)
    assert low == -1 and high <= 1


def test_undefined_values_have_no_interval():
    assert np.isnan(interval(0.5, np.array([0.5]))).all()
    assert np.isnan(interval(np.nan, np.array([0.5, 0.4]))).all()
    # without the first block there is no target: all depends on it
    replicates = pooled_iou(np.array([1, 0]), np.array([2, 0]))
    assert np.isnan(replicates[0]) and np.isnan(interval(0.5, replicates)).all()


def sample(rng, blocks):
    """Intersection and union of two methods in blocks of unequal size, share and quality."""
    pixels = 1000.0 * rng.geometric(0.25, blocks)
    target = pixels * rng.beta(1.5, 3, blocks)
    quality = rng.beta(3, 1.5, blocks)
    ious = []
    for shift in (0.0, 0.1):
        hits = target * np.clip(quality - shift * rng.random(blocks), 0, 1)
        ious.append((hits, target + (pixels - target) * rng.beta(1.5, 6, blocks)))
    return ious


def test_intervals_cover_the_true_value_in_95_percent_of_samples():
    rng = np.random.default_rng(0)
    (hits, union), (other_hits, other_union) = sample(rng, 1_000_000)
    true = hits.sum() / union.sum()
    true_difference = true - other_hits.sum() / other_union.sum()
    covered = np.zeros(2)
    runs = 1000
    for _ in range(runs):
        (hits, union), (other_hits, other_union) = sample(rng, 18)
        one, other = hits.sum() / union.sum(), other_hits.sum() / other_union.sum()
        replicates = pooled_iou(hits, union)
        low, high = interval(one, replicates)
        covered[0] += low <= true <= high
        replicates = replicates - pooled_iou(other_hits, other_union)
        low, high = interval(one - other, replicates, share=False)
        covered[1] += low <= true_difference <= high
    # three standard errors of 1000 runs are 0.02
    assert covered / runs == pytest.approx([0.95, 0.95], abs=0.025)


def test_bootstrap_intervals_are_too_short_for_18_blocks():
    """Why the jackknife is used: the two usual bootstraps on the same samples."""
    rng = np.random.default_rng(1)
    hits, union = sample(rng, 1_000_000)[0]
    true, covered, runs = hits.sum() / union.sum(), {"percentile": 0, "BCa": 0}, 150

    def pooled(hits, union, axis=-1):
        return hits.sum(axis=axis) / union.sum(axis=axis)

    for _ in range(runs):
        hits, union = sample(rng, 18)[0]
        for kind in covered:
            found = bootstrap(
                (hits, union), pooled, paired=True, vectorized=True, n_resamples=299,
                method=kind, random_state=rng,
            ).confidence_interval  # fmt: skip
            covered[kind] += found.low <= true <= found.high
    assert max(covered.values()) / runs < 0.92
