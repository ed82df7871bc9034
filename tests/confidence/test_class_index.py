"""Index of land-cover classes: a class that decides the label, uncertainty, scaling, categories."""

import numpy as np
import pytest
from attributed import BOG, FOREST, HEATH, ROCK
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from wildlens.confidence.class_index import Tiles, class_index_rows, ranks, scaled_index
from wildlens.confidence.contribution import choose_strength, fit_contribution
from wildlens.confidence.members import combine_scores
from wildlens.evaluate.samples import LEVELS

CLASSES = [BOG, ROCK, FOREST, HEATH]


def land(count=400, seed=0, slope=6.0, per_block=20):
    """Class shares of tiles whose label depends on the share of bog alone."""
    rng = np.random.default_rng(seed)
    shares = np.zeros((count, LEVELS))
    shares[:, CLASSES] = rng.dirichlet(np.ones(4), count)
    labels = rng.random(count) < expit(slope * (shares[:, BOG] - 0.25))
    return shares, labels, np.arange(count) // per_block


def test_class_that_decides_the_label_contributes_most():
    shares, labels, blocks = land()
    found = fit_contribution(shares, labels, blocks)
    assert sorted(found.classes.tolist()) == sorted(CLASSES)
    of_class = dict(zip(found.classes.tolist(), zip(found.low, found.coefficients, found.high,
                                                    strict=True), strict=True))  # fmt: skip
    low, value, high = of_class[BOG]
    assert 0 < low < value < high
    assert all(of_class[other][1] < low for other in CLASSES[1:])


def test_interval_covers_a_coefficient_that_is_zero():
    covered = 0
    for seed in range(4):
        shares, _, blocks = land(200, seed)
        labels = np.random.default_rng(seed + 50).random(200) < 0.5
        found = fit_contribution(shares, labels, blocks)
        covered += int(((found.low < 0) & (found.high > 0)).sum())
    assert covered >= 13  # of 16


def test_coefficients_are_those_of_a_regression_without_a_warm_start():
    shares, labels, blocks = land(seed=3)
    found = fit_contribution(shares, labels, blocks)
    inputs = shares[:, found.classes]
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    model = LogisticRegression(C=found.strength, tol=1e-10).fit(inputs, labels)
    assert found.coefficients == pytest.approx(model.coef_[0], abs=1e-3)


def test_strength_is_chosen_by_whole_blocks():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(120, 30))
    labels = np.repeat(rng.random(12) < 0.5, 10)
    labels[:10], labels[10:20] = True, False
    # noise tells nothing of other blocks: the strongest regularisation wins
    assert choose_strength(inputs, labels, np.arange(120) // 10) == 0.01
    assert choose_strength(inputs, labels, np.zeros(120, int)) == 1.0


def test_too_few_tiles_or_classes_give_nothing():
    shares, labels, blocks = land(40)
    assert fit_contribution(shares, np.arange(40) < 5, blocks) is None
    assert fit_contribution(np.ones_like(shares), labels, blocks) is None


def test_index_is_the_positive_contribution_by_uncertainty_scaled_to_one():
    coefficients = np.array([2.0, 3.0, -1.0, 1.0])
    uncertainty = np.array([0.5, 1.0, 0.1, 0.0])
    found = scaled_index(coefficients, uncertainty)
    assert found[:3].tolist() == [1.0, 0.75, 0.0] and np.isnan(found[3])
    assert (scaled_index(-np.ones(3), np.ones(3)) == 0).all()
    assert np.isnan(scaled_index(coefficients, np.full(4, np.nan))).all()


def test_ranks_count_what_is_higher():
    found = ranks(np.array([0.1, np.nan, 0.7, 0.1, 0.9]))
    assert found[[0, 2, 3, 4]].tolist() == [3, 2, 3, 1] and np.isnan(found[1])


def test_uncertainty_is_the_mean_over_pixels_of_the_class_and_categories_are_separate():
    shares, natural, blocks = land(seed=1)
    rng = np.random.default_rng(2)
    split = rng.choice(["train", "val", "test"], 400, p=[0.7, 0.15, 0.15])
    category = np.where(natural, rng.choice(["Ia", "II"], 400), "")
    rare = np.flatnonzero(natural)[:3]
    category[rare] = "Ib"
    scores = combine_scores(list(rng.normal(0, 2, (2, 400))))
    rows, left_out = class_index_rows(
        "corine", Tiles(split, natural, blocks, category), shares, scores, [], np.array([], int)
    )
    assert left_out == ["Ib"] and {row["category"] for row in rows} == {"all", "Ia", "II"}
    unseen = split != "train"
    for chosen, name in ((unseen, "all"), (unseen & ((category == "II") | ~natural), "II")):
        bog = next(r for r in rows if r["category"] == name and r["class_code"] == 412)
        for column, values in (("entropy", scores.entropy), ("members", scores.sd)):
            expected = np.average(values[chosen], weights=shares[chosen, BOG])
            assert bog[f"uncertainty_{column}"] == pytest.approx(expected)
    best = [row for row in rows if row["category"] == "all" and row["rank_entropy"] == 1]
    assert len(best) == 1 and best[0]["class_code"] == 412 and best[0]["index_entropy"] == 1
