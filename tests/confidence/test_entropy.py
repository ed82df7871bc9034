"""Entropy and mutual information of scores: against direct sums, and at certain scores."""

import numpy as np
import pytest

from wildlens.combine.entropy import entropy, mutual_information


def direct_information(scores):
    """Mutual information as a double sum over members and outcomes, bits."""
    mean, total = scores.mean(), 0.0
    for p in scores.tolist():
        for of_member, of_mean in ((p, mean), (1 - p, 1 - mean)):
            if of_member > 0:
                total += of_member * np.log2(of_member / of_mean) / len(scores)
    return total


def test_entropy_is_that_of_the_definition():
    scores = np.random.default_rng(0).random(500)
    expected = -scores * np.log2(scores) - (1 - scores) * np.log2(1 - scores)
    assert np.allclose(entropy(scores), expected, rtol=1e-12)
    assert entropy(np.array([0.5])) == 1 and entropy(np.float32(0.5)).dtype == np.float64


def test_entropy_of_certain_scores_is_zero_and_near_them_exact():
    assert entropy(np.array([0.0, 1.0])).tolist() == [0, 0]
    tiny = 1e-300  # -p log2 p + p / ln 2, to first order
    assert entropy(np.array([tiny]))[0] == pytest.approx(tiny * (1 - np.log(tiny)) / np.log(2))
    assert np.isnan(entropy(np.array([np.nan])))[0]


@pytest.mark.parametrize("members", [2, 3, 7])
def test_mutual_information_is_the_direct_sum(members):
    rng = np.random.default_rng(members)
    scores = rng.random((members, 200)) ** rng.integers(1, 40, 200)
    expected = [direct_information(column) for column in scores.T]
    found = mutual_information(scores)
    assert np.allclose(found, expected, atol=1e-12)
    assert (found >= 0).all() and (found <= entropy(scores.mean(axis=0)) + 1e-15).all()


def test_mutual_information_of_equal_members_is_zero_and_of_opposites_one():
    assert (mutual_information(np.full((3, 4), 0.3)) == 0).all()
    assert mutual_information(np.array([[0.0], [1.0]]))[0] == 1
    assert np.isnan(mutual_information(np.array([[0.2], [np.nan]])))[0]
