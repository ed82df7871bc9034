"""One score of members: log-odds of the mean, and what one member lacks."""

import numpy as np
import pytest
from scipy.special import expit, logit

from wildlens.confidence.members import combine_scores


def test_score_of_members_is_their_mean_with_its_log_odds():
    logits = np.random.default_rng(0).normal(0, 3, (3, 50))
    found = combine_scores(list(logits))
    scores = expit(logits)
    assert found.mean == pytest.approx(scores.mean(axis=0))
    assert found.logits == pytest.approx(logit(scores.mean(axis=0)))
    assert found.sd == pytest.approx(scores.std(axis=0, ddof=1))


def test_one_member_keeps_its_logits_and_has_no_spread():
    logits = np.array([-800.0, -40.0, 0.0, 40.0, 800.0])
    found = combine_scores([logits])
    assert found.logits == pytest.approx(logits) and found.sd is None and found.information is None


def test_log_odds_are_finite_where_scores_round():
    found = combine_scores([np.array([800.0, -800.0]), np.array([900.0, -900.0])])
    assert found.logits == pytest.approx([800 + np.log(2), -800 - np.log(2)])


def test_tiles_that_were_not_seen_stay_missing():
    found = combine_scores([np.array([np.nan, 1.0]), np.array([np.nan, 2.0])])
    for values in (found.logits, found.mean, found.entropy, found.sd, found.information):
        assert np.isnan(values[0]) and np.isfinite(values[1])
