"""Warnings about scenes that are unlike the tiles that a classifier was trained on."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from wildlens.demo.landscape import simulate
from wildlens.files.raster import writing_geotiff
from wildlens.map import unfamiliar

BANDS = ["B02", "B03", "B04", "B08"]
# Means and standard deviations in the classifier of the demo, as `wildlens train-classifier` gave
# them with the default configuration
MEAN = np.array([0.0522, 0.0706, 0.0688, 0.2195])
SD = np.array([0.0321, 0.0362, 0.0449, 0.0902])


def warning(path, mean=MEAN, sd=SD):
    with rasterio.open(path) as dataset:
        names = list(dataset.descriptions)
        indices = [names.index(band) + 1 for band in BANDS]
        return unfamiliar.warning_about_scene(dataset, indices, BANDS, mean, sd, "lake")


def write(path, stored):
    grid = GeoBox(stored.shape[1:], Affine(10, 0, 500_000, 0, -10, 7_000_000), "EPSG:32634")
    form = {"count": len(stored), "dtype": "uint16", "nodata": 0, "descriptions": BANDS}
    with writing_geotiff(path, grid, tags={}, **form) as dataset:
        dataset.write(stored)
    return path


@pytest.fixture
def data() -> Path:
    """Folder of real data; the test is skipped without it."""
    root = os.environ.get("WILDLENS_TEST_DATA")
    if not root:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    return Path(root)


@pytest.fixture(scope="module")
def demo_land():
    """Reflectance x 10000 of land as the demo simulates it, (4, 512, 512)."""
    land = simulate(512, 512, 7)
    reflectance = [land.reflectance[list(land.bands).index(band)] for band in BANDS]
    return np.stack(reflectance) * 10_000


@pytest.mark.parametrize("factor", [1, 2, 0.5])
def test_land_of_the_demo_passes_but_not_in_another_brightness(tmp_path, demo_land, factor):
    stored = np.clip(demo_land * factor, 1, 65_535).astype(np.uint16)
    stored[:, :50] = 0  # no data does not count
    said = warning(write(tmp_path / "lake.tif", stored))
    assert bool(said) == (factor != 1)
    if said:
        assert said.startswith("lake is unlike the tiles that the classifier was trained on")
        assert ("above" if factor > 1 else "below") in said and "mean of B08" in said
        assert said.endswith("; further bands that differ: 1") and "\n" not in said


@pytest.mark.parametrize(
    ("clip", "offset"), [("S2A_MSIL2A_20220706T085611", 1000), ("S2B_MSIL2A_20200223T032739", 0)]
)
def test_real_clips_are_unlike_the_demo(tmp_path, data, clip, offset):
    (folder,) = (data / "s2-clips/majortom-l2a").glob(f"{clip}*")
    stored = []
    for band in BANDS:
        with rasterio.open(folder / f"{band}.tif") as dataset:
            stored.append(np.clip(dataset.read(1).astype(int) - offset, 1, None))
    assert warning(write(tmp_path / "clip.tif", np.stack(stored).astype(np.uint16)))


@pytest.mark.parametrize(
    ("shift", "ratio", "unlike"),
    [(0, 1, False), (0.29, 1, False), (0.31, 1, True), (-0.31, 1, True), (0, 1.9, False),
     (0, 2.1, True), (0, 0.52, False), (0, 0.48, True)],
)  # fmt: skip
def test_limits_of_mean_and_standard_deviation(monkeypatch, shift, ratio, unlike):
    statistics = MEAN + shift * SD * (np.arange(4) == 2), SD * np.where(np.arange(4) == 1, ratio, 1)
    monkeypatch.setattr(unfamiliar, "scene_statistics", lambda dataset, indices: statistics)
    said = unfamiliar.warning_about_scene(SimpleNamespace(), [], BANDS, MEAN, SD, "lake")
    assert bool(said) == unlike
    if unlike:
        assert ("B04" if shift else "B03") in said and "B08" not in said


def test_statistics_are_of_valid_pixels_as_networks_see_them(tmp_path):
    rng = np.random.default_rng(0)
    stored = rng.integers(1, 12_000, (4, 40, 50)).astype(np.uint16)
    stored[1, :10] = 0  # missing in one band is missing
    path = write(tmp_path / "s.tif", stored)
    with rasterio.open(path) as dataset:
        mean, sd = unfamiliar.scene_statistics(dataset, [2, 4])
        assert unfamiliar.scene_statistics(dataset, [1])[0] == pytest.approx(
            np.minimum(stored[0], 10_000).mean() / 10_000
        )
    seen = np.minimum(stored[[1, 3], 10:], 10_000).reshape(2, -1) / 10_000
    assert mean == pytest.approx(seen.mean(axis=1)) and sd == pytest.approx(seen.std(axis=1))


def test_large_scene_is_sampled_and_empty_scene_has_no_statistics(tmp_path, monkeypatch):
    monkeypatch.setattr(unfamiliar, "BLOCK", 8)
    monkeypatch.setattr(unfamiliar, "MOST_BLOCKS", 16)
    stored = np.broadcast_to(np.arange(1, 101, dtype=np.uint16)[:, None], (4, 100, 100)).copy()
    with rasterio.open(write(tmp_path / "s.tif", stored)) as dataset:
        windows = list(unfamiliar._windows(dataset))
        assert len(set((w.row_off, w.col_off) for w in windows)) == 16
        assert (windows[0].row_off, windows[-1].row_off, windows[-1].height) == (0, 96, 4)
        mean, _ = unfamiliar.scene_statistics(dataset, [1])
        assert mean[0] == pytest.approx(stored.mean() / 10_000, rel=0.1)
    with rasterio.open(write(tmp_path / "e.tif", stored * 0)) as dataset:
        assert unfamiliar.scene_statistics(dataset, [1]) is None
    assert warning(tmp_path / "e.tif") == ""


def test_constant_band_of_training_tiles_gives_finite_numbers(tmp_path):
    path = write(tmp_path / "s.tif", np.full((4, 8, 8), 500, np.uint16))
    said = warning(path, np.full(4, 0.2), np.zeros(4))
    assert "1500.0 sd below" in said and json.dumps(said)
