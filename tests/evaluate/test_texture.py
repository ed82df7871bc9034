"""Periodic texture: stripes and grids are found at any angle; noise and smooth land are not."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from wildlens.evaluate.texture import (
    PEAK,
    autocorrelation,
    count_periodic,
    periodic_peak,
    remove_trend,
    texture_row,
)

SIDE = 128
Y, X = np.indices((SIDE, SIDE)).astype(float)


def stripes(period, angle):
    """Sine of a period in px whose crests have an angle in degrees."""
    along = np.cos(np.radians(angle)) * X + np.sin(np.radians(angle)) * Y
    return np.sin(2 * np.pi * along / period + 0.3)


@pytest.mark.parametrize("angle", [0, 30, 45, 90, 120, 135, 170])
@pytest.mark.parametrize("period", [3, 5.5, 8, 13])
def test_stripes_are_found_in_noise_on_a_trend(period, angle):
    rng = np.random.default_rng(0)
    values = stripes(period, angle) + rng.normal(0, 0.7, X.shape) + 0.05 * X
    assert periodic_peak(values.astype(np.float32)) > 2 * PEAK


def test_peak_is_the_share_of_variance_of_the_stripes():
    rng = np.random.default_rng(1)
    values = np.sqrt(2) * stripes(8, 0) + rng.normal(0, 1, X.shape)
    assert periodic_peak(values) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("direction", [(0, 1), (1, 0), (1, 1), (1, -1)])
def test_texture_that_repeats_in_one_direction_only_is_found(direction):
    """Each line in this direction is a wave of 6 px that starts anywhere."""
    along, across = X, Y
    if direction != (0, 1):
        along, across = Y, X - direction[1] * Y  # across: number of the line that a pixel is on
    starts = np.random.default_rng(2).random(3 * SIDE)
    values = np.sin(2 * np.pi * (along / 6 + starts[across.astype(int) + SIDE]))
    assert periodic_peak(values) > 0.8
    others = {(0, 1), (1, 0), (1, 1), (1, -1)} - {direction}
    valid = np.ones(values.shape, bool)
    for other in others:
        assert np.abs(autocorrelation(values, valid, other, range(1, 21))).max() < 0.15


def test_trend_is_a_gaussian_mean_of_the_valid_pixels():
    rng = np.random.default_rng(7)
    values, valid = rng.normal(3, 1, (40, 50)), rng.random((40, 50)) < 0.3
    kernel = np.exp(-0.5 * (np.arange(-40, 41) / 10) ** 2)
    naive = np.zeros(values.shape)
    for y, x in np.argwhere(valid):
        # mirrored beyond the border, the edge pixel twice
        rows, columns = (
            np.pad(np.arange(n), 40, mode="symmetric")[i : i + 81]
            for n, i in zip(values.shape, (y, x), strict=True)
        )
        weight = kernel[:, None] * kernel * valid[np.ix_(rows, columns)]
        naive[y, x] = values[y, x] - np.average(values[np.ix_(rows, columns)], weights=weight)
    expected = np.where(valid, naive - naive[valid].mean(), 0)
    assert np.allclose(remove_trend(values, valid), expected, atol=1e-6)


def test_grid_and_checkerboard_are_found():
    assert periodic_peak(((X % 6 < 2) & (Y % 6 < 2)).astype(np.float32)) > 0.8
    assert periodic_peak((X + Y) % 2) > 0.8


@pytest.mark.parametrize("sd", [0, 1, 2, 4, 8, 30])
@pytest.mark.parametrize("seed", range(3))
def test_noise_of_any_smoothness_is_not_periodic(sd, seed):
    values = gaussian_filter(np.random.default_rng(seed).normal(0, 1, X.shape), sd)
    assert periodic_peak(values) < PEAK


def test_one_edge_one_patch_and_a_gradient_are_not_periodic():
    for values in (X > 50, (X - 60) ** 2 + (Y - 60) ** 2 < 400, X + 2 * Y, (X - 64) ** 2):
        assert periodic_peak(values.astype(float)) < PEAK


def test_long_waves_are_trend():
    assert periodic_peak(stripes(100, 20)) < PEAK


def test_missing_pixels_do_not_matter():
    rng = np.random.default_rng(2)
    noise = rng.normal(0, 1, X.shape)
    hole = (X - 60) ** 2 + (Y - 40) ** 2 < 900
    for values, found in ((noise, False), (noise + 2 * stripes(7, 60), True)):
        whole, cut = periodic_peak(values), periodic_peak(np.where(hole, np.nan, values))
        assert cut == pytest.approx(whole, abs=0.1)
        assert (cut > PEAK) == found
    # missing pixels at regular places are no texture
    assert periodic_peak(np.where(X % 5 == 0, np.nan, noise)) < PEAK


def test_constant_tiles_have_no_peak_and_empty_ones_none():
    assert periodic_peak(np.full((64, 64), 0.1, np.float32)) == 0
    assert np.isnan(periodic_peak(np.full((64, 64), np.nan)))
    few = np.where(np.arange(64 * 64).reshape(64, 64) < 800, 1.0, np.nan)
    assert np.isnan(periodic_peak(few))
    noise = np.random.default_rng(6).normal(0, 1, (64, 64))
    enough = np.where(np.arange(64 * 64).reshape(64, 64) < 1100, noise, np.nan)
    assert np.isfinite(periodic_peak(enough))  # 27 % valid


def test_scale_and_offset_do_not_matter():
    values = stripes(9, 10) + np.random.default_rng(3).normal(0, 1, X.shape)
    assert periodic_peak(values) == pytest.approx(periodic_peak(1e-4 * values + 7), abs=1e-6)


def test_autocorrelation_equals_a_naive_one():
    rng = np.random.default_rng(4)
    values, valid = rng.normal(0, 1, (24, 30)), rng.random((24, 30)) < 0.8
    residual = remove_trend(values, valid)
    assert residual[valid].mean() == pytest.approx(0, abs=1e-12) and not residual[~valid].any()
    variance = np.mean(residual[valid] ** 2)
    for direction in ((0, 1), (1, 0), (1, 1), (1, -1)):
        for lag, found in zip(
            (1, 4), autocorrelation(residual, valid, direction, (1, 4)), strict=True
        ):
            products = [
                residual[y, x] * residual[y + lag * direction[0], x + lag * direction[1]]
                for y in range(24 - lag * direction[0])
                for x in range(max(0, -lag * direction[1]), 30 - max(0, lag * direction[1]))
                if valid[y, x] and valid[y + lag * direction[0], x + lag * direction[1]]
            ]
            assert found == pytest.approx(np.mean(products) / variance)


def test_row_counts_tiles_above_the_peak():
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 1, (4, SIDE, SIDE))
    noise[1] += 2 * stripes(6, 0)
    noise[3] = np.nan
    row = texture_row("gan", noise.astype(np.float32))
    assert (row["method"], row["tiles"], row["periodic_tiles"]) == ("gan", 3, 1)
    assert row["mean_peak"] == pytest.approx(
        np.mean([periodic_peak(tile) for tile in noise[:3].astype(np.float32)])
    )
    assert count_periodic(np.array([PEAK, PEAK + 1e-6, np.nan, 0])) == 1
    assert np.isnan(texture_row("gan", np.full((1, 32, 32), np.nan))["mean_peak"])
