"""AnthroProtect as published: every spelling, what is missing, and the real tile and table."""

import logging
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pandas
import pyogrio
import pytest
import rasterio
from anthroprotect_folder import AREAS, BANDS, write_folder, write_tile

from wildlens.anthroprotect.dataset import (
    find_root,
    investigative_scenes,
    open_folder,
    products_to_map,
    read_table,
    read_tile,
)
from wildlens.anthroprotect.step import build_tiles
from wildlens.errors import WildLensError
from wildlens.legend import CORINE
from wildlens.settings import DEMO, Landcover, Product, Scene, Tiles
from wildlens.tiles.store import open_tiles

FILES = [f"{area}_{n}.tif" for area, splits in AREAS.items() for n in range(len(splits.split()))]


@pytest.fixture
def data() -> Path:
    root = os.environ.get("WILDLENS_TEST_DATA")
    if not root:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    return Path(root) / "anthroprotect-tile"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_folder(tmp_path_factory.mktemp("base"), np.random.default_rng(0))


@pytest.fixture
def folder(written, tmp_path) -> Path:
    return shutil.copytree(written, tmp_path / "anthroprotect")


def build(folder: Path, output: Path, *, masked=(), bands=("B02", "B03", "B04"), **tiles):
    scene = Scene(bands=list(bands), mask_classes=list(masked))
    build_tiles(
        folder, output / "tiles.zarr", output / "tiles.gpkg",
        Tiles(size=256, **tiles), scene, Landcover(),
    )  # fmt: skip
    table = pyogrio.read_dataframe(output / "tiles.gpkg").set_index("name")
    return open_tiles(output / "tiles.zarr"), table


def refusal(call, *arguments, **options) -> str:
    with pytest.raises(WildLensError) as error:
        call(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_tiles_equal_the_published_ones(folder, tmp_path):
    build(folder, tmp_path)  # an earlier result is replaced
    tiles, table = build(folder, tmp_path, bands=("B04", "B8A", "B12"))
    assert tiles["name"].values.tolist() == [file.removesuffix(".tif") for file in FILES]
    expected = [split for splits in AREAS.values() for split in splits.split()]
    assert tiles["split"].values.tolist() == expected == table["split"].tolist()
    assert tiles["label"].values.tolist() == [int(f.startswith("wdpa")) for f in FILES]
    assert tiles["band"].values.tolist() == ["B04", "B8A", "B12"]
    wanted = [BANDS.index(name) for name in ("B4", "B8A", "B12")]
    for index, file in enumerate(FILES):
        with rasterio.open(folder / "tiles/s2" / file) as dataset:
            assert np.array_equal(tiles["reflectance"][index], dataset.read()[wanted])
            crs, bounds = f"EPSG:{dataset.crs.to_epsg()}", dataset.bounds
            assert tiles["crs"].values[index] == crs
            centres = dataset.xy(range(256), range(256))
            assert np.array_equal([tiles["tile_x"][index], tiles["tile_y"][index]], centres)
        with rasterio.open(folder / "tiles/lcs" / file) as dataset:
            codes = dataset.read(dataset.descriptions.index("CORINE") + 1)
        taken = tiles["landcover"][index].values
        assert np.array_equal(np.array([0, *(c.code for c in CORINE.classes)])[taken], codes)
        outline = table.geometry.iloc[[index]].to_crs(crs).total_bounds
        assert np.allclose(outline, bounds, atol=0.01)
        assert tiles["anthropogenic_share"][index] == pytest.approx((codes == 211).mean())


def test_blocks_are_areas_and_offsets_are_by_zone(folder, tmp_path):
    tiles, _ = build(folder, tmp_path)
    assert list(dict.fromkeys(tiles["block"].values)) == list(AREAS)
    for scene in ("anthroprotect-32632", "anthroprotect-32633"):
        zone = tiles.isel(tile=tiles["scene"].values == scene)
        assert zone["row"].values.min() == zone["col"].values.min() == 0
        assert set(zone["row"].values) == {0, 2000, 4000, 6000}
        assert set(zone["col"].values) == {0, 500, 1000}


def test_masked_scene_classes_become_no_data(folder, tmp_path):
    tiles, _ = build(folder, tmp_path, masked=[9])
    for index, file in enumerate(FILES):
        with (
            rasterio.open(folder / "tiles/s2" / file) as s2,
            rasterio.open(folder / "tiles/s2_scl" / file) as scl,
        ):
            bands = s2.read([1, 2, 3])
            missing = (bands == 0).any(axis=0) | (scl.read(1) == 9)
        assert np.array_equal(tiles["reflectance"][index], np.where(missing, 0, bands))
        assert tiles["missing_share"][index] == pytest.approx(missing.mean())


def test_both_column_names_of_the_split(tmp_path):
    rng = np.random.default_rng(0)
    first = write_folder(tmp_path / "first", rng, areas={"wdpa-Ib_1": "train"})
    second = write_folder(
        tmp_path / "second", rng, areas={"wdpa-Ib_1": "train"}, column="datasplit"
    )
    assert read_table(first / "infos.csv").equals(read_table(second / "infos.csv"))


def test_missing_files_are_named_and_counted(folder, tmp_path, caplog):
    extra = "anthropo_13.61147-57.69620-04-8"
    (folder / f"tiles/s2/{extra}_1.tif").unlink()
    (folder / "tiles/lcs/wdpa-II_4658-1_1.tif").unlink()
    (folder / "tiles/s2_scl/wdpa-II_4658-1_0.tif").unlink()
    shutil.copy(folder / "tiles/s2/wdpa-Ib_654_0.tif", folder / "tiles/s2/wdpa-Ib_654_7.tif")
    with caplog.at_level(logging.INFO):
        tiles, table = build(folder, tmp_path)
    assert tiles.sizes["tile"] == len(FILES) - 2
    assert table.loc[f"{extra}_1", "reason"] == table.loc[f"{extra}_1", "why"] == "no s2 file"
    assert table.loc["wdpa-II_4658-1_1", "reason"] == "no lcs file"
    assert table.loc["wdpa-II_4658-1_0", "reason"] == "", (
        "SCL is not needed where nothing is masked"
    )
    assert f"s2: 1 of {len(FILES)} files are missing: {extra}_1.tif" in caplog.text
    assert "1 files are not in the table" in caplog.text
    # where it would lie, by the centre of the table, within a few metres
    box = table.loc[[f"{extra}_1"]].geometry.set_crs(4326).to_crs(32633).total_bounds
    assert np.allclose(box, [505_000, 6_590_000 - 2560, 507_560, 6_590_000], atol=25)
    tiles, table = build(folder, tmp_path, masked=[9])
    assert table.loc["wdpa-II_4658-1_0", "reason"] == "no s2_scl file"


def test_file_names_may_end_in_their_part(folder, tmp_path):
    for part in ("lcs", "s2_scl"):
        path = folder / "tiles" / part / FILES[0]
        path.rename(path.with_name(f"{path.stem}_{part}.tif"))
    tiles, _ = build(folder, tmp_path, masked=[9])
    assert tiles.sizes["tile"] == len(FILES)


def test_tiles_are_left_out_by_category_and_no_data(folder, tmp_path):
    tiles, table = build(folder, tmp_path, categories=["Ib", "II"], masked=[9], max_missing=0.5)
    assert table.loc["wdpa-Ia_6907_0", "reason"] == "category not wanted"
    assert tiles.sizes["tile"] == len(FILES) - 1
    message = refusal(build, folder, tmp_path, masked=[9], max_missing=0.001)
    assert "no protected tile in the split 'train'" in message and "tiles.max_missing" in message


def test_divided_areas_are_counted_or_kept_whole(folder, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        build(folder, tmp_path)
    assert "3 of 8 areas have tiles in more than one split (8 of 14 tiles)" in caplog.text
    # a tie goes to training; validation keeps an anthropogenic tile only if one area is its own
    areas = AREAS | {"anthropo_27.27446-63.38494-1": "val"}
    folder = write_folder(tmp_path / "more", np.random.default_rng(1), areas=areas)
    tiles, table = build(folder, tmp_path, split="areas")
    of_area = tiles.to_dataframe().groupby("block")["split"].unique().map(list)
    assert of_area["anthropo_10.20696-59.31534"] == ["train"]
    assert of_area["anthropo_16.87133-59.52749-16"] == ["test"]
    assert of_area["wdpa-II_4658-1"] == ["train"]
    assert of_area.map(len).max() == 1
    # areas lie 20 km apart in a zone, but only a few in degrees across the zones: none is dropped
    assert not table["reason"].any()
    near = refusal(build, folder, tmp_path, split="areas", distance_m=60_000)
    assert "dropped" in near


def test_dataset_is_found_in_the_unpacked_zip(folder):
    assert find_root(folder) == find_root(folder.parent) == folder
    assert "there is no such folder" in refusal(find_root, folder / "none")
    assert "expected infos.csv and tiles/s2" in refusal(find_root, folder / "tiles")


@pytest.mark.parametrize("change", [str, str.upper])
def test_own_product_named_like_an_investigative_scene_is_refused(folder, change):
    (scene,) = investigative_scenes(folder)
    simulated, own = (
        Product(name="T", product=f"{DEMO}a.tif"),
        Product(name="mine", product="a.tif"),
    )
    assert products_to_map(folder, [simulated, own]) == [scene, own]
    twice = own.model_copy(update={"name": change(scene.name)})
    said = refusal(products_to_map, folder, [twice])
    assert f"inputs.mapping: {twice.name} is the name of a scene in {folder}" in said


def test_investigative_scenes_are_products_without_offset(folder):
    (product,) = investigative_scenes(folder)
    assert product.name == "inv_hydroelectric-letsi_2019-07-01-2019-08-30"
    assert product.offset == 0 and product.landcover is None
    beside = folder / "investigative/lcs" / f"{product.name}.tif"
    beside.parent.mkdir()
    shutil.copy(product.product, beside)
    assert investigative_scenes(folder)[0].landcover == str(beside)


HEAD = "file,lon,lat,category,label,dataset\n"
ROW = "wdpa-Ib_1_0.tif,8,60,wdpa-Ib,1,train\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "cannot be read as CSV"),
        ("file,lon\n", "expected a column 'file' and rows"),
        ("name,split\na,b\n", "expected a column 'file'"),
        (HEAD.replace("dataset", "fold") + ROW, "no column of the split (datasplit or dataset)"),
        (HEAD + ROW + ROW, "line 3: 'wdpa-Ib_1_0.tif' occurs twice"),
        (HEAD + ROW.replace("wdpa-Ib_1", "../wdpa-Ib_1"), "is no name of a tile"),
        (HEAD + ROW.replace("wdpa-Ib_1_0", "wdpa-III_1_0"), "is no name of a tile"),
        (HEAD + ROW.replace("train", "training"), "has no split train, val, test ('training')"),
        (HEAD + ROW.replace(",1,train", ",0,train"), "contradicts its label ('0'); 1 such rows"),
        (HEAD + ROW.replace("60,wdpa-Ib", "60,wdpa-II"), "contradicts its category ('wdpa-II')"),
        (
            HEAD.replace("dataset", "dataset,datasplit") + ROW.replace("train", "train,val"),
            "has two splits in datasplit and dataset",
        ),
        (HEAD + ROW + 'wdpa-Ib_1_1.tif,"', "cannot be read as CSV"),
    ],
)
def test_invalid_table_is_refused(tmp_path, text, message):
    path = tmp_path / "infos.csv"
    path.write_text(text)
    found = refusal(read_table, path)
    assert message in found and str(path) in found


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda f: write_tile(f, FILES[3], np.random.default_rng(), 32632, (0, 0), 128),
         "is 128 x 128 px of 10, expected 256 x 256"),
        (lambda f: (f / "tiles/s2" / FILES[3]).write_bytes(b"II*\0"), "cannot be opened"),
        (lambda f: shutil.copy(f / "tiles/lcs" / FILES[4], f / "tiles/lcs" / FILES[3]),
         "is not on the grid"),
        (lambda f: shutil.copy(f / "tiles/lcs" / FILES[3], f / "tiles/s2" / FILES[3]),
         "has no B02, B03, B04; its bands are described as CORINE"),
        (lambda f: shutil.copy(f / "tiles/s2" / FILES[3], f / "tiles/lcs" / FILES[3]),
         "0 of its 10 bands are described as CORINE"),
        (lambda f: shutil.rmtree(f / "tiles/lcs"), "there is no such folder"),
    ],
)  # fmt: skip
def test_corrupt_tile_ends_the_step_before_writing(folder, tmp_path, break_it, message):
    break_it(folder)
    assert message in refusal(build, folder, tmp_path)
    assert not (tmp_path / "tiles.zarr").exists() and not (tmp_path / "tiles.gpkg").exists()


def test_other_layers_are_not_read_as_corine(folder, tmp_path):
    path = folder / "tiles/lcs" / FILES[0]
    with rasterio.open(path, "r+") as dataset:
        dataset.write(dataset.read(2), 1)  # IGBP 10..12 are grid codes of CORINE, too
    assert "no CORINE codes 111..523: 10, 11, 12" in refusal(build, folder, tmp_path)


def test_other_tile_size_is_refused(folder, tmp_path):
    call = (folder, tmp_path / "a", tmp_path / "b", Tiles(size=128), Scene(), Landcover())
    assert "set tiles.size to 256" in refusal(build_tiles, *call)


def test_table_of_the_published_length_is_fast(folder, tmp_path):
    rows = (folder / "infos.csv").read_text()
    for number in range(23_919 - len(FILES)):
        lon, lat = 6 + number % 200 / 10, 56 + number // 200 / 10
        area = f"anthropo_{lon:.5f}-{lat:.5f}-{number % 7}-{number % 3}"
        rows += f"{area}_{number}.tif,{lon},{lat},anthropo,0,train\n"
    (folder / "infos.csv").write_text(rows)
    start = time.process_time()
    tiles, table = build(folder, tmp_path)
    assert time.process_time() - start < 20
    assert tiles.sizes["tile"] == len(FILES) and len(table) == 23_919
    assert (table["reason"] == "no s2 file").sum() == 23_919 - len(FILES)


# --- the real ones


def test_real_table_has_the_published_counts(data):
    start = time.perf_counter()
    table = read_table(data / "anthroprotect/infos.csv")
    assert time.perf_counter() - start < 5
    counts = pandas.crosstab(table["category"], table["split"])
    assert counts.to_dict() == {
        "test": {"anthropo": 1712, "wdpa-II": 209, "wdpa-Ia": 37, "wdpa-Ib": 446},
        "train": {"anthropo": 13534, "wdpa-II": 1693, "wdpa-Ia": 295, "wdpa-Ib": 3601},
        "val": {"anthropo": 1670, "wdpa-II": 220, "wdpa-Ia": 37, "wdpa-Ib": 465},
    }
    splits = table.groupby("area")["split"].nunique()
    assert (splits == 1).sum() == 276 and (splits > 1).sum() == 77
    later = read_table(data / "file_infos_reference_scores.csv")
    pandas.testing.assert_frame_equal(table, later)


def test_real_tile_equals_rasterio(data):
    folder, file = open_folder(data), "wdpa-II_4658-1_66.tif"
    tile = read_tile(folder, file, ["B12", "B02"], [8, 10], Landcover())
    with (
        rasterio.open(folder.root / "tiles/s2" / file) as s2,
        rasterio.open(folder.root / "tiles/s2_scl" / file) as scl,
        rasterio.open(folder.root / "tiles/lcs" / file) as lcs,
    ):
        valid = ~np.isin(scl.read(1), [8, 10])
        assert 0 < valid.mean() < 1
        assert np.array_equal(tile.reflectance, s2.read([10, 1]) * valid)
        codes = lcs.read(1)
    assert np.array_equal(np.array([0, *(c.code for c in CORINE.classes)])[tile.landcover], codes)
    row = read_table(folder.table).set_index("file").loc[file]
    centre = tile.grid.extent.centroid.to_crs("EPSG:4326").coords[0]
    assert np.allclose(centre, (row["lon"], row["lat"]), atol=1e-3)


def test_real_table_without_files_lists_them(data, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        message = refusal(build, data, tmp_path)
    assert "77 of 353 areas have tiles in more than one split" in caplog.text
    assert "no protected tile in the split 'train'" in message
    assert "23918 of 23919 files are missing: anthropo_10.20696-59.31534_0.tif" in caplog.text
