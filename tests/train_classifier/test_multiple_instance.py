"""The multiple-instance loss, and where the pixels of mixed images come from."""

import numpy as np
import pytest
import torch
from trainable import tile_set, write_tiles

from wildlens.networks.classifier import LocalClassifier, UNetClassifier
from wildlens.settings import Classifier
from wildlens.train_classifier.batches import Plan
from wildlens.train_classifier.multiple_instance import (
    ONE_IN,
    mean_of_highest,
    multiple_instance_loss,
    number_of_terms,
)
from wildlens.train_classifier.task import ClassifierTask
from wildlens.training.data import load_training_set
from wildlens.training.session import Session


def naive_loss(maps, of_target):
    """In float64, image by image."""
    terms = []
    for image, target in zip(maps.double().numpy(), of_target[:, 0].numpy(), strict=True):
        probability = (image.max(axis=0) + 1) / 2
        for pixels, wanted in ((probability[target], 1), (probability[~target], 0)):
            if pixels.size:
                highest = np.sort(pixels)[::-1][: int(np.ceil(pixels.size / ONE_IN))].mean()
                terms.append(-np.log(highest if wanted else 1 - highest))
    return np.mean(terms)


@pytest.mark.parametrize("seed", range(5))
def test_loss_equals_naive_reference(seed):
    torch.manual_seed(seed)
    maps = torch.rand(4, 3, 12, 12) * 1.8 - 0.9
    of_target = torch.rand(4, 1, 12, 12) < 0.4
    of_target[0], of_target[1] = True, False
    found = multiple_instance_loss(maps, of_target).item()
    assert found == pytest.approx(naive_loss(maps, of_target), rel=1e-5)


def test_loss_is_small_for_a_pattern_of_the_target_and_large_for_a_cover_of_both():
    of_target = torch.zeros(2, 1, 20, 20, dtype=torch.bool)
    of_target[0] = True
    pattern = torch.full((2, 1, 20, 20), -0.99)
    pattern[0, :, :5, :10] = 0.99  # an eighth of the target's tile, nothing of the other
    shared = pattern.clone()
    shared[1, :, 8:13, 8:18] = 0.99  # the same cover in a tile of another class
    absence = torch.full((2, 1, 20, 20), 0.99)
    absence[1, :, :15] = -0.99  # high everywhere but on fields
    low = multiple_instance_loss(pattern, of_target)
    assert low < 0.02
    assert multiple_instance_loss(shared, of_target) > 2
    assert multiple_instance_loss(absence, of_target) > 2


def test_gradient_is_finite_where_an_image_has_pixels_of_one_kind_only():
    maps = torch.zeros(2, 1, 8, 8, requires_grad=True)
    of_target = torch.zeros(2, 1, 8, 8, dtype=torch.bool)
    of_target[0] = True
    multiple_instance_loss(maps, of_target).backward()
    assert torch.isfinite(maps.grad).all()
    assert (maps.grad[0] <= 0).all() and (maps.grad[1] >= 0).all()
    assert (maps.grad != 0).sum(dim=(1, 2, 3)).tolist() == [7, 7]  # a tenth of 64, rounded up


def test_mean_of_highest_of_no_values_is_zero():
    values, chosen = torch.ones(1, 5), torch.zeros(1, 5, dtype=torch.bool)
    mean, found = mean_of_highest(values, chosen)
    assert mean.item() == 0 and not found.item()


def test_two_halves_of_a_batch_have_the_loss_of_the_whole():
    random = torch.Generator().manual_seed(0)
    maps = torch.rand(6, 2, 8, 8, generator=random) * 2 - 1
    of_target = torch.rand(6, 1, 8, 8, generator=random) < 0.5
    of_target[0], of_target[1] = True, False  # one kind only: halves differ in their terms
    halves = [(maps[part], of_target[part]) for part in (slice(3), slice(3, 6))]
    count = sum(number_of_terms(flags) for _, flags in halves) / 2
    losses = [multiple_instance_loss(*half, count) for half in halves]
    assert number_of_terms(of_target) == 10
    torch.testing.assert_close(sum(losses) / 2, multiple_instance_loss(maps, of_target))


@pytest.mark.parametrize(
    "mixing",
    [
        {"cutmix": 0},
        {"cutmix": 1},
        {"cutmix": 1, "cutmix_form": "strip"},
        {"cutmix": 1, "cutmix_cells": 1, "cutmix_blank": 0.0},
    ],
)
def test_share_of_pixels_of_the_target_is_the_label_of_a_mixed_image(mixing):
    tiles = tile_set(np.random.default_rng(0))
    indices = np.arange(8)
    labels = tiles.labels[:8]
    for seed in range(5):
        random = np.random.default_rng(seed)
        settings = Classifier(**{"cutmix_cells": 0} | mixing)
        plan = Plan.draw(indices, labels, labels == 1, tiles.size, settings, random)
        images, fractions, of_target = plan.prepare(tiles, indices)
        assert of_target.shape == (8, 1, *images.shape[-2:])
        shares = of_target.float().mean(dim=(1, 2, 3))
        assert shares.tolist() == pytest.approx(fractions.tolist(), abs=1e-6)


def test_blank_cells_are_not_of_the_target():
    tiles = tile_set(np.random.default_rng(0))
    labels = torch.ones(6)
    settings = Classifier(cutmix=1, cutmix_cells=1, cutmix_blank=0.4)
    random = np.random.default_rng(1)
    plan = Plan.draw(np.arange(6), labels, labels == 1, tiles.size, settings, random)
    _, _, of_target = plan.prepare(tiles, np.arange(6))
    blank = torch.from_numpy(plan.cells.origin == 2)
    assert blank.any() and torch.equal(of_target, ~blank)


def task_of(network, tiles, **settings) -> ClassifierTask:
    settings = Classifier(batch_size=8, epochs=1, **settings)
    return ClassifierTask(network, tiles, settings, Session(), np.random.default_rng(0))


def batch_of(task: ClassifierTask):
    random = np.random.default_rng(0)
    return task.prepare(task.draw(task.epoch(random)[0], random), np.arange(8))


def test_training_adds_the_loss_of_maps_by_its_weight(tmp_path):
    tiles = load_training_set(write_tiles(tmp_path / "tiles.zarr"))
    torch.manual_seed(0)
    network = UNetClassifier(2, 32, width=4, depth=2, strides=(2, 2)).eval()
    task = task_of(network, tiles, multiple_instance=0.3)
    images, targets, of_target = batch_of(task)
    alone = task_of(network, tiles).loss(images, targets)
    maps = multiple_instance_loss(network.activations(images), of_target)
    found = task.loss(images, targets, of_target)
    assert found.item() == pytest.approx((alone + 0.3 * maps).item(), rel=1e-6)
    assert maps > 0.1


@pytest.mark.parametrize(
    ("network", "weight"),
    [(LocalClassifier(2, width=4), 1.0), (UNetClassifier(2, 32, 4, 2, strides=(2, 2)), 0)],
)
def test_batches_hold_no_pixels_of_the_target_where_no_loss_asks(tmp_path, network, weight):
    tiles = load_training_set(write_tiles(tmp_path / "tiles.zarr"))
    assert len(batch_of(task_of(network, tiles, multiple_instance=weight))) == 2
