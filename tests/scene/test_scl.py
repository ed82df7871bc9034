"""Tests of a scene classification in its own file, for a stack of bands."""

import numpy as np
import pytest
import rasterio
import yaml
from affine import Affine
from click.testing import CliRunner
from products import CRS, LEFT, SHAPE, TOP, numbers, write_safe, write_tif

from wildlens.cli import cli
from wildlens.errors import WildLensError
from wildlens.scene.step import build_scene
from wildlens.settings import Scene

ONE = Scene(bands=["B02"])


def stack(folder, seed=0, **profile):
    values = numbers(np.random.default_rng(seed))
    write_tif(folder / "stack.tif", values, descriptions=["B02"], **profile)
    return folder / "stack.tif", values


def classes(path, resolution, name=(), **profile):
    scl = np.random.default_rng(1).integers(1, 12, (600 // resolution, 720 // resolution))
    write_tif(path, scl.astype("uint8"), resolution, descriptions=name, **profile)
    return np.kron(scl, np.ones((resolution // 10,) * 2, int))


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


@pytest.mark.parametrize("resolution", [10, 20, 60])
def test_given_scene_classification_masks_a_stack(tmp_path, resolution, caplog):
    path, values = stack(tmp_path)
    scl = classes(tmp_path / "any name.tif", resolution)
    build_scene(path, tmp_path / "s.tif", ONE, scl=tmp_path / "any name.tif")
    masked = np.isin(scl, ONE.mask_classes)
    np.testing.assert_array_equal(read(tmp_path / "s.tif"), np.where(masked, 0, values))
    assert "clouds are not masked" not in caplog.text
    with rasterio.open(tmp_path / "s.tif") as dataset:
        assert "any name.tif" in dataset.tags()["wildlens_inputs"]


def test_command_accepts_one_scl_per_product(tmp_path):
    (one, first), (two, second) = (stack(tmp_path / name, seed) for seed, name in enumerate("ab"))
    scl = classes(tmp_path / "a/c.tif", 20)
    write_tif(tmp_path / "b/c.tif", np.full((30, 36), 4, "uint8"), 20)
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump({"bands": ["B02"]}))
    words = [one, two, "--scl", tmp_path / "a/c.tif", "--scl", tmp_path / "b/c.tif", "-o",
             tmp_path / "s.tif", "--settings", tmp_path / "settings.yaml"]  # fmt: skip
    result = CliRunner().invoke(cli, ["scene", *map(str, words)])
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(read(tmp_path / "s.tif"), second)  # the clearer one
    assert np.isin(scl, ONE.mask_classes).any() and (first != second).any()


def test_scl_on_other_grid_is_resampled_by_nearest_neighbour(tmp_path, caplog):
    path, values = stack(tmp_path)
    scl = np.random.default_rng(1).integers(1, 12, (40, 50)).astype("uint8")
    corner = Affine(20, 0, LEFT - 30, 0, -20, TOP + 30)  # 1.5 pixels off
    write_tif(tmp_path / "c.tif", scl, transform=corner)
    build_scene(path, tmp_path / "s.tif", ONE, scl=tmp_path / "c.tif")
    row, column = ((np.arange(n) * 10 + 5 + 30) // 20 for n in SHAPE)
    masked = np.isin(scl[np.ix_(row, column)], ONE.mask_classes)
    np.testing.assert_array_equal(read(tmp_path / "s.tif"), np.where(masked, 0, values))
    assert "is not on the grid of" in caplog.text


@pytest.mark.parametrize("crs", [None, "EPSG:3035"])
def test_scl_without_overlap_is_refused(tmp_path, crs):
    path, _ = stack(tmp_path)
    classes(tmp_path / "c.tif", 20, transform=Affine(20, 0, LEFT + 90_000, 0, -20, TOP))
    settings = ONE.model_copy(update={"crs": crs})
    with pytest.raises(WildLensError, match=r"c\.tif: does not touch"):
        build_scene(path, tmp_path / "s.tif", settings, scl=tmp_path / "c.tif")


def test_raster_without_scene_classes_is_refused(tmp_path):
    path, _ = stack(tmp_path)
    with pytest.raises(WildLensError, match="classes of a scene classification"):
        build_scene(path, tmp_path / "s.tif", ONE, scl=path)
    assert not (tmp_path / "s.tif").exists()


def test_second_scl_of_product_is_refused(tmp_path):
    images = {"B02": np.ones(SHAPE, "uint16"), "SCL": np.full((30, 36), 4, "uint8")}
    root = write_safe(tmp_path, images, shape=SHAPE)
    classes(tmp_path / "c.tif", 20)
    with pytest.raises(WildLensError, match="has its own scene classification"):
        build_scene(root, tmp_path / "s.tif", ONE, scl=tmp_path / "c.tif")


def test_wrong_number_of_scls_is_refused(tmp_path):
    path, _ = stack(tmp_path)
    classes(tmp_path / "c.tif", 20)
    with pytest.raises(WildLensError, match="2 scene classifications"):
        build_scene(path, tmp_path / "s.tif", ONE, scl=[tmp_path / "c.tif"] * 2)


def test_folder_of_stack_and_scl_is_refused_with_advice(tmp_path):
    stack(tmp_path)
    classes(tmp_path / "SCL.tif", 20, crs=CRS)
    with pytest.raises(WildLensError, match=r"SCL\.tif as its `scl`"):
        build_scene(tmp_path, tmp_path / "s.tif", ONE)
