"""Metrics one by one, against a naive version or a case with a known result."""

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

from wildlens.evaluate import faithfulness, perturbations, tile_metrics
from wildlens.evaluate.block_counts import BlockCounts
from wildlens.evaluate.ranking import rank
from wildlens.evaluate.rules import (
    MARKS_ALL,
    MARKS_NOTHING,
    count_marked,
    join_marked,
    masks_by_tile,
    outcome,
    tile_rules,
)
from wildlens.evaluate.scores import Scored, scores_table
from wildlens.evaluate.thresholds import iou
from wildlens.networks.baselines import make_baseline
from wildlens.networks.standardise import Standardise
from wildlens.settings import Evaluation

# few distinct values, so that ties are the rule
values_and_targets = st.lists(
    st.tuples(st.integers(-3, 4), st.booleans()), min_size=2, max_size=40
).filter(lambda pairs: len({target for _, target in pairs}) == 2)


# --- ranking ------------------------------------------------------------------------------------


@given(values_and_targets)
@settings(max_examples=200, deadline=None)
def test_ranking_metrics_equal_scikit_learn(pairs):
    values = np.array([value for value, _ in pairs], np.float32)
    target = np.array([target for _, target in pairs])
    ranking = rank(values, target)
    assert ranking.auroc == pytest.approx(roc_auc_score(target, values))
    assert ranking.average_precision == pytest.approx(average_precision_score(target, values))


@pytest.mark.parametrize("distinct", [5, 100_000])
def test_replicates_are_the_metrics_without_one_block(distinct):
    rng = np.random.default_rng(1)
    shape = (6, 40, 50)
    target = rng.random(shape) < 0.25
    values = (rng.integers(0, distinct, shape) / distinct + 0.4 * target).astype(np.float32)
    blocks = np.array([0, 0, 1, 2, 2, 3])
    aurocs, precisions = replicates(values, target, blocks)
    for block, (auroc, precision) in enumerate(zip(aurocs, precisions, strict=True)):
        t, v = target[blocks != block].ravel(), values[blocks != block].ravel()
        assert auroc == pytest.approx(roc_auc_score(t, v), abs=1e-3)
        assert precision == pytest.approx(average_precision_score(t, v), abs=3e-3)


def replicates(values, target, blocks):
    """AUROC and average precision without each block, of tiles added one by one."""
    counts = BlockCounts(rank(values.ravel(), target.ravel()).cuts, blocks.max() + 1)
    for tile, hit, block in zip(values, target, blocks, strict=True):
        counts.add(tile.ravel(), hit.ravel(), block)
    return counts.replicates()


def test_replicates_without_target_are_undefined():
    values, target = np.arange(12, dtype=np.float32).reshape(3, 2, 2), np.zeros((3, 2, 2), bool)
    target[0, 0] = True
    aurocs, precisions = replicates(values, target, np.arange(3))
    assert np.isnan(aurocs[0]) and np.isnan(precisions[0])
    assert aurocs[1] == roc_auc_score(target[::2].ravel(), values[::2].ravel())


# --- rules and tiles ------------------------------------------------------------------------------


def test_every_rule_is_applied_tile_by_tile():
    rng = np.random.default_rng(3)
    values = rng.random((2, 20, 20)).astype(np.float32)
    values[1] *= 1000  # another scale: a rule over all tiles would see tile 1 alone
    valid = rng.random(values.shape) < 0.9
    rules = tile_rules([0.1, 0.25], target_share=0.4)
    assert len(rules) == 5
    for name, rule in rules.items():
        high = masks_by_tile(values, valid, rule)
        shares = high.sum(axis=(1, 2)) / valid.sum(axis=(1, 2))
        assert not high[~valid].any() and shares[0] == pytest.approx(shares[1], abs=0.1)
        if "10 %" in name:
            assert shares == pytest.approx([0.1, 0.1], abs=0.01)
        if "target's share" in name:
            assert shares == pytest.approx([0.4, 0.4], abs=0.01)


def test_tile_metrics_equal_naive_ones():
    rng = np.random.default_rng(4)
    known = rng.random((5, 12, 11)) < 0.9
    target = (rng.random(known.shape) < 0.3) & known
    target[3] = False  # no target: no IoU, no game
    target[4] = known[4]  # nothing else: no AUROC
    values = rng.integers(0, 50, known.shape).astype(np.float32)
    values[~known] = np.nan
    high = (values > 30) & known
    blocks = np.array([0, 0, 1, 1, 2])
    ious = outcome(count_marked(high, known, target), blocks).by_tile
    points = tile_metrics.pointing_game(values, known, target)
    aurocs, precisions = tile_metrics.tile_rankings(values, known, target)
    assert np.isnan([ious[3], aurocs[3], points[3], aurocs[4], precisions[3]]).all()
    assert points[4] == 1 == precisions[4]
    for i in range(3):
        assert ious[i] == (high[i] & target[i]).sum() / (high[i] | target[i]).sum()
        t, v = target[i][known[i]], values[i][known[i]]
        assert aurocs[i] == pytest.approx(roc_auc_score(t, v))
        assert precisions[i] == pytest.approx(average_precision_score(t, v))
        assert points[i] == t[v == v.max()].mean()
    for block, mean in enumerate(tile_metrics.mean_replicates(ious, blocks)):
        others = [ious[i] for i in range(5) if blocks[i] != block and i != 3]
        assert mean == pytest.approx(np.mean(others))
    assert tile_metrics.mean(ious) == pytest.approx(np.mean(ious[[0, 1, 2, 4]]))
    assert np.isnan(tile_metrics.mean(np.full(2, np.nan)))
    alone = tile_metrics.mean_replicates(np.array([0.5, np.nan]), np.array([0, 1]))
    assert np.isnan(alone[0]) and alone[1] == 0.5


@pytest.mark.parametrize("values", [[5, 5, 3], [5, 3, 3], [5, 4, 5]])
def test_ranking_with_two_values_is_not_constant(values):
    ranking = rank(np.array(values, np.float32), np.array(values) == 5)
    assert not ranking.constant and ranking.best_threshold == 5


def test_pointing_game_of_a_constant_map_is_the_share():
    known = np.ones((1, 4, 5), bool)
    target = known & (np.arange(5) < 2)
    assert tile_metrics.pointing_game(np.zeros(known.shape), known, target)[0] == 0.4


def test_outcome_is_pooled_and_by_tile():
    known = np.ones((3, 10, 10), bool)
    target, high = np.zeros((2, 3, 10, 10), bool)
    target[0], target[1, :5] = True, True
    high[0, :5], high[1], high[2, 0] = True, True, True
    blocks = np.array([0, 1, 1])
    parts = [count_marked(high[t], known[t], target[t]) for t in (slice(2), slice(2, 3))]
    found = outcome(join_marked(parts), blocks).metrics
    assert found["iou"] == 100 / (100 + 100 + 10)
    assert found["iou_tiles"] == 0.5 and found["tiles_with_target"] == 2
    assert found["share_inside"] == 100 / 160 and found["share_high"] == 160 / 300
    assert found["iou_low"] <= found["iou"] <= found["iou_high"]
    assert found["tiles_marked"] == 3 and found["note"] == ""
    empty = outcome(count_marked(high & False, known, target), blocks).metrics
    assert empty["iou"] == 0 and np.isnan(empty["share_inside"])
    assert empty["note"] == MARKS_NOTHING and empty["tiles_marked"] == 0
    whole = outcome(count_marked(known, known, target), blocks).metrics
    assert whole["note"] == MARKS_ALL and whole["iou"] == target.mean()


# --- faithfulness ---------------------------------------------------------------------------------


class Mean(nn.Module):
    """A score that grows with the mean of the first band over the left half."""

    def __init__(self):
        super().__init__()
        self.standardise = Standardise(2)
        self.standardise.set_statistics(torch.tensor([0.1, 0.2]), torch.ones(2))

    def forward(self, images):
        return 8 * images[:, 0, :, :6].mean(dim=(1, 2)) - 2


@pytest.mark.parametrize("fill", ["mean", "zero", "blurred"])
def test_curves_equal_a_naive_version(fill):
    rng = np.random.default_rng(5)
    network, image = Mean(), torch.from_numpy(rng.random((2, 12, 12)).astype(np.float32))
    values = rng.permutation(144).astype(np.float32).reshape(12, 12)
    values[0, :5] = np.nan
    blank = make_baseline(fill, network)(image[None])[0]
    places = faithfulness.ranks(values, seed=0)
    deleted, inserted = faithfulness.curves(network, image, places, blank, steps=7)
    order = sorted(
        (p for p in itertools.product(range(12), range(12)) if np.isfinite(values[p])),
        key=lambda p: -values[p],
    )
    for step in range(8):
        first = order[: round(step / 7 * len(order))]
        without, only = image.clone(), blank.clone()
        for row, column in first:
            without[:, row, column] = blank[:, row, column]
            only[:, row, column] = image[:, row, column]
        assert deleted[step] == pytest.approx(float(network(without[None]).sigmoid()), abs=1e-6)
        assert inserted[step] == pytest.approx(float(network(only[None]).sigmoid()), abs=1e-6)
    assert faithfulness.area(deleted) == pytest.approx((deleted[1:] + deleted[:-1]).mean() / 2)


def test_equal_values_have_random_ranks():
    values = np.zeros((20, 20), np.float32)
    values[3], values[0, 0] = 1, np.nan
    places = faithfulness.ranks(values, seed=0)
    assert places[0, 0] == -1 and sorted(places[3]) == list(range(20))
    assert sorted(places.ravel()) == list(range(-1, 399))
    rest = places[np.arange(20) != 3].ravel()[1:]
    assert abs(np.corrcoef(rest, np.arange(len(rest)))[0, 1]) < 0.2
    assert np.array_equal(places, faithfulness.ranks(values, seed=0))


def test_faithful_map_exceeds_chance_and_its_opposite():
    rng = np.random.default_rng(6)
    images = torch.from_numpy(0.3 + 0.6 * rng.random((3, 2, 12, 12)).astype(np.float32))
    right = np.zeros((3, 12, 12), np.float32)
    right[:, :, :6] = images[:, 0, :, :6].numpy()
    chance = rng.random(right.shape).astype(np.float32)
    values = {"deeplift": right, "random": chance, "saliency": -right}
    values["deeplift_randomised"] = -right
    options = Evaluation(faithfulness_steps=6, faithfulness_fill="zero")
    tiles = np.arange(3)
    faithful = faithfulness.Faithfulness(Mean(), images, tiles, np.array([0, 4, 4]), options)
    pairs = {"deeplift": zip(right, -right, strict=True)}
    rows = [faithful.row(method, maps, pairs.get(method, ())) for method, maps in values.items()]
    table = pd.DataFrame(rows).set_index("method")
    gain = table["insertion_minus_deletion"]
    assert gain["deeplift"] > gain["random"] + 0.1 > gain["saliency"] + 0.2
    assert table["randomisation_correlation"]["deeplift"] == pytest.approx(-1)
    assert np.isnan(table["randomisation_correlation"]["random"])
    assert table["blank_score"].tolist() == pytest.approx([1 / (1 + np.exp(2))] * 4)
    assert table["randomisation_tiles"]["deeplift"] == 3
    assert (table["insertion_minus_deletion_low"] < gain).all()
    assert (gain < table["insertion_minus_deletion_high"]).all()


def test_neutral_fill_is_the_baseline_nearest_to_neutral():
    network, images = Mean(), torch.zeros(2, 2, 12, 12)
    network.standardise.set_statistics(torch.tensor([0.25, 0.25]), torch.ones(2))  # logit 0
    tiles = np.arange(2)
    faithful = faithfulness.Faithfulness(network, images, tiles, tiles, Evaluation())
    assert faithful.row("gan", images[:, 0].numpy())["blank_score"] == 0.5


def test_interval_of_the_curves_needs_two_blocks():
    images = torch.rand((3, 2, 12, 12), generator=torch.Generator().manual_seed(0))
    tiles, block = np.arange(3), np.array([7, 7, 7])
    faithful = faithfulness.Faithfulness(Mean(), images, tiles, block, Evaluation())
    row = faithful.row("gan", images[:, 0].numpy())
    assert np.isfinite(row["insertion_minus_deletion"])
    assert np.isnan(row["insertion_minus_deletion_low"])


def test_faithfulness_without_tiles_is_undefined():
    options = Evaluation(faithfulness_tiles=0)
    chosen = faithfulness.choose_tiles(3, options)
    images = torch.zeros(0, 2, 4, 4)
    none = faithfulness.Faithfulness(Mean(), images, chosen, chosen, options)
    row = none.row("gan", np.zeros((0, 4, 4), np.float32))
    assert row["tiles"] == 0 and np.isnan(row["deletion_auc"])


# --- hidden signals -------------------------------------------------------------------------------


def test_blur_is_scipys_gaussian():
    images = torch.rand((2, 3, 20, 17), generator=torch.Generator().manual_seed(0))
    for sd in (0.5, 0.7, 2.0):
        expected = gaussian_filter(images.numpy(), (0, 0, sd, sd), mode="mirror")
        np.testing.assert_allclose(perturbations.blurred(images, sd).numpy(), expected, atol=1e-6)
    assert perturbations.blurred(images, 0.0) is images


def test_rounding_gives_digital_numbers():
    images = torch.tensor([[-0.2, 0.0, 0.00004], [0.12344, 0.12346, 1.5]])
    expected = torch.tensor([[1e-4, 1e-4, 1e-4], [0.1234, 0.1235, 1.0]])
    assert torch.allclose(perturbations.to_digits(images), expected)


def test_noise_is_shared_within_a_tile_only():
    apply = perturbations.build_perturbations(Evaluation(noise=0.01))["noise"]
    images = torch.rand((3, 2, 40, 40), generator=torch.Generator().manual_seed(1))
    one, again, other = apply(images, 4), apply(images, 4), apply(images, 5)
    noise = one - images
    assert torch.allclose(noise[0], noise[2], atol=1e-6) and torch.equal(one, again)
    assert not torch.allclose(one, other, atol=1e-3)
    assert float(noise.std()) == pytest.approx(0.01, rel=0.05)


class Fine(nn.Module):
    """A classifier that reads a checkerboard too faint to see, and the brightness."""

    def forward(self, images):
        y, x = (torch.arange(side) for side in images.shape[-2:])
        board = 1.0 - 2 * ((y[:, None] + x) % 2)
        return 3e4 * (images * board).mean(dim=(1, 2, 3)) + 8 * images.mean(dim=(1, 2, 3)) - 4


def test_hidden_signal_is_distinguished_from_visible_change():
    y, x = np.indices((32, 32))
    board = torch.from_numpy(1.0 - 2 * ((y + x) % 2)).float()
    tile = torch.full((2, 32, 32), 0.5) + 0.2 * torch.linspace(-1, 1, 32)
    tile = perturbations.to_digits(tile)
    # X+ hides its message below the sensor's digits, X- is darker all over
    three = torch.stack([tile, tile + 4e-5 * board, tile - 0.3])
    network, changes = Fine(), perturbations.build_perturbations(Evaluation(noise=0.001))
    scores = network(three).sigmoid()[None].numpy()
    after = {
        name: network(change(three, 0)).sigmoid()[None].numpy() for name, change in changes.items()
    }
    table = scores_table("test", Scored(scores, np.zeros((1, 3)), after)).set_index("image")
    assert abs(table["change_kept_rounded"]["X+"]) < 0.05
    assert abs(table["change_kept_blur"]["X+"]) < 0.2
    assert table["change_kept_rounded"]["X-"] == pytest.approx(1, abs=0.05)
    assert table["change_kept_blur"]["X-"] == pytest.approx(1, abs=0.05)
    assert np.isnan(table["change_kept_rounded"]["X"])


def test_order_with_a_margin_needs_both_steps():
    scores = np.array([[0.5, 0.6, 0.4], [0.5, 0.52, 0.3], [0.5, 0.7, 0.49], [0.5, 0.4, 0.3]])
    table = scores_table("test", Scored(scores, np.zeros((4, 3))), margin=0.05).set_index("image")
    assert table["share_in_order"].tolist() == [0.75] * 3
    assert table["share_in_order_with_margin"].tolist() == [0.25] * 3
    assert table["share_beyond_margin"]["X+"] == 0.5
    assert table["share_beyond_margin"]["X-"] == 0.75


def test_iou_of_empty_sets_is_no_number():
    assert np.isnan(iou(np.zeros(3, bool), np.zeros(3, bool)))
