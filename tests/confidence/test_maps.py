"""Maps of the surest tiles and disagreement of members: against pixels counted one by one."""

import itertools

import numpy as np
import pytest
import xarray as xr
from attributed import BOG, FOREST, ROCK

from wildlens.confidence.disagreement import disagreement_rows, quantiles
from wildlens.confidence.filtered import class_rows, filtered_rows, subset_metrics
from wildlens.confidence.map_statistics import map_entropy, tile_statistics
from wildlens.confidence.subsets import choose_subsets, surest
from wildlens.errors import WildLensError
from wildlens.evaluate.metrics import rank_sample
from wildlens.evaluate.ranking import rank
from wildlens.evaluate.samples import Sample
from wildlens.evaluate.target_groups import TargetGroup
from wildlens.evaluate.thresholds import iou

GROUP = TargetGroup("corine", "targets", [412, 332], np.nan)
COUNT, SIDE = 24, 16


def world(seed=0, noise=1.0):
    """A sample, the classes of its pixels, and attributions that rise on the target group."""
    rng = np.random.default_rng(seed)
    classes = rng.choice([0, BOG, ROCK, FOREST], (COUNT, SIDE, SIDE), p=[0.05, 0.2, 0.1, 0.65])
    classes = classes.astype(np.uint8)
    valid = rng.random(classes.shape) < 0.95
    values = np.isin(classes, [BOG, ROCK]) + rng.normal(0, noise, classes.shape)
    values = np.where(valid, values, np.nan).astype(np.float32)
    names = np.array([f"t{number:02d}" for number in range(COUNT)])
    return Sample(names, np.arange(COUNT) // 3, {"corine": classes}, valid), values


def statistics(sample, values, validation=None):
    """Statistics of the one method, with the threshold of other tiles if they are given."""
    of, on = validation or (sample, values)
    rankings = rank_sample([GROUP], of, lambda tiles: on[tiles])
    return tile_statistics("gan", [GROUP], rankings, lambda tiles: values[tiles], sample)[0]


@pytest.mark.parametrize("seed", range(4))
def test_metrics_of_a_subset_are_those_of_its_pixels(seed):
    sample, values = world(seed)
    one = statistics(sample, values, world(seed + 100))
    chosen = np.random.default_rng(seed).random(COUNT) < 0.4
    found = subset_metrics(one, chosen, sample.blocks)
    known = (sample.classes("corine") > 0) & chosen[:, None, None]
    target = np.isin(sample.classes("corine"), [BOG, ROCK])[known]
    ranking = rank(values[known], target)
    assert found["iou"].value == pytest.approx(
        iou(values[known] >= np.float32(one.threshold), target)
    )
    assert found["auroc"].value == pytest.approx(ranking.auroc, abs=1e-3)
    entropies = [map_entropy(v[ok]) for v, ok in zip(values, sample.valid, strict=True)]
    assert found["map_entropy"].value == pytest.approx(np.mean(np.array(entropies)[chosen]))
    for block in range(8):
        rest = subset_metrics(one, chosen & (sample.blocks != block), sample.blocks)
        for name, metric in found.items():
            assert metric.replicates[block] == pytest.approx(rest[name].value), name


def test_map_entropy_is_one_for_even_maps_and_zero_for_one_pixel():
    assert map_entropy(np.full(50, -3, np.float32)) == pytest.approx(1)
    assert map_entropy(np.eye(1, 50, dtype=np.float32)[0]) == 0
    assert np.isnan(map_entropy(np.zeros(50, np.float32)))
    values = np.random.default_rng(0).normal(size=400).astype(np.float32)
    share = np.abs(values.astype(float)) / np.abs(values.astype(float)).sum()
    assert map_entropy(values) == pytest.approx(-(share * np.log(share)).sum() / np.log(400))
    assert map_entropy(values * 1e6) == pytest.approx(map_entropy(values))


def test_surest_tiles_are_nested_and_missing_values_come_last():
    uncertainty = np.random.default_rng(0).random(37)
    uncertainty[[4, 9]] = np.nan
    subsets = [surest(uncertainty, share) for share in (0.25, 0.5, 0.75, 1.0)]
    assert [s.sum() for s in subsets] == [10, 19, 28, 37]
    for inner, outer in itertools.pairwise(subsets):
        assert (outer | ~inner).all()
    assert not subsets[2][[4, 9]].any()
    assert np.nanmax(uncertainty[subsets[0]]) <= np.nanmin(uncertainty[~subsets[0]])
    assert surest(np.zeros(3), 0.01).tolist() == [True, False, False]


def test_maps_that_are_wrong_where_the_classifier_is_unsure_get_worse_with_the_share():
    sample, values = world(noise=0.3)
    uncertainty = np.random.default_rng(1).permutation(COUNT).astype(float)
    unsure = uncertainty >= COUNT / 2
    values[unsure] = np.random.default_rng(2).permuted(values[unsure], axis=None)
    values = np.where(sample.valid, np.nan_to_num(values), np.nan).astype(np.float32)
    subsets = choose_subsets({"entropy": uncertainty}, [1.0, 0.5])
    rows = filtered_rows(statistics(sample, values), subsets, sample.blocks)
    half, whole = rows
    assert (half["share"], half["tiles"], whole["tiles"]) == (0.5, 12, 24)
    assert half["iou_minus_all"] == pytest.approx(half["iou"] - whole["iou"])
    assert half["iou_minus_all_low"] > 0 and half["auroc_minus_all_low"] > 0
    assert np.isnan(whole["iou_minus_all"]) and np.isnan(whole["auroc_minus_all_high"])
    assert half["target_share"] == pytest.approx(whole["target_share"], abs=0.03)


def test_constant_map_marks_nothing_on_test_tiles():
    sample, values = world()
    flat = np.where(sample.valid, np.float32(9), np.float32(np.nan))
    found = subset_metrics(
        statistics(sample, flat, (sample, values)), np.ones(COUNT, bool), sample.blocks
    )
    assert found["iou"].value == 0 and found["auroc"].value == 0.5


def test_class_means_and_ranks_are_those_of_the_pixels_of_the_subset():
    sample, values = world()
    chosen = np.arange(COUNT) % 2 == 0
    rows = {
        row["class_code"]: row
        for row in class_rows(statistics(sample, values), chosen, sample.blocks)
    }
    classes = sample.classes("corine")
    for code, index in ((412, BOG), (332, ROCK), (312, FOREST)):
        inside = (classes == index) & chosen[:, None, None]
        mean = values[inside].mean(dtype=float)
        assert rows[code]["pixels"] == inside.sum()
        assert rows[code]["mean_attribution"] == pytest.approx(mean, rel=1e-5)
        low, high = (rows[code][f"mean_attribution_{end}"] for end in ("low", "high"))
        assert low < mean < high
    assert rows[312]["rank"] == 3 and {rows[412]["rank"], rows[332]["rank"]} == {1, 2}


def store_of(sample, values, spread, agreement):
    variables = {"attribution": values, "member_sd": spread, "member_agreement": agreement}
    return xr.Dataset(
        {name: (("tile", "y", "x"), v.astype(np.float32)) for name, v in variables.items()},
        coords={"name": ("tile", sample.names)},
    )


def members_world(seed=0):
    """Pixels whose error becomes more frequent with their spread, in four known steps."""
    sample, _ = world(seed)
    rng = np.random.default_rng(seed)
    shape = sample.valid.shape
    spread = rng.random(shape)
    target = np.isin(sample.classes("corine"), [BOG, ROCK])
    wrong = rng.random(shape) < 0.1 * np.ceil(4 * spread)
    values = np.where(sample.valid, (target ^ wrong).astype(float), np.nan)
    return sample, store_of(sample, values, spread, np.where(spread < 0.5, 1.0, 2 / 3)), spread


def test_error_rises_with_disagreement_where_it_was_made_to():
    sample, store, _ = members_world()
    rows = disagreement_rows("gan", store, [GROUP], [0.5], {"val": sample, "test": sample})
    by_sd = [row for row in rows if row["measure"] == "member_sd"]
    assert [row["error_rate"] for row in by_sd] == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.03)
    assert [row["group"] for row in by_sd] == [1, 2, 3, 4]
    assert all(row["error_minus_first_low"] > 0 for row in by_sd[1:])
    assert [row["from"] for row in by_sd[1:]] == pytest.approx([0.25, 0.5, 0.75], rel=0.03)
    known = sample.classes("corine") > 0
    assert sum(row["pixels"] for row in by_sd) == known.sum()
    by_share = [row for row in rows if row["measure"] == "minority"]
    assert [row["error_rate"] for row in by_share] == pytest.approx([0.15, 0.35], abs=0.03)
    assert [row["from"] for row in by_share] == pytest.approx([0, 1 / 3], abs=1e-5)


def test_limits_are_quantiles_of_the_validation_tiles():
    sample, store, spread = members_world(1)
    found = quantiles(sample, lambda tiles: store["member_sd"].values[tiles], 4)
    expected = np.quantile(spread[sample.valid], [0.25, 0.5, 0.75])
    assert found == pytest.approx(expected, rel=0.02)


def test_members_that_agree_everywhere_are_one_group():
    sample, values = world()
    store = store_of(sample, values, np.zeros(values.shape), np.ones(values.shape))
    rows = disagreement_rows("gan", store, [GROUP], [0.5], {"val": sample, "test": sample})
    assert [row["measure"] for row in rows] == ["member_sd", "minority"]
    assert rows[0]["error_rate"] == rows[1]["error_rate"]
    assert np.isnan(rows[0]["error_minus_first"])


def test_agreement_of_no_number_of_members_is_refused():
    sample, values = world()
    share = np.random.default_rng(0).random(values.shape)
    with pytest.raises(WildLensError, match="'gan': its member_agreement has more than 101"):
        disagreement_rows(
            "gan", store_of(sample, values, share, share), [GROUP], [0.5],
            {"val": sample, "test": sample},
        )  # fmt: skip
