"""Maps of whole scenes against reference land cover: scenes.csv."""

import numpy as np
import pytest
from attributed import BOG, FOREST, ROCK, World
from sklearn.metrics import average_precision_score, roc_auc_score

from wildlens.errors import WildLensError
from wildlens.evaluate.thresholds import iou

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


def draw(shape, seed=3):
    """Land cover, and two maps that find its bogs and rocks; each misses other pixels."""
    rng = np.random.default_rng(seed)
    classes = rng.choice([0, BOG, ROCK, FOREST], shape, p=[0.1, 0.2, 0.1, 0.6]).astype(np.uint8)
    target = np.isin(classes, [BOG, ROCK])
    maps = {}
    for number, (method, unit) in enumerate({"gan": 0.01, "gradcam": 1.0}.items()):
        values = (unit * (2 * target + rng.normal(0, 1, shape))).astype(np.float32)
        values[number * 5 : number * 5 + 5] = np.nan
        maps[method] = values
    return classes, maps


def test_metrics_of_a_scene_equal_those_of_all_its_pixels(world):
    classes, maps = draw((700, 530))  # no multiples of the tiles
    for method, values in maps.items():
        world.add_map("lake", method, values)
    world.add_map("hill", "gan", maps["gan"])  # without reference land cover
    world.add_truth("lake", classes)
    tables = world.write().run()
    table = tables["scenes"].set_index("method")
    assert list(table.index) == ["gan", "gradcam"] and set(table["scene"]) == {"lake"}
    chosen = tables["methods"].query("reference == 'truth'").set_index("method")["threshold"]
    known = (classes > 0) & np.isfinite(maps["gan"]) & np.isfinite(maps["gradcam"])
    target = np.isin(classes, [BOG, ROCK])[known]
    for method, values in maps.items():
        row, flat = table.loc[method], values[known]
        assert row["pixels"] == known.sum() and row["threshold"] == chosen[method]
        assert row["auroc"] == pytest.approx(roc_auc_score(target, flat), abs=1e-5)
        assert row["average_precision"] == pytest.approx(
            average_precision_score(target, flat), abs=1e-5
        )
        expected = iou(flat >= np.float32(chosen[method]), target)
        assert row["iou"] == pytest.approx(expected, abs=1e-5)
        assert row["iou_low"] < row["iou"] < row["iou_high"]
        assert (row["tiles"], row["blocks"]) == (30, 4)
    # the classes of the scene are compared with it, too
    rows = tables["classes"].query("scene == 'lake'")
    assert set(rows["reference"]) == {"truth"} and set(rows["method"]) == set(maps)


def test_without_reference_land_cover_the_table_is_empty(world):
    world.add_map("lake", "gan", draw((200, 200))[1]["gan"])
    assert world.write().run()["scenes"].empty


def test_scene_without_the_target_group_is_left_out(world, caplog):
    classes, maps = draw((200, 200))
    world.add_map("lake", "gan", maps["gan"])
    world.add_truth("lake", np.full_like(classes, FOREST))
    with caplog.at_level("INFO", "wildlens"):
        assert world.write().run()["scenes"].empty
    assert "scene lake: the target group fills none or all of it" in caplog.text


def test_reference_on_another_grid_is_refused(world):
    classes, maps = draw((200, 200))
    world.add_map("lake", "gan", maps["gan"])
    world.add_truth("lake", classes, origin=500_010)
    with pytest.raises(WildLensError, match=r"has another grid than .* must lie on the grid"):
        world.write().run()
