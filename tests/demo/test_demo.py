"""Tests of the simulated region: formats of its files, and separability of covers and labels."""

import logging
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
import zlib
from types import SimpleNamespace

import geopandas
import numpy as np
import pytest
import rasterio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.features import rasterize
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter, label
from scipy.stats import rankdata

from wildlens.demo import step
from wildlens.demo.clouds import draw_clouds
from wildlens.demo.corine import NODATA, generalise, majority_cells
from wildlens.demo.covers import (
    ANTHROPOGENIC_ONLY,
    BANDS,
    COVERS,
    CROP_FRACTIONS,
    CROPS,
    INDEX,
    LOOK_ALIKES,
    PROTECTED_ONLY,
    SHARED,
    SPECTRA,
    spectra,
)
from wildlens.demo.landscape import simulate, sun_azimuth
from wildlens.demo.neighbourhood import Neighbourhoods, beta_quantile, gamma_quantile, threshold
from wildlens.demo.noise import Noise
from wildlens.demo.protected import outline_zones
from wildlens.demo.rasters import CLASS_INDEX, scene_grid
from wildlens.demo.safe import digital_numbers
from wildlens.errors import WildLensError
from wildlens.legend import CORINE
from wildlens.scene.products import open_product
from wildlens.settings import Demo

SIZE, MAPPING_SIZE, SEED = 512, 256, 3
SETTINGS = Demo(seed=SEED, size=SIZE, mapping_size=MAPPING_SIZE)
PRODUCTS = step.PRODUCTS
FOUR = ("B02", "B03", "B04", "B08")


@pytest.fixture(scope="module")
def region(tmp_path_factory):
    """A simulated region on disk."""
    output = tmp_path_factory.mktemp("region") / "demo"
    step.run(SETTINGS, output)
    return output


@pytest.fixture(scope="module")
def landscapes():
    """Four landscapes in four bands, since statistics of a single one vary too much."""
    return [simulate(1024, 1024, seed, FOUR) for seed in (1, 2, 3, 4)]


def seed_of(product):
    return zlib.crc32(f"{SEED} {product.tile}".encode())


def size_of(product):
    return MAPPING_SIZE if product.mapping else SIZE


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read(1)


def image(region, product, band):
    (path,) = (region / product.name).glob(f"GRANULE/*/IMG_DATA/R*m/*_{band}_*.jp2")
    return read(path)


def text_of(region, product, tag):
    root = ET.parse(region / product.name / "MTD_MSIL2A.xml").getroot()
    return [element.text for element in root.iter(tag)]


def tiles(field, side=128):
    """Cut (..., H, W) into (..., n, side, side)."""
    height, width = (n // side for n in field.shape[-2:])
    lead = field.shape[:-2]
    cut = field[..., : height * side, : width * side]
    cut = cut.reshape(*lead, height, side, width, side).swapaxes(-3, -2)
    return cut.reshape(*lead, -1, side, side)


def auroc(score, positive):
    """Area under the ROC curve of `score` for a boolean `positive`."""
    ranks, count = rankdata(score), positive.sum()
    pairs = count * (len(positive) - count)
    return (ranks[positive].sum() - count * (count + 1) / 2) / pairs


# --- the landscape ---------------------------------------------------------------------------


def test_spectra_are_reflectances_and_field_is_mean_of_crops():
    assert all(len(c.spectrum) == len(BANDS) and 0 < min(c.spectrum) < 1 for c in COVERS)
    assert CROP_FRACTIONS.sum() == pytest.approx(1)
    np.testing.assert_allclose(CROP_FRACTIONS @ CROPS, COVERS[INDEX["field"]].spectrum, atol=0.001)
    assert sorted(SHARED + PROTECTED_ONLY + ANTHROPOGENIC_ONLY) == list(range(len(COVERS)))


def test_landscape_depends_on_seed_only():
    first, again, other = (simulate(256, 384, seed, FOUR) for seed in (5, 5, 6))
    for name in ("cover", "zone", "reflectance"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))
    assert first.cover.shape == first.zone.shape == (256, 384)
    assert first.reflectance.shape == (4, 256, 384)
    assert first.reflectance.dtype == np.float32


def test_band_is_independent_of_other_requested_bands():
    few, all_bands = simulate(256, 256, 5, ("B08", "B02")), simulate(256, 256, 5)
    assert np.array_equal(few.reflectance[0], all_bands.reflectance[BANDS.index("B08")])
    assert np.array_equal(few.reflectance[1], all_bands.reflectance[0])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(128, 200), st.integers(128, 200))
def test_special_covers_stay_in_their_zone(seed, height, width):
    land = simulate(height, width, seed, ("B02",))
    assert (land.zone[np.isin(land.cover, PROTECTED_ONLY)] == 1).all()
    assert (land.zone[np.isin(land.cover, ANTHROPOGENIC_ONLY)] == -1).all()
    assert land.cover.max() < len(COVERS)
    assert np.isfinite(land.reflectance).all()
    assert land.reflectance.min() >= 0 and land.reflectance.max() <= 1


def test_zones_have_equal_areas_and_shared_covers(landscapes):
    for land in landscapes:
        assert (land.zone == 1).mean() == pytest.approx(0.42, abs=0.01)
        assert (land.zone == -1).mean() == pytest.approx(0.42, abs=0.01)
    zone = np.concatenate([land.zone.ravel() for land in landscapes])
    cover = np.concatenate([land.cover.ravel() for land in landscapes])
    special = [
        np.isin(cover[zone == side], covers).mean()
        for side, covers in ((1, PROTECTED_ONLY), (-1, ANTHROPOGENIC_ONLY))
    ]
    assert special == pytest.approx([0.25, 0.25], abs=0.06)
    counts = np.stack([np.bincount(cover[zone == side], minlength=len(COVERS)) for side in (1, -1)])
    shared = counts[:, list(SHARED)] / counts[:, list(SHARED)].sum(1, keepdims=True)
    assert np.abs(shared[0] - shared[1]).max() < 0.08  # neighbourhoods are few at this size


def test_brightness_separates_target_covers_poorly(landscapes):
    values, special = [], []
    for land in landscapes:
        protected = (tiles(land.zone) == 1).all((1, 2))
        values.append(tiles(land.reflectance)[:, protected].reshape(4, -1))
        special.append(np.isin(tiles(land.cover)[protected], PROTECTED_ONLY).ravel())
    values, special = np.concatenate(values, 1)[:, ::5], np.concatenate(special)[::5]
    assert 0.15 < special.mean() < 0.45
    blue, green, red, infrared = values
    assert 0.55 < auroc(blue + green + red, special) <= 0.70
    assert 0.42 < auroc(values.sum(0), special) < 0.57
    assert 0.62 < auroc((red - infrared) / (red + infrared + 1e-6), special) < 0.78


def test_band_means_of_tiles_separate_labels_poorly(landscapes):
    means, labels = [], []
    for land in landscapes:
        zone, cover = tiles(land.zone), tiles(land.cover)
        protected = (zone == 1).all((1, 2))
        anthropogenic = np.isin(cover, ANTHROPOGENIC_ONLY).mean((1, 2)) >= 0.10
        anthropogenic &= (zone != 1).all((1, 2))
        chosen = protected | anthropogenic
        means.append(tiles(land.reflectance)[:, chosen].mean((2, 3)))
        labels.append(protected[chosen])
    means, labels = np.concatenate(means, 1), np.concatenate(labels)
    for values in (*means, means[:3].mean(0), means.mean(0)):
        assert abs(auroc(values, labels) - 0.5) < 0.2


@pytest.mark.parametrize("contrast", [0, 0.5, 2])
def test_contrast_scales_only_difference_to_look_alikes(contrast):
    scaled = spectra(contrast)
    for name, look_alike in LOOK_ALIKES.items():
        special, shared = INDEX[name], INDEX[look_alike]
        np.testing.assert_allclose(
            scaled[special] - SPECTRA[shared], contrast * (SPECTRA[special] - SPECTRA[shared]),
            atol=1e-6,
        )  # fmt: skip
    changed = np.flatnonzero((scaled != SPECTRA).any(1))
    assert set(changed) == {INDEX[name] for name in LOOK_ALIKES}
    assert scaled.min() > 0


def test_contrast_changes_reflectance_but_not_covers():
    easy, default = simulate(256, 256, 5, FOUR, 2), simulate(256, 256, 5, FOUR)
    assert np.array_equal(easy.cover, default.cover)
    bog = default.cover == INDEX["bog"]
    forest = default.cover == INDEX["conifer"]
    red = FOUR.index("B04")
    assert easy.reflectance[red, bog].mean() > 1.05 * default.reflectance[red, bog].mean()
    assert easy.reflectance[red, forest].mean() == pytest.approx(
        default.reflectance[red, forest].mean(), rel=0.01
    )


def test_later_date_is_the_same_ground_with_fields_in_one_protected_area():
    first, later = (simulate(512, 512, SEED, FOUR, date=date) for date in (0, 1))
    assert np.array_equal(first.zone, later.zone)
    changed = first.cover != later.cover
    rows, columns = np.nonzero(changed)
    square = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert later.cover[square].shape == (64, 64)
    assert (later.cover[square] == INDEX["field"]).all() and (first.zone[square] > 0).all()
    one, other = (image[~binary_dilation(changed, iterations=4)] for image in
                  (first.reflectance[3], later.reflectance[3]))  # fmt: skip
    assert 0.9 < np.corrcoef(one, other)[0, 1] < 0.999  # other light, the same land
    assert np.array_equal(later.reflectance, simulate(512, 512, SEED, FOUR, date=1).reflectance)


def test_fields_have_no_row_texture(landscapes):
    """Rows of 3 to 4.5 px with 10 % of the reflectance would give an amplitude of 0.05."""
    for land in landscapes:
        inner = binary_erosion(land.cover == INDEX["field"], iterations=3)
        infrared = land.reflectance[FOUR.index("B08")]  # least haze and sensor noise
        fine = (infrared / gaussian_filter(infrared, 1.2) - 1)[inner]
        low, high = np.percentile(fine, [16, 84])
        assert (high - low) / 2 < 0.04


@pytest.mark.parametrize("beta", [0.3, 1.5, 2.2])
def test_noise_is_standardised_and_smoother_for_higher_power(beta):
    noise = Noise(200, 300, 1)
    field = noise.power_law("a", beta)
    assert field.shape == (200, 300)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    rougher = noise.power_law("a", beta - 0.25)
    assert np.diff(field, axis=0).std() < np.diff(rougher, axis=0).std()


def test_noise_is_not_periodic():
    field = Noise(256, 256, 2).power_law("terrain", 2.2)
    neighbours = np.corrcoef(field[:, 0], field[:, 1])[0, 1]
    assert neighbours > 0.9
    assert abs(np.corrcoef(field[:, 0], field[:, -1])[0, 1]) < 0.8


def test_neighbourhood_values_follow_their_distributions():
    hoods = [Neighbourhoods(1024, 1024, seed) for seed in range(12)]
    uniform = np.stack([hood.uniform("u") for hood in hoods])
    assert np.quantile(uniform, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.04)
    assert beta_quantile(uniform, 1.2, 2.0).mean() == pytest.approx(1.2 / 3.2, abs=0.02)
    assert gamma_quantile(uniform, 0.9).mean() == pytest.approx(0.9, abs=0.08)
    full = hoods[0].full(uniform[0])
    assert full.shape == (1024, 1024)
    assert np.array_equal(full[::8, ::8], uniform[0][:128, :128])
    assert np.abs(np.diff(full)).max() < 0.03


@given(st.floats(0, 1))
def test_threshold_leaves_requested_share_above(share):
    normal = np.sort(np.random.default_rng(0).standard_normal(20_000))
    above = 1 - np.searchsorted(normal, threshold(np.float64(share))) / len(normal)
    assert above == pytest.approx(share, abs=0.015)


# --- the products ----------------------------------------------------------------------------


def test_output_paths_are_those_of_the_workflow(region):
    assert all(path.exists() for path in step.all_paths(region))
    names = {path.name for path in step.all_paths(region)} | {"truth"}
    assert {path.name for path in region.iterdir()} == names - {p.scene + ".tif" for p in PRODUCTS}
    assert len(step.product_paths(region, mapping=False)) == 4
    assert step.product_paths(region, mapping=True) == [region / p.name for p in PRODUCTS[4:]]


def test_paths_are_known_without_heavy_imports():
    heavy = "{'numpy', 'scipy', 'rasterio', 'geopandas', 'torch', 'pydantic'}"
    code = f"import sys, wildlens.demo.step; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda p: p.scene)
def test_metadata_describe_the_product(region, product):
    def texts(tag):
        return text_of(region, product, tag)

    assert texts("PRODUCT_URI") == [product.name]
    assert texts("PROCESSING_BASELINE") == [product.baseline]
    assert texts("PRODUCT_TYPE") == ["S2MSI2A"]
    assert texts("SPACECRAFT_NAME") == [f"Sentinel-{product.name[1:3]}"]
    assert texts("BOA_QUANTIFICATION_VALUE") == ["10000"]
    assert texts("BOA_ADD_OFFSET") == (["-1000"] * 13 if product.baseline >= "04.00" else [])
    assert texts("PRODUCT_START_TIME")[0][:4] == product.name[11:15]
    listed = {path + ".jp2" for path in texts("IMAGE_FILE")}
    folder = region / product.name
    assert open_product(folder).description["simulated"] == "true", "so that scenes can say it"
    assert listed == {str(path.relative_to(folder)) for path in folder.rglob("*.jp2")}


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda p: p.scene)
def test_image_grids_agree_with_tile_metadata(region, product):
    (path,) = (region / product.name).glob("GRANULE/*/MTD_TL.xml")
    root = ET.parse(path).getroot()
    (code,) = (element.text for element in root.iter("HORIZONTAL_CS_CODE"))
    assert code == f"EPSG:{326}{product.tile[1:3]}"
    for band, resolution in (("B04", 10), ("B11", 20), ("SCL", 20)):
        (jp2,) = (region / product.name).rglob(f"*_{band}_{resolution}m.jp2")
        position = root.find(f".//Geoposition[@resolution='{resolution}']")
        size = root.find(f".//Size[@resolution='{resolution}']")
        with rasterio.open(jp2) as dataset:
            assert dataset.crs.to_epsg() == product.epsg
            assert dataset.transform.c == int(position.find("ULX").text)
            assert dataset.transform.f == int(position.find("ULY").text)
            assert dataset.res == (resolution, resolution)
            assert dataset.height == int(size.find("NROWS").text)
            assert dataset.width == int(size.find("NCOLS").text)
    with rasterio.open(region / "truth" / f"{product.scene}.tif") as truth:
        assert truth.crs.to_epsg() == product.epsg
        assert truth.transform.c % 20 == truth.transform.f % 20 == 0


@pytest.mark.parametrize("product", [PRODUCTS[0], PRODUCTS[2]], ids=lambda p: p.baseline)
def test_images_equal_simulated_reflectance(region, product):
    seed, size = seed_of(product), size_of(product)
    land = simulate(size, size, seed, date=product.date)
    seed += product.date
    clouds = draw_clouds(size, size, seed, sun_azimuth(seed))
    offset = 1000 if product.baseline >= "04.00" else 0
    for band, reflectance in zip(BANDS, land.reflectance, strict=True):
        clouds.cover(reflectance)
        if band not in FOUR:
            quarters = [reflectance[i::2, j::2] for i in (0, 1) for j in (0, 1)]
            reflectance = np.mean(quarters, axis=0, dtype=np.float64)
        expected = np.maximum(np.rint(reflectance * 10000) + offset, 1)
        difference = np.abs(image(region, product, band) - expected)
        # a mean of four that is summed in a different order may be rounded differently
        assert difference.max() <= (0 if band in FOUR else 1)
        assert (difference == 0).mean() > 0.999
    truth = read(region / "truth" / f"{product.scene}.tif")
    assert np.array_equal(truth, CLASS_INDEX[land.cover])


@given(
    arrays(np.float32, 20, elements=st.floats(0, 1, width=32)),
    st.booleans(),
)
def test_digital_numbers_round_trip_and_are_never_zero(reflectance, has_offset):
    numbers = digital_numbers(reflectance, has_offset)
    assert numbers.dtype == np.uint16
    assert numbers.min() > 0
    back = (numbers.astype(float) - (1000 if has_offset else 0)) / 10000
    np.testing.assert_allclose(back, np.maximum(reflectance, 0 if has_offset else 1e-4), atol=6e-5)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda p: p.scene)
def test_scene_classes_mark_clouds_water_and_missing_pixels(region, product):
    classes, red = image(region, product, "SCL"), image(region, product, "B04")
    assert classes.dtype == np.uint8
    assert set(np.unique(classes)) <= {0, 3, 4, 5, 6, 8, 9, 11}
    assert {3, 4, 5, 6, 9} <= set(np.unique(classes))
    assert 0.005 < np.isin(classes, (8, 9)).mean() < 0.06  # one cloud covers much at this size
    assert 0 < (classes == 3).mean() < 0.05
    fine = classes.repeat(2, 0).repeat(2, 1)
    assert np.array_equal(fine == 0, red == 0)
    offset = 1000 * (product.baseline >= "04.00")
    assert np.median(red[fine == 9]) - offset > 3000
    truth = read(region / "truth" / f"{product.scene}.tif")
    water = CORINE.index_of(512)
    assert (truth[fine == 6] == water).mean() > 0.8
    for band in BANDS:
        numbers = image(region, product, band)
        assert np.array_equal(numbers == 0, (fine if band in FOUR else classes) == 0)


def test_only_one_training_product_has_an_orbit_edge(region):
    missing = [(image(region, product, "SCL") == 0).mean() for product in PRODUCTS]
    assert missing[1] == pytest.approx(0.06, abs=0.005)
    assert [share for i, share in enumerate(missing) if i != 1] == [0, 0, 0, 0, 0]
    edge = (image(region, PRODUCTS[1], "SCL") == 0).sum(1)
    assert edge[0] > edge[len(edge) // 2] > 0  # slanted


@pytest.mark.parametrize("product", PRODUCTS[:2], ids=lambda p: p.scene)
def test_reference_land_cover_is_paletted_grid_codes(region, product):
    with rasterio.open(region / "truth" / f"{product.scene}.tif") as dataset:
        classes = dataset.read(1)
        assert dataset.nodata == 0
        assert dataset.profile["tiled"] and dataset.profile["compress"] == "deflate"
        colours = dataset.colormap(1)
    present = set(np.unique(classes).tolist())
    assert present <= set(CLASS_INDEX.tolist())
    assert all(colours[i][:3] == CORINE.of_index(i).rgb for i in present)


@pytest.mark.parametrize("size", [256, 3072, 9_000])
def test_scenes_of_one_date_do_not_overlap(size):
    grids = [scene_grid(product, size) for product in PRODUCTS if not product.date]
    extents = [grid.extent.to_crs("EPSG:4326", resolution=5000) for grid in grids]
    for i, one in enumerate(extents):
        assert not any(one.intersects(other) for other in extents[i + 1 :])
        assert one.boundingbox.bottom > 66.5  # north of the Arctic Circle


# --- land cover ------------------------------------------------------------------------------


def test_corine_has_grid_codes_on_eea_grid(region):
    with rasterio.open(step.corine_path(region)) as dataset:
        classes = dataset.read(1)
        assert dataset.crs.to_epsg() == 3035
        assert dataset.res == (100, 100)
        assert dataset.transform.c % 100 == dataset.transform.f % 100 == 0
        assert (dataset.nodata, dataset.dtypes) == (NODATA, ("uint8",))
        assert dataset.colormap(1)[36] == (77, 77, 255, 255)
    assert set(np.unique(classes)) <= {*CLASS_INDEX.tolist(), NODATA}
    _assert_minimum_mapping_unit(classes)


def test_corine_covers_every_scene_with_majority_classes(region):
    with rasterio.open(step.corine_path(region)) as dataset:
        classes, transform = dataset.read(1), dataset.transform
    for product in (p for p in PRODUCTS if not p.date):
        truth = read(region / "truth" / f"{product.scene}.tif")
        cells = majority_cells(truth, scene_grid(product, size_of(product)))
        row = round(cells.top + transform.f / 100)
        column = round(cells.left - transform.c / 100)
        height, width = cells.classes.shape
        there = classes[row : row + height, column : column + width]
        assert np.array_equal(there == NODATA, cells.classes == NODATA)
        area = (cells.classes != NODATA).sum() * 100**2
        assert area == pytest.approx((10 * size_of(product)) ** 2, rel=0.03)


def test_corine_cell_takes_majority_class():
    product, size = PRODUCTS[0], 300
    grid = scene_grid(product, size)
    truth = np.full((size, size), 24, np.uint8)
    truth[:, 150:] = 36
    cells = majority_cells(truth, grid)
    easting, northing = np.meshgrid(
        (cells.left + np.arange(cells.classes.shape[1]) + 0.5) * 100,
        -(cells.top + np.arange(cells.classes.shape[0]) + 0.5) * 100,
    )
    points = geopandas.GeoSeries.from_xy(easting.ravel(), northing.ravel(), crs=3035)
    points = points.to_crs(product.epsg)
    column, row = grid.wld2pix(points.x.to_numpy(), points.y.to_numpy())
    found = cells.classes.ravel()
    inside = (np.minimum(column, row) > 8) & (np.maximum(column, row) < size - 8)
    assert (found[inside & (column < 142)] == 24).all()
    assert (found[inside & (column > 158)] == 36).all()
    beyond = (np.minimum(column, row) < -8) | (np.maximum(column, row) > size + 8)
    assert (found[beyond] == NODATA).all()
    assert inside.sum() > 500 and beyond.sum() > 10


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 3, 5, 9]))
def test_generalised_corine_has_no_patch_below_25_ha(seed, grain):
    rng = np.random.default_rng(seed)
    classes = rng.choice(
        [12, 24, 36, NODATA], (40 // grain + 1, 40 // grain + 1), p=[0.3] * 3 + [0.1]
    )
    classes = classes.astype(np.uint8).repeat(grain, 0).repeat(grain, 1)[:40, :40]
    before = classes.copy()
    result = generalise(classes)
    assert np.array_equal(result == NODATA, before == NODATA)
    _assert_minimum_mapping_unit(result)


def _assert_minimum_mapping_unit(classes):
    """Assert that patches have at least 25 cells, except on islands in no data that have none."""
    islands, _ = label(classes != NODATA)
    for value in np.unique(classes[classes != NODATA]):
        patches, _ = label(classes == value)
        sizes = np.bincount(patches.ravel())
        for patch in np.flatnonzero(sizes < 25):
            (island,) = np.unique(islands[patches == patch])
            assert _largest_patch(np.where(islands == island, classes, NODATA)) < 25


def _largest_patch(classes):
    return max(
        np.bincount(label(classes == value)[0].ravel())[1:].max()
        for value in np.unique(classes[classes != NODATA])
    )


# --- protected areas -------------------------------------------------------------------------


def test_sites_have_all_columns_and_kinds(region):
    sites = geopandas.read_file(step.areas_path(region), layer="WDPA_WDOECM_demo_poly")
    assert sites.crs.to_epsg() == 4326
    assert sites.columns.tolist() == [
        "WDPAID", "WDPA_PID", "PA_DEF", "NAME", "ORIG_NAME", "DESIG", "DESIG_ENG", "DESIG_TYPE",
        "IUCN_CAT", "MARINE", "STATUS", "STATUS_YR", "GIS_AREA", "ISO3", "geometry",
    ]  # fmt: skip
    assert sites["WDPAID"].is_unique and sites["WDPAID"].dtype == float
    assert sites.geometry.is_valid.all() and not sites.geometry.is_empty.any()
    kinds = set(zip(sites["IUCN_CAT"], sites["STATUS"], strict=True))
    assert kinds == {
        ("Ia", "Designated"),
        ("Ib", "Designated"),
        ("II", "Designated"),
        ("IV", "Designated"),
        ("V", "Designated"),
        ("Ib", "Proposed"),
        ("Not Applicable", "Designated"),
    }
    reserves = sites[sites["IUCN_CAT"] == "Not Applicable"]
    assert set(reserves["DESIG_ENG"]) == {"UNESCO-MAB Biosphere Reserve"}
    area = sites.to_crs(3035).area / 1e6
    np.testing.assert_allclose(sites["GIS_AREA"], area, rtol=0.01)


@pytest.mark.parametrize("product", PRODUCTS, ids=lambda p: p.scene)
def test_sites_stay_within_their_zones(region, product):
    sites = geopandas.read_file(step.areas_path(region)).to_crs(product.epsg)
    size = size_of(product)
    zone = simulate(size, size, seed_of(product), ("B02",)).zone
    transform = scene_grid(product, size).affine

    def pixels(chosen):
        shapes = list(chosen.geometry)
        return rasterize(shapes, zone.shape, transform=transform, all_touched=True).astype(bool)

    strict = sites["IUCN_CAT"].isin(["Ia", "Ib", "II"]) & (sites["STATUS"] == "Designated")
    protected = pixels(sites[strict])
    assert (zone[protected] == 1).all()
    assert protected.sum() > 0.75 * (zone == 1).sum()
    decoys = sites["IUCN_CAT"].isin(["IV", "V"]) | (sites["STATUS"] == "Proposed")
    inner = sites[decoys].assign(geometry=sites[decoys].buffer(-20))
    assert (zone[pixels(inner[~inner.is_empty])] < 1).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
@example(100153248)  # regression: a simplified outline cut a corner of the zone
def test_outlines_stay_inside_zone_of_any_shape(seed):
    field = Neighbourhoods(200, 200, seed).full(Neighbourhoods(200, 200, seed).normal("z", 50))
    zone = (field > 0.2).astype(np.int8) - (field < -0.2).astype(np.int8)
    grid = scene_grid(PRODUCTS[0], 200)
    outlines = outline_zones(zone, grid).protected
    if outlines:
        inside = rasterize(outlines, zone.shape, transform=grid.affine, all_touched=True)
        assert (zone[inside == 1] == 1).all()


# --- the run ---------------------------------------------------------------------------------


def test_equal_seed_gives_equal_bytes_and_keeps_foreign_files(region, tmp_path):
    output = tmp_path / "demo"
    output.mkdir()
    (output / "mine.txt").write_text("keep")
    (output / "truth").mkdir()
    for name in ("stale.tif", f"{PRODUCTS[0].scene}.tif"):  # of an earlier version of the demo
        (output / "truth" / name).write_text("old")
    shutil.copytree(region / PRODUCTS[1].name, output / PRODUCTS[1].name)
    step.run(SETTINGS, output)
    files = {path.relative_to(region) for path in region.rglob("*") if path.is_file()}
    found = {path.relative_to(output) for path in output.rglob("*") if path.is_file()}
    assert {str(path) for path in found - files} == {"mine.txt"}
    assert all((region / path).read_bytes() == (output / path).read_bytes() for path in files)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


@pytest.mark.parametrize("name", [PRODUCTS[0].name, "truth"])
def test_real_product_of_the_same_name_is_refused_and_stays(tmp_path, name):
    granule = tmp_path / name / "GRANULE/L2A_T34WDA"
    granule.mkdir(parents=True)
    (granule / "MTD_TL.xml").write_text("<TILE_ID>S2A_OPER_MSI_L2A_TL_SGS__2018</TILE_ID>")
    with pytest.raises(WildLensError, match=r"contains GRANULE, .* would be deleted"):
        step.run(SETTINGS, tmp_path)
    assert (granule / "MTD_TL.xml").exists() and len(list(tmp_path.iterdir())) == 1


def test_failed_product_leaves_no_files(tmp_path):
    odd = SimpleNamespace(
        seed=0, size=131, mapping_size=131, contrast=1.0
    )  # cannot be halved to 20 m
    with pytest.raises(ValueError):
        step.run(odd, tmp_path / "demo")
    assert list(tmp_path.iterdir()) == []


def test_failed_run_keeps_previous_files(tmp_path, monkeypatch):
    output = tmp_path / "demo"
    output.mkdir()
    (output / step.corine_path(output).name).write_text("old")

    def write(settings, folder):
        (folder / PRODUCTS[0].name).mkdir()
        raise RuntimeError("power cut")

    monkeypatch.setattr(step, "_write_products", write)
    with pytest.raises(RuntimeError, match="power cut"):
        step.run(SETTINGS, output)
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert [path.read_text() for path in output.iterdir()] == ["old"]


def test_unwritable_output_is_named_in_one_line(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(WildLensError, match=r"file/demo: could not be written"):
        step.run(SETTINGS, tmp_path / "file" / "demo")


def test_progress_log_states_seconds(tmp_path, monkeypatch, caplog):
    done = SimpleNamespace(result=lambda: ("cells", "zones", 12.4))
    with caplog.at_level(logging.INFO, "wildlens.demo.step"):
        assert step._report(PRODUCTS[0], done) == ("cells", "zones")
    assert caplog.messages == [f"{PRODUCTS[0].name}: written in 12 s"]
