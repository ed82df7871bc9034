"""The benchmark on real land, on a small simulated folder of the same form, without real data."""

import csv

import numpy as np
import pandas as pd
import pytest
import rasterio

from benchmarks import real_land, real_land_figure
from benchmarks import real_land_tiles as land
from wildlens.errors import WildLensError

SCENES, SHAPE = {"a": "train", "b": "train", "c": "val", "d": "val", "e": "val"}, (64, 192)
pytestmark = pytest.mark.minutes

FEW = ["--seeds", "1", "--epochs", "1", "--steps", "2", "--mosaics", "1"]


def raster(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    driver = {".tif": "GTiff", ".png": "PNG"}[path.suffix]
    count, height, width = values.shape
    profile = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", driver=driver, **profile) as file:
        file.write(values)


def table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Scenes whose left part is dark forest; the border lies in the middle of the second tiles."""
    root, generator = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    path = root / "scenes"
    for name in SCENES:
        mask = np.zeros((1, *SHAPE), np.uint8)
        mask[:, :, :96] = 255
        level = np.where(mask > 0, 45, 70)
        noise = generator.integers(-5, 6, (3, *SHAPE))
        raster(path / f"images/{name}.tif", (level + noise).astype(np.uint8))
        raster(path / f"masks/{name}.png", mask)
    table(path / "index.csv", [{"file": n, "split": s} for n, s in SCENES.items()])
    patches = []
    for number in range(24):
        natural = number % 2 == 0
        pixels = generator.integers(400, 600, (13, 64, 64)) * (1 if natural else 2)
        raster(root / f"eurosat100-ms/{number:02d}.tif", pixels.astype(np.uint16))
        split = ("train", "validate", "test")[number % 6 // 2]
        group = "natural" if natural else "anthropogenic"
        patches.append({"file": f"{number:02d}.tif", "split": split, "group": group})
    table(root / "eurosat100-ms/index.csv", patches)
    return path


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    """Work folder and tables of a run of 1 epoch and 2 steps."""
    root = tmp_path_factory.mktemp("run")
    arguments = [str(folder), "--work", str(root / "work"), "--output", str(root / "tables")]
    real_land.main(arguments + FEW)
    return root, arguments


def read(root, name):
    return pd.read_csv(root / "tables" / f"{name}.csv")


def test_every_method_is_compared_on_every_set(finished):
    runs = read(finished[0], "runs")
    assert set(runs["set"]) == {"amazon-mixed", "amazon-equalised", "eurosat-mosaics"}
    assert set(runs["form"]) == {"unet", "local"}
    for (_, name), group in runs.groupby(["form", "set"]):
        variants = ("default",) if "mosaics" in name else ("default", "mixed")
        expected = {(variant, m) for variant in variants for m in real_land.OF_GENERATORS}
        others = {"deeplift", "occlusion", "gradcam", "activation", "brightness", "random"}
        expected |= {("none", method) for method in others}
        assert set(zip(group["generators"], group["method"], strict=True)) == expected


def test_the_controls_have_the_values_that_the_land_gives_them(finished):
    runs = read(finished[0], "runs")
    runs = runs[runs["form"] == "unet"].set_index(["set", "method"])
    # forest is darker everywhere: brightness is wholly inverted, and without brightness at chance
    assert runs.loc[("amazon-mixed", "brightness"), "auroc"].item() == pytest.approx(0, abs=0.01)
    equal = runs.loc[("amazon-equalised", "brightness"), "auroc"].item()
    assert equal == pytest.approx(0.5, abs=0.1)
    assert runs.loc[("amazon-mixed", "random"), "auroc"].item() == pytest.approx(0.5, abs=0.05)
    for name in ("amazon-mixed", "eurosat-mosaics"):
        inside = runs.loc[(name, "random"), "positive_inside"].item()
        assert inside == pytest.approx(0.5, abs=0.03)  # both have half of each group


def test_scores_and_origin_are_written(finished):
    generators = read(finished[0], "generators")
    assert list(generators["generators"]) == ["default", "mixed", "default"] * 2
    assert generators["test_x"].between(0, 1).all()
    origin = read(finished[0], "origin")
    assert list(origin["land"]) == ["amazon", "eurosat"] * 2 and origin["commit"].notna().all()


def test_a_finished_run_is_not_repeated(finished):
    root, arguments = finished
    networks = sorted((root / "work").glob("*/seed-*/*/*.safetensors"))
    before = [path.stat().st_mtime_ns for path in networks]
    tables = {path.name: path.read_bytes() for path in (root / "tables").iterdir()}
    real_land.main(arguments + FEW)
    assert [path.stat().st_mtime_ns for path in networks] == before and networks
    assert {path.name: path.read_bytes() for path in (root / "tables").iterdir()} == tables


def test_the_figure_is_drawn(finished, tmp_path):
    root, _ = finished
    real_land_figure.main([str(root / "work"), str(tmp_path / "maps.png"), "--tiles", "2"])
    assert (tmp_path / "maps.png").read_bytes().startswith(b"\x89PNG")


def test_scenes_are_split_whole_and_only_validation_and_test_are_explained(folder):
    cuts = land.scene_cuts(folder)
    splits = {cut.scene: cut.split for cut in cuts}
    assert splits == {"a": "train", "b": "train", "c": "val", "d": "test", "e": "test"}
    explained = land.mixed(cuts)
    assert len(explained) == 3 and {cut.split for cut in explained} == {"val", "test"}
    assert all(cut.mask.mean() == 0.5 for cut in explained)
    assert len(land.pure(cuts)) == 10


def test_equalised_tiles_have_one_brightness_and_keep_their_hue():
    mask = np.zeros((4, 4), bool)
    mask[:, :2] = True
    pixels = np.where(mask, 1000, 3000) * np.array([1, 2, 3])[:, None, None]
    equal = land.equalised(land.Cut(pixels.astype(np.uint16), mask, "test", "s")).pixels
    assert equal[:, mask].mean() == pytest.approx(equal[:, ~mask].mean(), abs=1)
    assert np.allclose(equal[1] / equal[0], 2, rtol=1e-3)


def test_a_mosaic_has_the_side_of_a_tile_and_four_whole_cells():
    shape = (land.SIDE, land.SIDE)
    cuts = [
        land.Cut(np.full((3, *shape), 100 + n, np.uint16), np.full(shape, n % 2 == 0), split, "s")
        for split in ("val", "test")
        for n in range(6)
    ]
    for mosaic in land.mosaics(cuts, 3):
        assert mosaic.pixels.shape == (3, *shape) and mosaic.mask.mean() == 0.5
        assert (mosaic.mask == (mosaic.pixels[0] % 2 == 0)).all()
        assert len(np.unique(mosaic.pixels)) == 4


def test_an_unsuitable_picture_is_refused(folder, tmp_path):
    with pytest.raises(WildLensError, match="8 bits"):
        land.scaled(np.zeros((3, 4, 4), np.uint16))
    with pytest.raises(WildLensError, match=r"index\.csv"):
        land.scene_cuts(tmp_path)
