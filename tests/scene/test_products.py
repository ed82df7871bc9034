import json
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from products import (
    BAND_IDS,
    SHAPE,
    grid,
    image_entry,
    metadata_xml,
    numbers,
    to_old_names,
    write_jp2,
    write_safe,
    write_tif,
)

from wildlens.errors import WildLensError
from wildlens.scene.products import BandFile, open_product
from wildlens.scene.products.product import BANDS, band_name
from wildlens.scene.products.safe import read_metadata
from wildlens.scene.step import build_scene
from wildlens.settings import Scene


@pytest.fixture
def data() -> Path:
    root = os.environ.get("WILDLENS_TEST_DATA")
    if not root:
        pytest.skip("WILDLENS_TEST_DATA is not set")
    return Path(root)


def refusal(path: Path) -> str:
    with pytest.raises(WildLensError) as error:
        open_product(path)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *[("B2", "B02"), ("b02", "B02"), (" B8A", "B8A"), ("b8a", "B8A"), ("B12", "B12")],
        *[("scl", "SCL"), ("B10", None), ("B0", None), ("B13", None), ("B022", None)],
        *[("B08A", None), ("blue", None), ("B2 (490 nm)", None), ("", None)],
    ],
)
def test_band_name_recognises_all_spellings(text, name):
    assert band_name(text) == name


def test_band_name_keeps_canonical_names():
    assert [band_name(name) for name in BANDS] == list(BANDS)


# --- SAFE


@pytest.mark.parametrize(
    "name",
    [
        "esa_S2B_MSIL2A_20210122T133229_N0214_R081_T22HBD_20210122T155500.SAFE",
        "S2B_MSIL2A_20220413T150759_N0400_R025_T33XWJ_20220414T082126.SAFE",
        "S2A_MSIL2A_20230625T234621_N0509_R073_T01WCP_20230626T022157.SAFE",
    ],
)
def test_real_metadata_agree_with_independent_reading(data, name):
    folder = data / "s2-safe-metadata" / name
    item = json.loads((folder / "expected_output.json").read_text())
    blue, properties = item["assets"]["blue"], item["properties"]
    product = open_product(folder)
    assert list(product.grid.affine[:6]) == blue["proj:transform"]
    assert list(product.grid.shape) == blue["proj:shape"]
    assert f"EPSG:{product.grid.crs.epsg}" == properties["proj:code"]
    assert product.description["baseline"] == properties["s2:processing_baseline"]
    assert product.quantification == 10_000
    for key, band in (("blue", "B02"), ("swir16", "B11"), ("nir08", "B8A"), ("nir09", "B09")):
        asset = item["assets"][key]
        scale, offset = (asset["raster:bands"][0][k] for k in ("scale", "offset"))
        assert product.offset[band] * scale == pytest.approx(offset)
        assert product.bands[band].path.with_suffix("") == folder / Path(asset["href"]).with_suffix(
            ""
        )
        assert product.bands[band].resolution == asset["gsd"]
    assert product.scl.path.stem.endswith("SCL_20m")
    assert set(product.bands) == set(BANDS)
    assert product.description["tile"] in name
    # B01 came to 20 m with 04.00
    assert product.bands["B01"].resolution == (60 if "N0214" in name else 20)


def test_real_metadata_with_odd_name_and_without_granule(data):
    folder = data / (
        "s2-safe-metadata/S2A_MSIL2A_20180721T053721_N0212_R062_T43MDV_20201011T181419.SAFE"
    )
    metadata = read_metadata(folder / "MTD_MSIL2a.xml")
    assert metadata.offset == {}
    assert metadata.quantification == 10_000
    assert metadata.description["baseline"] == "02.12"
    assert metadata.description["spacecraft"] == "Sentinel-2A"
    assert "MTD_TL.xml" in refusal(folder)


def test_level_1c_is_refused_by_name(data):
    folder = next((data / "s2-safe-l1c-jp2").glob("S2A_MSIL1C_*"))
    assert "Level-1C" in refusal(folder)


@pytest.mark.parametrize(
    ("folder", "mtd", "psd"),
    [
        ("p.SAFE", "MTD_MSIL2A.xml", 14),
        ("p", "MTD_MSIL2a.xml", 15),
        ("q.SAFE", "mtd_msil2a.xml", 99),
    ],
)
def test_safe_is_found_in_any_spelling(tmp_path, folder, mtd, psd):
    entries = tuple(image_entry(b, r) for b, r in (("B02", 10), ("B11", 20), ("B02", 20)))
    root = write_safe(tmp_path, {}, shape=SHAPE, folder=folder, mtd=mtd, psd=psd, listed=entries)
    product = open_product(root)
    assert product.name == folder.removesuffix(".SAFE")
    assert product.grid == grid()
    assert product.bands["B02"] == BandFile(root / f"{entries[0]}.jp2", 1, 10.0)
    assert product.scl is None
    assert product.description["sensing_time"] == "2022-04-13T15:07:59.024Z"


def test_offsets_are_assigned_by_band_id(tmp_path):
    offsets = {band: -1000 - i for i, band in enumerate(BAND_IDS)}
    path = tmp_path / "MTD_MSIL2A.xml"
    path.write_text(metadata_xml([image_entry("B02", 10)], offsets))
    assert read_metadata(path).offset == offsets
    assert offsets["B8A"] == -1008 and offsets["B12"] == -1012


def test_coarse_copies_do_not_replace_10_m_bands(tmp_path):
    entries = tuple(image_entry(b, r) for b, r in (("B04", 20), ("B05", 60), ("B05", 20)))
    product = open_product(write_safe(tmp_path, {}, shape=SHAPE, listed=entries))
    assert "B04" not in product.bands
    assert product.bands["B05"].resolution == 20


@pytest.mark.parametrize(
    "entry",
    [
        "../../other/IMG_DATA/x_B02_10m",
        "/etc/a/b_B02_10m",
        "GRANULE/x/..\\..\\y_B02_10m",
        "B02_10m",
        "",
    ],
)
def test_image_paths_outside_product_are_refused(tmp_path, entry):
    root = write_safe(tmp_path, {}, shape=SHAPE, listed=(image_entry("B03", 10), entry))
    assert "IMAGE_FILE" in refusal(root)


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("Level-2A_User_Product", "Level-1C_User_Product", "Level-1C_User_Product"),
        ('unit="none">10000<', 'unit="none">ten<', "BOA_QUANTIFICATION_VALUE"),
        ('unit="none">10000<', 'unit="none">nan<', "BOA_QUANTIFICATION_VALUE"),
        ('unit="none">10000<', 'unit="none">0<', "BOA_QUANTIFICATION_VALUE"),
        ('band_id="1"', 'band_id="13"', "BOA_ADD_OFFSET"),
        ('band_id="1"', 'band_id="-1"', "BOA_ADD_OFFSET"),
        (">-1000<", ">minus<", "BOA_ADD_OFFSET"),
        (">-1000<", ">-1000.5<", "BOA_ADD_OFFSET"),
        ("</n1:Level-2A_User_Product>", "", "not valid XML"),
        ("<n1:General_Info>", "<n1:General_Info>&bomb;", "not valid XML"),
    ],
)
def test_broken_metadata_are_refused_in_one_line_with_file(tmp_path, old, new, named):
    listed = (image_entry("B02", 10),)
    root = write_safe(tmp_path, {}, shape=SHAPE, listed=listed, offsets={"B02": -1000})
    path = root / "MTD_MSIL2A.xml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    message = refusal(root)
    assert named in message and str(path) in message


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x SYSTEM "file:///etc/passwd">',
    ],
)
def test_document_types_in_metadata_are_refused(tmp_path, doctype):
    root = write_safe(tmp_path, {}, shape=SHAPE, listed=(image_entry("B02", 10),))
    path = root / "MTD_MSIL2A.xml"
    head, body = path.read_text().split("\n", 1)
    path.write_text(f"{head}\n{doctype}\n{body}")
    assert "not valid XML" in refusal(root)


def test_grid_without_10_m_size_is_refused(tmp_path):
    root = write_safe(tmp_path, {}, shape=SHAPE, listed=(image_entry("B02", 10),))
    path = next(root.rglob("MTD_TL.xml"))
    path.write_text(path.read_text().replace('resolution="10"', 'resolution="20"'))
    assert "Size" in refusal(root)


# --- products of the first years, and products in folders


def images() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"B02": numbers(rng), "B11": numbers(rng, (30, 36)), "SCL": np.full((30, 36), 4, "u1")}


def scene_of(path: Path, folder: Path) -> np.ndarray:
    build_scene(path, folder / "scene.tif", Scene(bands=["B02", "B11"]))
    with rasterio.open(folder / "scene.tif") as dataset:
        return dataset.read()


def test_old_element_names_give_equal_scene(tmp_path):
    today = write_safe(tmp_path / "today", images(), shape=SHAPE)
    old = to_old_names(write_safe(tmp_path / "old", images(), shape=SHAPE))
    product = open_product(old)
    assert product.offset == {"B02": 0, "B11": 0} and product.quantification == 10_000
    assert product.description["baseline"] == "02.05" and product.description["tile"] == "T33XWJ"
    assert product.description["product_uri"].startswith("S2B_MSIL2A")
    np.testing.assert_array_equal(scene_of(old, tmp_path), scene_of(today, tmp_path))


@pytest.mark.parametrize("folder", ["IMG_DATA", "IMG_DATA/R20m", "QI_DATA"])
def test_scene_classification_that_old_metadata_omit_is_found(tmp_path, folder):
    root = write_safe(tmp_path, images(), shape=SHAPE)
    to_old_names(root)
    path = root / "MTD_MSIL2A.xml"
    path.write_text(re.sub(r"<IMAGE_FILE_2A>[^<]*_SCL_20m</IMAGE_FILE_2A>", "", path.read_text()))
    (scl,) = root.rglob("*_SCL_20m.jp2")
    (scl.parents[2] / folder).mkdir(exist_ok=True)
    moved = scl.rename(scl.parents[2] / folder / scl.name)
    assert open_product(root).scl.path == moved


@pytest.mark.parametrize("level", ["1C", "2A"])
def test_product_of_first_format_is_refused_by_name(tmp_path, level):
    name = f"S2A_USER_MTD_SAFL{level}_PDMC_20160102T111406_R136_V20151231T235959.xml"
    (tmp_path / name).write_text("<a/>")
    message = refusal(tmp_path)
    assert f"Level-{level} product of the format before December 2016" in message
    assert "Collection 1" in message


def test_images_without_folders_are_refused_as_first_format(tmp_path):
    root = write_safe(tmp_path, images(), shape=SHAPE)
    path = root / "MTD_MSIL2A.xml"
    path.write_text(path.read_text().replace("IMAGE_FILE>", "IMAGE_ID_2A>"))
    assert "format before December 2016" in refusal(root)


def zipped(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folder", "zip"])
def test_nested_safe_is_read(tmp_path, pack):
    inner = write_safe(tmp_path / "p.SAFE", images(), shape=SHAPE, folder="p.SAFE")
    product = open_product(pack(inner.parent))
    assert product.name == "p" and set(product.bands) == {"B02", "B11"}


@pytest.mark.parametrize("pack", [lambda folder: folder, zipped], ids=["folder", "zip"])
def test_several_products_in_folder_are_refused_by_name(tmp_path, pack):
    for name in ("a.SAFE", "b.SAFE"):
        write_safe(tmp_path / "both", images(), shape=SHAPE, folder=name)
    message = refusal(pack(tmp_path / "both"))
    assert "holds 2 products (a.SAFE, b.SAFE): give one of them" in message


def test_folder_with_zip_is_refused_naming_zip(tmp_path):
    (tmp_path / "S2B_MSIL2A.zip").write_bytes(b"")
    assert "it holds S2B_MSIL2A.zip" in refusal(tmp_path)


# --- band stacks


def test_geotiff_with_named_bands_is_read(tmp_path):
    values = numbers(np.random.default_rng(0), (4, *SHAPE))
    path = write_tif(tmp_path / "x.tif", values, descriptions=["B2", "b8a", "NDVI", "B11"])
    product = open_product(path)
    indices = {name: band.index for name, band in product.bands.items()}
    assert indices == {"B02": 1, "B8A": 2, "B11": 4}
    assert product.offset is None
    assert product.scl is None
    assert product.grid == grid()


@pytest.mark.parametrize("descriptions", [(), ("red", "green")])
def test_geotiff_without_band_names_is_refused(tmp_path, descriptions):
    path = write_tif(tmp_path / "x.tif", np.ones((2, 8, 8), "uint16"), descriptions=descriptions)
    assert "band description" in refusal(path)


def test_duplicate_band_names_are_refused(tmp_path):
    path = write_tif(tmp_path / "x.tif", np.ones((2, 8, 8), "uint16"), descriptions=["B2", "B02"])
    assert "B02" in refusal(path)


def test_anthroprotect_tile_includes_its_scene_classification(tmp_path):
    values = np.ones((1, *SHAPE), "uint16")
    path = write_tif(tmp_path / "tiles/s2/a.tif", values, descriptions=["B2"])
    assert open_product(path).scl is None
    scl = write_tif(tmp_path / "tiles/s2_scl/a.tif", values, descriptions=["SCL"])
    assert open_product(path).scl == BandFile(scl, 1, 10.0)


def test_folder_of_bands_is_read_in_all_spellings(tmp_path):
    fine, coarse = np.ones(SHAPE, "uint16"), np.ones((30, 36), "uint16")
    write_tif(tmp_path / "B2.tif", fine)
    write_tif(tmp_path / "b8a.TIF", coarse, 20)
    write_tif(tmp_path / "T33XWJ_20220413T150759_B11.tif", coarse, 20)
    write_jp2(tmp_path / "T33XWJ_20220413T150759_B04_10m.jp2", fine, 10)
    write_jp2(tmp_path / "T33XWJ_20220413T150759_B04_20m.jp2", coarse, 20)
    write_tif(tmp_path / "SCL.tif", coarse, 20)
    write_tif(tmp_path / "cloud_mask.tif", fine)
    (tmp_path / "B03.txt").write_text("no image")
    product = open_product(tmp_path)
    resolutions = {name: band.resolution for name, band in product.bands.items()}
    assert resolutions == {"B02": 10, "B8A": 20, "B11": 20, "B04": 10}
    assert product.scl.path.name == "SCL.tif"
    assert product.grid == grid()
    assert product.offset is None


def test_band_files_of_two_products_are_refused(tmp_path):
    for tile in ("T33XWJ", "T33XWK"):
        write_tif(tmp_path / f"{tile}_B02.tif", np.ones((8, 8), "uint16"))
    message = refusal(tmp_path)
    assert "T33XWJ_B02.tif" in message and "T33XWK_B02.tif" in message


def test_band_file_with_several_bands_is_refused(tmp_path):
    write_tif(tmp_path / "B02.tif", np.ones((3, 8, 8), "uint16"))
    assert "3 bands" in refusal(tmp_path)


def test_refusal_lists_the_accepted_formats(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path, tmp_path / "notes.txt", tmp_path / "absent"):
        assert "MTD_MSIL2A.xml" in refusal(path)


def test_virtual_raster_named_tif_is_refused(tmp_path):
    secret = write_tif(tmp_path / "secret.tif", np.full((8, 8), 7, "uint16"))
    disguise = tmp_path / "product" / "B02.tif"
    disguise.parent.mkdir()
    rasterio.shutil.copy(secret, tmp_path / "x.vrt", driver="VRT")
    (tmp_path / "x.vrt").rename(disguise)
    with rasterio.open(disguise) as dataset:  # GDAL itself takes it
        assert dataset.driver == "VRT"
    assert "cannot be opened as a raster" in refusal(disguise.parent)
