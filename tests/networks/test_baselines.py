"""Tests of baselines: choice of the most neutral one, and their values."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import nn

from wildlens.networks.baselines import (
    SIGMA,
    blur,
    distances_from_neutral,
    make_baseline,
    most_neutral,
    warnings_about_baselines,
)
from wildlens.networks.classifier import LocalClassifier
from wildlens.networks.standardise import Standardise


class Brightness(nn.Module):
    """Classifier whose logit grows with the mean brightness, 0 at a given reflectance."""

    tile_size = 40

    def __init__(self, neutral: float, mean: float):
        super().__init__()
        self.neutral = neutral
        self.standardise = Standardise(2)
        self.standardise.set_statistics(torch.full((2,), mean), torch.ones(2))

    def forward(self, images):
        return 40 * (images.mean(dim=(1, 2, 3)) - self.neutral)


def test_blur_equals_scipy_and_keeps_constant_images():
    images = torch.rand(2, 3, 60, 50)
    expected = gaussian_filter(images.double().numpy(), (0, 0, SIGMA, SIGMA), mode="mirror",
                               truncate=3)  # fmt: skip
    assert np.allclose(blur(images).numpy(), expected, atol=1e-5)
    assert torch.allclose(blur(torch.full((1, 2, 32, 32), 0.3)), torch.tensor(0.3), atol=1e-6)


@pytest.mark.parametrize(("neutral", "mean", "expected"), [(0.0, 0.2, "zero"), (0.2, 0.2, "mean")])
def test_most_neutral_baseline_has_score_nearest_to_half(neutral, mean, expected):
    images = 0.5 + 0.01 * torch.rand(3, 2, 40, 40)
    distances = distances_from_neutral(Brightness(neutral, mean), images)
    assert most_neutral(distances) == expected
    assert distances[expected] < 0.06
    assert not warnings_about_baselines(distances)


def test_blurred_baseline_is_never_chosen():
    distances = distances_from_neutral(Brightness(0.5, 0.2), torch.full((1, 2, 40, 40), 0.5))
    assert distances["blurred"] < 0.01 < min(distances["zero"], distances["mean"])
    assert most_neutral(distances) in ("zero", "mean")


def test_classifier_without_neutral_baseline_gives_warning():
    distances = distances_from_neutral(Brightness(0.9, 0.2), torch.rand(3, 2, 40, 40))
    (warning,) = warnings_about_baselines(distances)
    assert all(name in warning for name in ("zero", "mean", "blurred"))


def test_neutral_baseline_is_read_from_classifier():
    network, images = Brightness(0.0, 0.2), torch.rand(2, 2, 40, 40)
    assert torch.equal(make_baseline("neutral", network)(images), images * 0)
    network.neutral_baseline = "blurred"
    assert torch.equal(make_baseline("neutral", network)(images), blur(images))
    network.neutral_baseline = "mean"
    assert torch.equal(make_baseline("neutral", network)(images), torch.full_like(images, 0.2))


def test_baselines_have_shape_of_images():
    network = LocalClassifier(3, width=4).eval()
    for name in ("zero", "mean", "blurred", "neutral"):
        assert make_baseline(name, network)(torch.rand(2, 3, 32, 48)).shape == (2, 3, 32, 48)
