"""Calibration: temperature of known worlds, calibration error against a loop, intervals."""

import numpy as np
import pytest
from scipy.special import expit

from wildlens.confidence.calibration import (
    Bins,
    at_bound,
    brier,
    error_if_calibrated,
    fit_temperature,
    log_loss,
)
from wildlens.confidence.calibration_tables import (
    Labelled,
    calibration_table,
    choose_temperature,
    reliability_table,
)


def drawn(count, scale, seed=0, per_block=20):
    """Tiles whose labels are drawn from calibrated logits, and these logits times `scale`."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, count)
    labels = rng.random(count) < expit(logits)
    return Labelled(scale * logits, labels, np.arange(count) // per_block)


def naive_error(scores, labels, bins):
    total = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [
            k for k, s in enumerate(scores) if low <= s < high or (number == bins - 1 and s == 1)
        ]
        if inside:
            gap = abs(np.mean([scores[k] for k in inside]) - np.mean([labels[k] for k in inside]))
            total += len(inside) / len(scores) * gap
    return total


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_temperature_of_scaled_logits_is_the_scale(scale):
    tiles = drawn(20_000, scale)
    assert fit_temperature(tiles.logits, tiles.labels) == pytest.approx(scale, rel=0.05)


def test_temperature_is_the_minimum_of_the_loss():
    tiles = drawn(300, 2.0, seed=1)
    found = fit_temperature(tiles.logits, tiles.labels)
    grid = np.exp(np.linspace(-2, 2, 4001))
    losses = [log_loss(tiles.logits / t, tiles.labels).mean() for t in grid]
    assert found == pytest.approx(grid[np.argmin(losses)], rel=2e-3)


def test_temperature_of_scores_that_separate_the_labels_is_at_its_bound():
    labels = np.array([False, True] * 10)
    assert at_bound(fit_temperature(np.where(labels, 1.0, -1.0), labels))
    assert at_bound(fit_temperature(np.where(labels, -1.0, 1.0), labels))
    assert not at_bound(1.0)


def test_losses_are_those_of_the_definition_and_finite_for_extreme_logits():
    tiles = drawn(200, 1.0)
    score = expit(tiles.logits)
    likelihood = np.where(tiles.labels, score, 1 - score)
    assert np.allclose(log_loss(tiles.logits, tiles.labels), -np.log(likelihood))
    assert np.allclose(brier(tiles.logits, tiles.labels), (score - tiles.labels) ** 2)
    far = np.array([1000.0, -1000.0])
    assert log_loss(far, np.array([False, True])).tolist() == [1000, 1000]


@pytest.mark.parametrize("seed", range(5))
def test_calibration_error_is_that_of_a_loop(seed):
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.random(150), [0.0, 1.0, 0.3, 0.7]])
    labels, blocks = rng.random(154) < 0.5, rng.integers(0, 9, 154)
    bins = Bins(scores, labels, blocks, 10)
    assert bins.error() == pytest.approx(naive_error(scores, labels, 10))
    for block, replicate in enumerate(bins.error_replicates()):
        kept = blocks != block
        assert replicate == pytest.approx(naive_error(scores[kept], labels[kept], 10))


def test_error_of_a_calibrated_classifier_is_chance_and_falls_with_tiles():
    few, many = drawn(200, 1.0), drawn(20_000, 1.0)
    by_chance = [error_if_calibrated(expit(tiles.logits), 10) for tiles in (few, many)]
    assert by_chance[0] > 3 * by_chance[1] > 0
    found = Bins(expit(many.logits), many.labels, many.blocks, 10).error()
    assert found < 3 * by_chance[1]


def test_table_shows_that_the_temperature_of_validation_tiles_helps_on_test_tiles():
    splits = {"val": drawn(600, 3.0, seed=3), "test": drawn(600, 3.0, seed=4)}
    temperature = choose_temperature(splits["val"], None)
    assert temperature.low < 3 < temperature.high
    table = calibration_table(splits, temperature, 10).set_index(["split", "scores"])
    before, after = table.loc[("test", "before")], table.loc[("test", "after")]
    assert after["nll"] < before["nll"] and after["ece"] < before["ece"]
    assert after["accuracy"] == before["accuracy"] and after["blocks"] == 30
    for name in ("ece", "brier", "nll"):
        assert after[f"{name}_low"] < after[name] < after[f"{name}_high"]
    assert np.isnan(before["temperature_low"]) and before["temperature"] == 1


def test_table_is_not_changed_by_the_labels_of_test_tiles():
    splits = {"val": drawn(200, 3.0), "test": drawn(200, 3.0, seed=5)}
    first = choose_temperature(splits["val"], None)
    other = splits | {
        "test": Labelled(splits["test"].logits, ~splits["test"].labels, np.arange(200))
    }
    tables = [calibration_table(s, first, 10) for s in (splits, other)]
    assert tables[0]["temperature"].equals(tables[1]["temperature"])
    assert not tables[0]["nll"].equals(tables[1]["nll"])


def test_given_temperature_is_taken_and_one_label_leaves_scores_as_they_are():
    tiles = drawn(100, 1.0)
    assert choose_temperature(tiles, 2.5).value == 2.5
    alike = Labelled(tiles.logits, np.ones(100, bool), tiles.blocks)
    found = choose_temperature(alike, None)
    assert found.value == 1 and np.isnan(found.low)


def test_reliability_counts_every_tile_once_and_has_no_interval_without_both_labels():
    splits = {"val": drawn(200, 1.0), "test": drawn(200, 1.0, seed=2)}
    table = reliability_table(splits, choose_temperature(splits["val"], None), 5)
    assert len(table) == 2 * 2 * 5
    assert (table.groupby(["split", "scores"])["tiles"].sum() == 200).all()
    inside = table["mean_score"].between(table["bin_low"], table["bin_high"])
    assert inside.all()
    splits["test"] = Labelled(np.full(20, 5.0), np.ones(20, bool), np.arange(20) // 4)
    alike = reliability_table(splits, choose_temperature(splits["val"], None), 5).iloc[-1]
    assert alike["observed_share"] == 1 and np.isnan(alike["observed_share_low"])
