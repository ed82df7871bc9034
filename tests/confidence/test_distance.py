"""Distance in feature space: against numpy, and what it does not depend on."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf

from wildlens.confidence.distance import fit_gaussians


def two_classes(count=200, features=6, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    mixing = rng.normal(size=(features, features))
    return rng.normal(size=(count, features)) @ mixing + 3 * labels[:, None], labels


def test_distance_is_that_of_numpy():
    features, labels = two_classes()
    other = two_classes(seed=1)[0]
    found = fit_gaussians(features, labels).distances(other)
    means = [features[labels == k].mean(axis=0) for k in (0, 1)]
    residuals = features - np.array(means)[labels]
    scale = residuals.std(axis=0)
    covariance, _ = ledoit_wolf(residuals / scale, assume_centered=True)
    squares = [
        [(x - m) / scale @ np.linalg.inv(covariance) @ ((x - m) / scale) for m in means]
        for x in other
    ]
    assert found == pytest.approx(np.sqrt(np.min(squares, axis=1)))


def test_distance_does_not_depend_on_units_and_grows_away_from_the_classes():
    features, labels = two_classes()
    found = fit_gaussians(features, labels)
    scaled = fit_gaussians(features * 1e4, labels)
    assert scaled.distances(features * 1e4) == pytest.approx(found.distances(features))
    far = features.mean(axis=0) + np.outer([0, 10, 100], np.ones(features.shape[1]))
    assert (np.diff(found.distances(far)) > 0).all()
    assert found.distances(features).mean() == pytest.approx(np.sqrt(6), rel=0.2)


def test_features_without_variance_are_left_out():
    features, labels = two_classes()
    constant = np.column_stack([features, np.full(len(features), 0.1), labels.astype(float)])
    found = fit_gaussians(constant, labels)
    assert found.varying.tolist() == [True] * 6 + [False] * 2
    assert found.distances(constant) == pytest.approx(
        fit_gaussians(features, labels).distances(features)
    )
    assert fit_gaussians(np.ones((10, 3)), labels[:10]) is None


def test_more_features_than_tiles_are_shrunk():
    features, labels = two_classes(count=20, features=50)
    assert np.isfinite(fit_gaussians(features, labels).distances(features)).all()
