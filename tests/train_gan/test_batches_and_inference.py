"""Batches of the generators, total variation, and their statistics and scores at inference."""

import numpy as np
import pytest
import torch
from torch import nn
from trainable import tile_set

from wildlens.networks.generator import Generator
from wildlens.settings import Gan
from wildlens.train_gan import losses
from wildlens.train_gan.batches import Plan, draw_cells
from wildlens.train_gan.inference import (
    image_batches,
    recompute_statistics,
    scores_at_inference,
    warnings_about_inference,
)


def test_total_variation_is_mean_neighbour_difference_in_band_units():
    change = torch.tensor([[[[0.0, 0.2], [0.1, 0.1]], [[1.0, 1.0], [1.0, 3.0]]]]).double()
    unit = torch.tensor([0.1, 2.0]).double()[:, None, None]
    along_rows = (2 + 0 + 0 + 1) / 4
    along_columns = (1 + 1 + 0 + 1) / 4
    assert losses.total_variation(change, unit).item() == pytest.approx(along_rows + along_columns)
    assert losses.total_variation(torch.full((1, 2, 4, 4), 0.3), 1.0).item() == 0


@pytest.mark.parametrize("seed", range(3))
def test_mixed_batch_holds_cells_of_other_tiles_only(seed):
    tiles = tile_set(np.random.default_rng(seed))
    settings = Gan(crop=None, mixed=1.0)
    generator = np.random.default_rng(seed)
    plan = Plan.draw(np.arange(4), tiles.size, settings, generator, len(tiles))
    plan.symmetries[:] = 0
    images = plan.prepare(tiles, np.arange(4), tiles)
    own, others = tiles.images(plan.indices), tiles.images(plan.others)
    pasted = torch.from_numpy(plan.cells).expand_as(images)
    assert torch.equal(images[pasted], others[pasted])
    assert torch.equal(images[~pasted], own[~pasted])
    assert 0.2 < plan.cells.mean() < 0.8


def test_batches_are_not_mixed_by_default():
    plan = Plan.draw(np.arange(4), 64, Gan(), np.random.default_rng(0), 9)
    assert plan.others is None and plan.cells is None


def test_cells_are_squares_of_an_eighth_or_quarter_of_the_side():
    for seed in range(8):
        cells = draw_cells(5, 64, np.random.default_rng(seed))
        assert cells.shape == (5, 1, 64, 64)
        blocks = cells.reshape(5, 8, 8, 8, 8).transpose(0, 1, 3, 2, 4).reshape(5, 64, 64)
        assert (blocks.all(-1) | ~blocks.any(-1)).all()


def test_recomputed_statistics_make_inference_equal_training():
    torch.manual_seed(0)
    generator = Generator(2, width=4, blocks=2)
    for parameter in generator.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    before = {name: p.clone() for name, p in generator.named_parameters()}
    images = 0.3 + 0.1 * torch.randn(8, 2, 32, 32)
    with torch.no_grad():
        in_training = generator.train()(images)
        wrong = generator.eval()(images)
        recompute_statistics(generator, [images])
        right = generator(images)
    assert not generator.training
    assert (wrong - in_training).abs().mean() > 10 * (right - in_training).abs().mean()
    assert all(torch.equal(p, before[name]) for name, p in generator.named_parameters())
    momenta = {m.momentum for m in generator.modules() if isinstance(m, nn.BatchNorm2d)}
    assert momenta == {0.1}


@pytest.mark.parametrize(
    ("inference", "names"),
    [((0.90, 0.20), []), ((0.90, 0.26), ["X-"]), ((0.80, 0.98), ["X+", "X-"])],
)
def test_other_scores_at_inference_are_a_warning(inference, names):
    keys = ("score_max", "score_min")
    warnings = warnings_about_inference(
        dict(zip(keys, (0.9, 0.2), strict=True)), dict(zip(keys, inference, strict=True))
    )
    assert [name for text in warnings for name in ("X+", "X-") if name in text] == names


def test_scores_at_inference_are_means_over_all_images():
    def classifier(images):
        return images.mean(dim=(1, 2, 3))

    generators = {"maximizer": lambda x: x + 1, "minimizer": lambda x: x - 1}
    batches = [torch.zeros(3, 2, 4, 4), torch.full((1, 2, 4, 4), 2.0)]
    scores = scores_at_inference(classifier, generators, batches)
    up, down = torch.tensor([1.0, 1, 1, 3]).sigmoid(), torch.tensor([-1.0, -1, -1, 1]).sigmoid()
    assert scores["score_max"] == pytest.approx(up.mean().item(), abs=1e-6)
    assert scores["score_min"] == pytest.approx(down.mean().item(), abs=1e-6)


def test_image_batches_are_evenly_spaced_central_crops():
    tiles = tile_set(np.random.default_rng(0), side=64)
    side = tiles.size // 2
    device, settings = torch.device("cpu"), Gan(crop=side)
    images = torch.cat(list(image_batches(tiles, tiles, 5, settings, device)))
    rows = np.linspace(0, len(tiles) - 1, 5).round().astype(int)
    start = (tiles.size - side) // 2
    expected = tiles.images(rows)[..., start : start + side, start : start + side]
    assert torch.equal(images, expected)
    everything = list(image_batches(tiles, tiles, 10**6, Gan(crop=None), device))
    assert len(torch.cat(everything)) == len(tiles)


def test_image_batches_are_mixed_as_in_training():
    """Statistics of natural tiles alone are not those that mixed generators were trained with."""
    tiles = tile_set(np.random.default_rng(0), count=8)
    others = tile_set(np.random.default_rng(1), count=8)
    found = torch.cat(list(image_batches(tiles, others, 8, Gan(mixed=1.0), torch.device("cpu"))))
    own = (found == tiles.images(np.arange(8))).all(dim=1).float().mean(dim=(1, 2))
    assert ((own > 0.2) & (own < 0.8)).all()
    again = torch.cat(list(image_batches(tiles, others, 8, Gan(mixed=1.0), torch.device("cpu"))))
    assert torch.equal(found, again)
