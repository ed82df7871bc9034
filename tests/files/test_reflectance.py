"""Stored numbers become the same reflectance everywhere: 0..1, saturated pixels 1."""

import numpy as np
import pytest
import torch

from wildlens.files.reflectance import to_reflectance
from wildlens.networks.images import to_images
from wildlens.training.statistics import band_statistics

EVERY = np.arange(2**16, dtype=np.uint16)


def expected(stored: np.ndarray) -> np.ndarray:
    """Naive, in float64."""
    return np.minimum(stored.astype(np.float64) / 10_000, 1.0)


def test_every_stored_number_is_its_float64_reflectance_up_to_1():
    found = to_reflectance(EVERY)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected(EVERY).astype(np.float32))


def test_networks_see_the_same_reflectance():
    images, valid = to_images(EVERY.reshape(1, 1, 256, 256), torch.tensor([0.25]))
    wanted = expected(EVERY)
    wanted[0] = 0.25
    np.testing.assert_array_equal(images.numpy().ravel(), wanted.astype(np.float32))
    assert valid.sum() == 2**16 - 1


@pytest.mark.parametrize("share", [0, 0.001, 0.05, 1])
def test_statistics_count_saturated_pixels_as_networks_see_them(share):
    random = np.random.default_rng(3)
    stored = random.normal(1500, 400, (6, 2, 64, 64)).clip(1, 9999).astype(np.uint16)
    saturated = random.random(stored.shape) < share
    stored[saturated] = random.choice([10_000, 10_001, 20_000, 65_535], saturated.sum())
    stored[random.random(stored.shape) < 0.1] = 0
    mean, sd = band_statistics(stored)
    for band in range(2):
        values = stored[:, band][stored[:, band] > 0]
        assert mean[band].item() == pytest.approx(expected(values).mean(), rel=1e-6)
        assert sd[band].item() == pytest.approx(expected(values).std(), rel=1e-6, abs=1e-9)
    images, valid = to_images(np.where(stored == 0, 1, stored), mean)
    assert images.max() <= 1 and valid.all()
