"""Each loss against its equation, computed naively in float64."""

import numpy as np
import pytest
import torch

from wildlens.train_gan import losses

UNIT = np.array([0.5, 2.0, 0.25])[:, None, None]


def arrays(*shapes, seed=0):
    """Seeded arrays and the same as tensors."""
    random = np.random.default_rng(seed)
    found = [random.normal(size=shape) for shape in shapes]
    return found, [torch.from_numpy(array) for array in found]


def cross_entropy(logits, target):
    score = 1 / (1 + np.exp(-logits))
    return -(target * np.log(score) + (1 - target) * np.log(1 - score))


@pytest.mark.parametrize("frobenius", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_similarity_is_weighted_mean_distance_in_units(seed, frobenius):
    shape = (4, 3, 5, 6)
    (x, y, w), (images, generated, weight) = arrays(shape, shape, (4, 1, 5, 6), seed=seed)
    w, weight = w**2, weight**2
    if frobenius:
        squares = [(w[n] * ((x[n] - y[n]) / UNIT) ** 2).sum() / x[n].size for n in range(4)]
        expected = np.mean(np.sqrt(squares))
    else:
        expected = (w * np.abs(x - y) / UNIT).sum() / x.size
    unit = torch.from_numpy(UNIT)
    found = losses.similarity(images, generated, unit, weight, frobenius=frobenius)
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_similarity_defaults_are_l1_without_unit_or_weight():
    (x, y), (images, generated) = arrays((2, 3, 4, 5), (2, 3, 4, 5))
    found = losses.similarity(images, generated)
    assert found.item() == pytest.approx(np.abs(x - y).mean(), rel=1e-12)
    found = losses.similarity(images, generated, frobenius=True)
    expected = np.sqrt(((x - y) ** 2).mean(axis=(1, 2, 3))).mean()
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_frobenius_gradient_is_finite_where_images_are_equal():
    image = torch.rand(2, 3, 4, 4, dtype=torch.float64)
    generated = image.clone().requires_grad_()
    loss = losses.similarity(image, generated, frobenius=True)
    (gradient,) = torch.autograd.grad(loss, generated)
    assert loss.item() == pytest.approx(1e-6, rel=1e-9)
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_total_variation_sums_both_axes_in_units():
    (c,), (change,) = arrays((2, 3, 5, 7))
    expected = sum(np.abs(np.diff(c / UNIT, axis=axis)).mean() for axis in (2, 3))
    found = losses.total_variation(change, torch.from_numpy(UNIT))
    assert found.item() == pytest.approx(expected, rel=1e-12)
    expected = sum(np.abs(np.diff(c, axis=axis)).mean() for axis in (2, 3))
    assert losses.total_variation(change).item() == pytest.approx(expected, rel=1e-12)


def test_cycle_is_mean_absolute_difference_in_units():
    (x, y), (images, restored) = arrays((2, 3, 4, 5), (2, 3, 4, 5))
    found = losses.cycle(images, restored, torch.from_numpy(UNIT))
    assert found.item() == pytest.approx((np.abs(x - y) / UNIT).mean(), rel=1e-12)
    assert losses.cycle(images, restored).item() == pytest.approx(np.abs(x - y).mean(), rel=1e-12)


def test_adversarial_equals_equation_4_or_cross_entropy():
    (d,), (logits,) = arrays((2, 1, 3, 4))
    expected = ((1 / (1 + np.exp(-d)) - 1) ** 2).mean()
    assert losses.adversarial(logits).item() == pytest.approx(expected, rel=1e-12)
    found = losses.adversarial(logits, cross_entropy=True)
    assert found.item() == pytest.approx(cross_entropy(d, 1).mean(), rel=1e-12)


def test_discrimination_is_mean_cross_entropy_of_real_and_generated():
    (r, g), (real, generated) = arrays((2, 1, 3, 4), (3, 1, 2, 2))
    expected = (cross_entropy(r, 1).mean() + cross_entropy(g, 0).mean()) / 2
    assert losses.discrimination(real, generated).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("margin", [None, 0.7, -0.4])
@pytest.mark.parametrize("natural", [True, False])
def test_activation_is_cross_entropy_clamped_past_the_margin(natural, margin):
    (z,), (logits,) = arrays((3, 8, 9))
    towards = z if natural else -z  # the side of y
    clamped = towards if margin is None else np.minimum(towards, margin)
    expected = cross_entropy(clamped, 1).mean()
    found = losses.activation_maximisation(logits, natural, margin)
    assert found.item() == pytest.approx(expected, rel=1e-12)
    past = np.zeros(z.shape, bool) if margin is None else towards > margin
    assert np.array_equal(losses.inactive(logits, natural, margin).numpy(), past)
    logits.requires_grad_()
    loss = losses.activation_maximisation(logits, natural, margin)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert np.array_equal(gradient.numpy() == 0, past)


def test_activation_is_not_clamped_by_default():
    logits = torch.tensor([5.0, -5.0], dtype=torch.float64)
    expected = cross_entropy(logits.numpy(), 1).mean()
    assert losses.activation_maximisation(logits, True).item() == pytest.approx(expected, rel=1e-9)
