"""The evaluation as a whole: tables that follow the rule fixed beforehand, and what is refused."""

import json
import logging
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from attributed import BOG, FOREST, ROCK, SETTINGS, SIDE, World, write_tiles
from sklearn.metrics import average_precision_score, roc_auc_score

from wildlens.errors import WildLensError
from wildlens.evaluate import samples
from wildlens.evaluate.class_attribution import ClassTotals, map_totals
from wildlens.evaluate.rules import MARKS_NOTHING
from wildlens.evaluate.scores import Scored, scores_table
from wildlens.evaluate.tables import methods_table
from wildlens.evaluate.thresholds import best_threshold, iou, otsu_threshold
from wildlens.networks import weights

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")


# --- classes ------------------------------------------------------------------------------------


def test_class_totals_by_windows_equal_those_of_the_whole():
    rng = np.random.default_rng(0)
    values = rng.normal(1, 1, (40, 30)).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = np.nan
    classes = rng.choice([0, BOG, ROCK, FOREST], values.shape).astype(np.uint8)
    totals = ClassTotals()
    for top in range(0, 40, 7):
        totals.add(values[top : top + 7], classes[top : top + 7], 1.2)
    rows = {row["class_code"]: row for row in totals.rows([412, 332], "wet and bare")}
    assert list(rows) == [312, 332, 412, "targets"]  # only what is present

    known = np.isfinite(values) & (classes > 0)
    high = known & (values >= np.float32(1.2))
    for code, members in {412: [BOG], 312: [FOREST], "targets": [BOG, ROCK]}.items():
        mask = np.isin(classes, members) & known
        row = rows[code]
        assert row["pixels"] == mask.sum()
        assert row["iou"] == iou(high, mask)
        assert row["mean_attribution"] == pytest.approx(values[mask].mean(), rel=1e-5)
        assert row["relative_attribution"] == pytest.approx(
            values[mask].mean() / values[known].mean(), rel=1e-5
        )
        assert row["share_high"] == pytest.approx(high[mask].mean())
    assert rows["targets"]["class_name"] == "wet and bare"


def test_relative_attribution_is_undefined_for_a_mean_below_zero():
    totals = ClassTotals()
    totals.add(np.array([-1, -3], np.float32), np.array([BOG, FOREST], np.uint8), 0)
    assert all(np.isnan(row["relative_attribution"]) for row in totals.rows([412], "bog"))


# --- the whole step -----------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def test_metrics_follow_the_validation_threshold(world):
    table = world.write().run()["methods"]
    assert table[["reference", "method"]].values.tolist() == [
        [reference, method]
        for reference in ("corine", "truth")
        for method in ("gan", "gradcam", "random")
    ]
    valid = np.isfinite(world.attributions["gan"])
    val, test = world.split == "val", world.split == "test"
    for row in table.itertuples():
        classes = {"corine": world.landcover, "truth": world.truth}[row.reference]
        target = np.isin(classes, [BOG, ROCK])
        known = valid & (classes > 0)
        values = world.attributions[row.method]
        chosen = best_threshold(values[val][known[val]], target[val][known[val]])
        assert np.float32(row.threshold) == np.float32(chosen)
        assert row.tiles == 12 and row.blocks == 6
        t, v = target[test][known[test]], values[test][known[test]]
        assert row.iou == pytest.approx(iou(v >= np.float32(chosen), t), rel=1e-5)
        assert row.auroc == pytest.approx(roc_auc_score(t, v), rel=1e-5)
        assert row.average_precision == pytest.approx(average_precision_score(t, v), rel=1e-5)
        assert row.target_share == pytest.approx(t.mean(), rel=1e-5)
        high = np.stack([tile >= otsu_threshold(tile.ravel()) for tile in values[test]])
        assert row.iou_otsu == pytest.approx(iou(high[known[test]], t), rel=1e-5)
        assert row.iou_low <= row.iou <= row.iou_high
    best = table.set_index(["reference", "method"])["iou"]
    assert best["truth", "gan"] > best["truth", "gradcam"] > best["truth", "random"]


def test_paired_difference_has_a_narrower_interval(world):
    rng = np.random.default_rng(1)
    # blocks differ much in how well any method does; the second method is a bit worse in all
    quality = rng.uniform(0.1, 3, 50)[world.block % 50][:, None, None]
    target = np.isin(world.truth, [BOG, ROCK])
    noise = rng.normal(0, 1, target.shape)
    world.attributions = {
        "gan": (quality * target + noise).astype(np.float32),
        "minimizer": (0.97 * quality * target + noise).astype(np.float32),
    }
    table = world.write().run()["methods"].set_index(["reference", "method"])
    assert np.isnan(table.loc[("truth", "gan"), "iou_minus_gan"])
    row = table.loc[("truth", "minimizer")]
    assert row.iou_minus_gan == pytest.approx(
        row.iou - table.loc[("truth", "gan"), "iou"], abs=1e-5
    )
    assert row.iou_minus_gan_low <= row.iou_minus_gan <= row.iou_minus_gan_high
    paired = row.iou_minus_gan_high - row.iou_minus_gan_low
    assert paired < 0.5 * (row.iou_high - row.iou_low)


def test_threshold_does_not_depend_on_test_tiles(world):
    before = world.write().run()["methods"]
    test = world.split == "test"
    for values in world.attributions.values():
        values[test] = -values[test]
    after = world.write().run()["methods"]
    assert (before["threshold"] == after["threshold"]).all()
    assert (before["iou"] != after["iou"]).all()


def test_all_methods_are_compared_on_the_same_pixels(world):
    world.attributions["gradcam"][:, -4:] = np.inf  # missing, in this method only
    table = world.write().run()["methods"]
    assert table.groupby("reference")["pixels"].nunique().eq(1).all()
    assert table["pixels"].min() == 12 * (SIDE - 4 - 2) * SIDE


def test_same_seed_gives_the_same_files(world):
    world.write().run()
    first = {p.name: p.read_bytes() for p in world.path("out").iterdir()}
    world.run()
    assert {p.name: p.read_bytes() for p in world.path("out").iterdir()} == first
    tables = {"methods", "rules", "groups", "tiles", "differences", "classes", "faithfulness"}
    tables |= {"completeness", "scenes", "scores", "texture"}
    files = {f"{name}.csv" for name in tables} | {"warnings.txt", "provenance.json"}
    assert set(first) == files | {"examples.npz"}
    record = json.loads(first["provenance.json"])
    assert record["wildlens_step"] == "evaluate"
    assert set(json.loads(record["wildlens_inputs"])) >= {"tiles.zarr", "gan.zarr"}


def test_files_do_not_depend_on_how_many_tiles_are_read_at_once(world, monkeypatch):
    world.attributions["gan"][1, 3:9] = np.nan
    world.write().run()
    first = {p.name: p.read_bytes() for p in world.path("out").iterdir()}
    monkeypatch.setattr(samples, "SPAN_PIXELS", 3 * SIDE * SIDE)
    world.run()
    assert {p.name: p.read_bytes() for p in world.path("out").iterdir()} == first


def test_one_block_has_no_interval(world):
    world.block[:] = 7
    table = world.write().run()["methods"]
    assert table[["iou_low", "iou_high", "iou_minus_gan_low"]].isna().all(axis=None)
    assert table["iou"].notna().all()


def test_constant_map_marks_nothing_by_any_rule(world):
    world.attributions["gradcam"][:] = 0.5
    world.write().run()
    tables = {n: pd.read_csv(world.path(f"out/{n}.csv")) for n in ("methods", "rules", "classes")}
    for row in tables["methods"].query("method == 'gradcam'").itertuples():
        assert row.auroc == 0.5 and row.iou == 0 == row.iou_otsu and row.share_high == 0
        assert row.note == MARKS_NOTHING and np.isnan(row.threshold)
    rules = tables["rules"].query("method == 'gradcam'")
    assert len(rules) == 12 and rules["share_high"].eq(0).all() and rules["iou"].eq(0).all()
    assert rules["note"].eq(MARKS_NOTHING).all() and rules["tiles_marked"].eq(0).all()
    assert tables["rules"].query("method == 'gan'")["note"].isna().all()
    assert tables["classes"].query("method == 'gradcam'")["share_high"].eq(0).all()


def test_map_constant_on_test_tiles_only_marks_nothing(world):
    world.attributions["gradcam"][world.split == "test"] = 50  # above any threshold
    tables = world.write().run()
    row = tables["methods"].query("method == 'gradcam' and reference == 'truth'").iloc[0]
    assert np.isfinite(row["threshold"]) and row["iou"] == 0 and row["note"] == MARKS_NOTHING
    shares = tables["classes"].query("method == 'gradcam' and scene == 'test tiles'")["share_high"]
    assert len(shares) and shares.eq(0).all()


def test_tables_have_empty_cells_for_undefined_numbers(world):
    world.attributions["gradcam"][:] = 0.5
    world.block[:] = 7  # no interval anywhere
    world.write().run()
    for path in world.path("out").glob("*.csv"):
        cells = path.read_text().replace("\n", ",").split(",")
        assert not {"nan", "NaN", "inf", "-inf"} & set(cells), path.name


def test_reference_land_cover_is_optional(world, caplog):
    truth, world.truth = world.truth, None
    assert set(world.write().run()["methods"]["reference"]) == {"corine"}
    world.truth = np.zeros_like(truth)
    with caplog.at_level(logging.INFO, "wildlens"):
        assert set(world.write().run()["methods"]["reference"]) == {"corine"}
    assert "truth: not known" in caplog.text


def test_log_ends_with_the_table(world, caplog):
    with caplog.at_level(logging.INFO, "wildlens"):
        world.write().run()
    table = caplog.messages[-7:]
    assert "auroc" in table[0] and table[1].split()[:2] == ["gan", "corine"]
    assert len({len(line) for line in table}) == 1  # aligned
    assert any("6 spatial blocks" in message for message in caplog.messages)


def test_scenes_use_the_thresholds_of_the_tiles(world, caplog):
    rng = np.random.default_rng(2)
    values = rng.normal(0.02, 0.02, (700, 40)).astype(np.float32)
    values[:3] = np.nan
    landcover = rng.choice([0, BOG, FOREST], values.shape).astype(np.uint8)
    world.add_map("lake", "gan", values, landcover)
    world.add_map("hill", "gan", values)
    world.add_map("lake", "occlusion", values)
    with caplog.at_level(logging.INFO, "wildlens"):
        tables = world.write().run()
    rows = tables["classes"].query("scene == 'lake'").set_index("class_code")
    assert set(rows["method"]) == {"gan"} and set(rows["reference"]) == {"corine"}
    assert set(rows.index) == {"312", "412", "targets"}
    chosen = (
        tables["methods"].query("method == 'gan' and reference == 'corine'")["threshold"].item()
    )
    known = np.isfinite(values) & (landcover > 0)
    high = known & (values >= np.float32(chosen))
    assert rows.loc["412", "iou"] == pytest.approx(iou(high, known & (landcover == BOG)), rel=1e-5)
    assert rows.loc["targets", "class_name"] == "wetlands and bare land"
    assert "left out of classes.csv: hill" in caplog.text
    assert "no attributions of 'occlusion'" in caplog.text
    assert "test tiles" in set(tables["classes"]["scene"])


def test_classes_of_test_tiles_use_the_threshold_of_their_reference(world):
    tables = world.write().run()
    rows = tables["classes"].query("scene == 'test tiles'")
    thresholds = tables["methods"].set_index(["method", "reference"])["threshold"]
    for reference, classes in (("corine", world.landcover), ("truth", world.truth)):
        for method, values in world.attributions.items():
            test = (world.split == "test")[:, None, None] & (classes > 0)
            high = values[test] >= np.float32(thresholds[method, reference])
            of = rows.query("method == @method and reference == @reference")
            row = of.set_index("class_code").loc["412"]
            assert row["pixels"] == (classes[test] == BOG).sum()
            assert row["share_high"] == pytest.approx(high[classes[test] == BOG].mean(), rel=1e-4)


def test_share_in_order_needs_both_steps():
    scores = np.array([[0.5, 0.6, 0.4], [0.5, 0.4, 0.3], [0.5, 0.6, 0.5], [0.5, 0.7, 0.6]])
    table = scores_table("test", Scored(scores, np.zeros((4, 3))))
    assert table["share_in_order"].tolist() == [0.25] * 3
    assert table["split"].tolist() == ["test"] * 3 and table["image"].tolist() == ["X", "X+", "X-"]


def test_missing_pixels_do_not_count_as_change(world):
    before = world.write().run()["scores"]["l1_reflectance"]
    # these generators shift every pixel alike: the mean over valid pixels must stay
    world.reflectance[world.split == "test", :, : SIDE // 2] = 0
    after = world.write().run()["scores"]["l1_reflectance"]
    assert after.tolist() == pytest.approx(before.tolist(), rel=1e-3)


def test_scores_equal_those_of_known_generators(world):
    table = world.write().run()["scores"]
    assert table["image"].tolist() == ["X", "X+", "X-"]
    assert table["tiles"].tolist() == [12] * 3
    # untrained generators shift every pixel by 3 tanh(0.5 / 3) of the bands' standard deviation
    shift = 3 * np.tanh(0.5 / 3) * 0.08
    assert table["l1_reflectance"].tolist() == pytest.approx([0, shift, shift], rel=1e-4)
    assert table["share_unchanged"].tolist() == [1, 0, 0]
    classifier = weights.load_classifier(world.path("classifier.safetensors"))
    images = torch.from_numpy(world.reflectance[world.split == "test"] / np.float32(10_000))
    expected = [classifier(images + s).sigmoid() for s in (0, shift, -shift)]
    assert table["mean_score"].tolist() == pytest.approx([float(e.mean()) for e in expected], 1e-4)
    assert table["std_score"].tolist() == pytest.approx(
        [float(e.std(correction=0)) for e in expected], 1e-3
    )
    in_order = (expected[2] < expected[0]) & (expected[0] < expected[1])
    assert table["share_in_order"].tolist() == pytest.approx([float(in_order.float().mean())] * 3)


# --- what is refused ----------------------------------------------------------------------------


def refused(world, *words, settings=SETTINGS):
    with pytest.raises(WildLensError) as error:
        world.run(settings)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    assert not world.path("out").exists()


def test_missing_target_names_group_and_setting(world):
    for classes in (world.truth, world.landcover):
        part = classes[:8]
        part[np.isin(part, [BOG, ROCK])] = FOREST
    world.write()
    refused(world, "validation", "411, 412, 332, 333, 335", "landcover", "evaluation.targets")


def test_nothing_but_targets_is_refused(world):
    world.landcover[:] = BOG
    refused(world.write(), "nothing but", "evaluation.targets")


def test_methods_with_other_tiles_are_refused(world):
    world.write().write_attribution("gradcam", world.attributions["gradcam"], slice(1, None))
    refused(world, "gradcam.zarr", "tile-00", "same tiles")


def test_two_files_of_one_method_are_refused(world):
    world.write()
    shutil.copytree(world.path("gan.zarr"), world.path("copy.zarr"))
    world.attributions["copy"] = None
    refused(world, "copy.zarr", "second file", "'gan'")


def test_no_validation_tile_is_refused(world):
    world.split[:] = "test"
    refused(world.write(), "no validation tile", "tiles.validation")


def test_a_method_without_values_is_refused(world):
    world.attributions["random"][:] = np.nan
    refused(world.write(), "'random'", "no value")


def test_unknown_tiles_are_refused(world):
    world.write()
    world.names[4] = "other"
    for method, values in world.attributions.items():
        world.write_attribution(method, values, slice(None))
    refused(world, "tiles.zarr", "'other'")


def test_invalid_stores_are_refused(world):
    world.write()
    world.path("random.zarr").rename(world.path("aside"))
    refused(world, "random.zarr", "cannot be opened")
    xr.Dataset({"attribution": ("tile", [1.0])}).to_zarr(
        world.path("random.zarr"), mode="w", consolidated=True
    )
    refused(world, "random.zarr", "lacks name, split, block")


def test_values_that_are_no_corine_index_are_refused(world):
    world.landcover[2, 5, 5] = 45
    refused(world.write(), "landcover: holds class 45", "ends at 44")


def test_models_of_other_bands_are_refused(world):
    world.write()
    write_tiles(world, np.arange(20), bands=["B05", "B03", "B04"])
    refused(world, "B05, B03, B04", "B02, B03, B04")


def test_a_map_on_another_grid_is_refused(world):
    values = np.ones((64, 64), np.float32)
    world.add_map("lake", "gan", values, np.full(values.shape, BOG, np.uint8), origin=500_010)
    refused(world.write(), "lake.tif", "another grid")


def test_two_maps_of_one_scene_and_method_are_refused(world):
    world.add_map("lake", "gan", np.ones((64, 64), np.float32), np.full((64, 64), BOG, np.uint8))
    world.maps.append(world.maps[0])
    refused(world.write(), "second map", "lake")


def test_a_raster_that_is_no_map_is_refused(world):
    world.add_map("lake", "gan", np.ones((64, 64), np.float32), np.full((64, 64), BOG, np.uint8))
    world.maps = [world.landcovers[0]]
    refused(world.write(), "lake.tif", "wildlens_scene")


def test_map_totals_are_read_by_windows(world):
    rng = np.random.default_rng(4)
    values = rng.random((1100, 20)).astype(np.float32)
    landcover = rng.choice([0, BOG, FOREST], values.shape).astype(np.uint8)
    world.add_map("tall", "gan", values, landcover)
    totals, whole = map_totals(world.maps[0], world.landcovers[0], 0.5), ClassTotals()
    whole.add(values, landcover, 0.5)
    for name in ("pixels", "attribution", "high"):
        np.testing.assert_allclose(getattr(totals, name), getattr(whole, name))


def test_difference_is_empty_without_the_papers_map(world):
    del world.attributions["gan"]
    table = world.write().run()["methods"]
    assert table["iou_minus_gan"].isna().all() and table["iou"].notna().all()
    assert methods_table([], {}).empty
