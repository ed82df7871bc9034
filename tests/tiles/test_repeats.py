"""Tests of ground that is in the training set twice."""

import logging

import geopandas
import numpy as np
import pytest
import rasterio
from tile_region import (
    Region,
    add_scene,
    one_scene,
)


@pytest.fixture
def region(tmp_path) -> Region:
    return one_scene(tmp_path)


def sense(region: Region, *times: str):
    for path, time in zip(region.scenes, times, strict=True):
        with rasterio.open(path, "r+") as dataset:
            dataset.update_tags(product_sensing_time=time)


def two_baselines(region: Region, shift=(0.0, 0.0)):
    """Add the scene of `region` again, as another processing of the same overpass gives it."""
    add_scene(region, "again", np.random.default_rng(1), shift=shift)


@pytest.mark.parametrize(
    ("second", "warned"),
    [
        ("2021-07-19T10:05:59.024Z", True),
        ("2021-07-19T10:06:14Z", True),
        ("2021-07-19T10:05:59", True),
        ("2021-07-09T10:00:00Z + 2021-07-19T10:05:59.024Z", True),
        ("2021-07-24T10:05:59.024Z", False),
        ("", False),
        ("summer", False),
    ],
)
def test_repeated_ground_is_logged_and_same_overpass_warned(region, caplog, second, warned):
    two_baselines(region)
    sense(region, "2021-07-19T10:05:59.024Z", second)
    caplog.set_level(logging.INFO, "wildlens")
    tiles = region.build()
    names = tiles["scene"].values
    count = (names == "north").sum()
    assert count == (names == "again").sum() > 10
    (record,) = [r for r in caplog.records if "show the same ground" in r.message]
    assert f"{count} tiles of again and {count} of north show the same ground" in record.message
    assert (record.levelname == "WARNING") == warned == ("in one overpass" in record.message)
    table = geopandas.read_file(region.footprints)
    used = table["split"].isin(["train", "val", "test"])
    others = table["scene"].map({"north": "again", "again": "north"})
    assert (table["repeated_in"] == others)[used].all() and (~used).any()
    assert not table["repeated_in"][~used].str.len().any()


def test_half_covered_tile_counts_as_repeated(region, caplog):
    two_baselines(region, shift=(160.0 + 32 * 10 * 4, -20.0))  # half a tile and four tiles east
    caplog.set_level(logging.INFO, "wildlens")
    tiles = region.build(max_missing=1, distance_m=0)
    table = geopandas.read_file(region.footprints).set_index("name").loc[tiles["name"].values]
    columns = {name: table[table["scene"] == name]["repeated_in"] for name in ("north", "again")}
    west = columns["north"][columns["north"].index.str.endswith(("c0", "c1", "c2", "c3"))]
    assert len(west) and not west.str.len().any()
    assert columns["north"].eq("again").any() and columns["again"].eq("north").any()


def test_adjacent_scenes_are_not_reported_as_repeated(region, caplog):
    add_scene(region, "beside", np.random.default_rng(2), shift=(3300.0, 0.0))
    caplog.set_level(logging.INFO, "wildlens")
    region.build()
    assert not [m for m in caplog.messages if "same ground" in m]
    assert not geopandas.read_file(region.footprints)["repeated_in"].str.len().any()
