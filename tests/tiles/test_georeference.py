"""Tiles as xarray and rioxarray open them: values, location, CRS and time."""

import geopandas
import numpy as np
import pytest
import rasterio
import rioxarray
import shapely
import xarray
from pyproj import CRS
from tile_region import BANDS, add_scene, one_scene

from wildlens.tiles.georeference import georeferenced
from wildlens.tiles.store import open_tiles

TAKEN = "2021-07-19T10:05:59.024Z"


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    """One scene that states its time."""
    region = one_scene(tmp_path_factory.mktemp("one"))
    with rasterio.open(region.scenes[0], "r+") as scene:
        scene.update_tags(product_sensing_time=f"{TAKEN} + 2021-07-19T10:06:10Z")
    region.build(truth=True, max_missing=0.5)
    return region


@pytest.fixture(scope="module")
def zones(tmp_path_factory):
    """Two scenes in neighbouring UTM zones; only the second states its time."""
    region = one_scene(tmp_path_factory.mktemp("two"))
    add_scene(region, "east", np.random.default_rng(2), 32635, (290, 300))
    with rasterio.open(region.scenes[1], "r+") as scene:
        scene.update_tags(product_sensing_time=TAKEN)
    region.build()
    return region


def test_reflectance_opens_scaled_with_missing_pixels_as_nan(region):
    tiles, stored = xarray.open_zarr(region.output), open_tiles(region.output)["reflectance"]
    reflectance = tiles["reflectance"]
    assert stored.dtype == "uint16" and reflectance.dtype.kind == "f"
    expected = np.where(stored.values == 0, np.nan, stored.values / 10_000)
    np.testing.assert_allclose(reflectance.values, expected, rtol=1e-6)
    assert np.isnan(expected).any()
    assert reflectance.attrs["units"] == "reflectance" and reflectance.attrs["long_name"]
    assert tiles["band"].values.tolist() == list(BANDS)


@pytest.mark.parametrize("name", ["landcover", "truth"])
def test_classes_stay_whole_numbers_and_say_what_they_mean(region, name):
    classes = xarray.open_zarr(region.output)[name]
    assert classes.dtype == "uint8" and classes.attrs["long_name"]
    meanings = classes.attrs["flag_meanings"].split()
    assert classes.attrs["flag_values"] == list(range(45)) and len(meanings) == 45
    assert meanings[0] == "no_data" and meanings[36] == "412_Peat_bogs"


def test_tiles_of_one_crs_have_a_grid_mapping(region):
    tiles = xarray.open_zarr(region.output)
    assert tiles.rio.crs.to_epsg() == 32634
    assert tiles["reflectance"].rio.crs.to_epsg() == 32634


def test_tiles_of_several_crs_have_none_in_common(zones):
    assert xarray.open_zarr(zones.output).rio.crs is None


@pytest.mark.parametrize("number", [0, -1])
def test_tile_lies_on_its_scene_pixel_by_pixel(zones, number):
    tile = georeferenced(xarray.open_zarr(zones.output).isel(tile=number))
    path = next(p for p in zones.scenes if p.stem == tile["scene"].item())
    scene = rioxarray.open_rasterio(path)
    assert tile.rio.crs == scene.rio.crs and tile["reflectance"].rio.crs == scene.rio.crs
    assert tile.rio.resolution() == (10, -10)
    same = scene.sel(x=tile["x"], y=tile["y"])  # a coordinate that differs is a KeyError
    stored = np.nan_to_num(tile["reflectance"].values * 10_000).round()
    assert np.array_equal(stored, same.values)


def test_centres_lie_in_the_outlines(zones):
    tiles = xarray.open_zarr(zones.output)
    outlines = geopandas.read_file(zones.footprints, layer="tiles").set_index("name").geometry
    centres = shapely.points(tiles["longitude"], tiles["latitude"])
    inside = [outlines[n].contains(c) for n, c in zip(tiles["name"].values, centres, strict=True)]
    assert all(inside)


def test_time_is_that_of_the_first_product(region):
    time = xarray.open_zarr(region.output)["time"].values
    assert (time == np.datetime64("2021-07-19T10:05:59.024")).all()


@pytest.mark.parametrize("scaled", [True, False])
def test_time_is_missing_where_a_scene_states_none(zones, scaled):
    tiles = xarray.open_zarr(zones.output, mask_and_scale=scaled)
    east = tiles["scene"].values == "east"
    assert np.array_equal(np.isnat(tiles["time"].values), ~east)
    assert tiles["time"].values[east][0] == np.datetime64("2021-07-19T10:05:59.024")


def test_no_time_without_any(tmp_path):
    region = one_scene(tmp_path)
    assert "time" not in region.build().coords


def test_dataset_can_be_saved_as_netcdf_attributes(region):
    """CF wants plain numbers and texts as attributes."""
    tile = georeferenced(xarray.open_zarr(region.output).isel(tile=0))
    assert CRS.from_cf(tile["spatial_ref"].attrs) == CRS.from_epsg(32634)
