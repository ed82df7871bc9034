"""Tests that the map of any cut of a scene equals the whole scene's map, up to rounding."""

import numpy as np
import pytest
import rasterio
import torch
from attributed import write_tiles
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine

from wildlens.attribution.create import create
from wildlens.attribution.inputs import Inputs
from wildlens.attribution.models import Models
from wildlens.files import raster
from wildlens.files.ground import ground_offset
from wildlens.map.step import map_scene
from wildlens.methods.random import ground_noise
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier, UNetClassifier
from wildlens.networks.generator import Generator
from wildlens.registry import methods
from wildlens.settings import Attribution

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

BANDS, SIDE, CORNER = ["B04", "B08"], 32, (-771_123, 50_101)  # px on the ground, odd
FAMILIES = {
    "local": (LocalClassifier, {"bands": 2, "width": 4}),
    "unet": (
        UNetClassifier,
        {"bands": 2, "tile_size": SIDE, "width": 4, "depth": 2, "strides": [2, 2]},
    ),
}
SETTINGS = Attribution(
    window=64, overlap=8, occlusion_window=16, occlusion_stride=8, batch_size=8,
    expected_tiles=2, expected_steps=2, gradient_steps=4, activation_tiles=4, activation_bins=4,
)  # fmt: skip
MAPPING = [record for record in methods.BUILT_IN if record.maps_scenes]
FINITE = [record.name for record in MAPPING if record.context != "tile"]
WHOLE_TILE = [record.name for record in MAPPING if record.context == "tile"]
WHOLE_TILE += ["gradcam_randomised"]
CUTS = [(40, 20), (41, 21), (33, 58)]


def random_network(network, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        values = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(values / max(1, parameter[0].numel()) ** 0.5)
    network.standardise.set_statistics(torch.tensor([0.2, 0.3]), torch.tensor([0.1, 0.2]))
    return network.eval()


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    class Land:
        path = staticmethod(tmp_path_factory.mktemp("tiles").joinpath)
        names = np.array([f"tile-{i}" for i in range(6)])
        split = np.array(["train"] * 4 + ["val", "test"])
        block = np.arange(6)
        truth = None
        reflectance = np.random.default_rng(7).integers(500, 6000, (6, 2, SIDE, SIDE))
        reflectance = reflectance.astype(np.uint16)
        landcover = np.ones((6, SIDE, SIDE), np.uint8)

    write_tiles(Land, np.arange(6), bands=BANDS)
    return Land.path("tiles.zarr")


def models_of(folder, tiles, family, downsamplings):
    common = {"bands": BANDS, "tile_size": SIDE, "provenance": {}}
    build, arguments = FAMILIES[family]
    network = {"classifier": random_network(build(**arguments), 0)}
    weights.save(folder / "c", network, kind=family, arguments=arguments, **common)
    arguments = {"bands": 2, "width": 4, "downsamplings": downsamplings, "blocks": 1}
    pair = {
        name: random_network(Generator(**arguments), seed)
        for seed, name in enumerate(("maximizer", "minimizer"), 1)
    }
    weights.save(folder / "g", pair, kind="generator", arguments=arguments, **common)
    return Models(folder / "c", folder / "g", torch.device("cpu"), tiles)


@pytest.fixture(scope="module")
def scene():
    """(2, 170, 150) uint16 with a missing region."""
    stored = np.random.default_rng(0).integers(500, 6000, (2, 170, 150)).astype(np.uint16)
    stored[:, 70:78, 60:90] = 0
    return stored


def grid_at(shape, row, column, pixel=10.0, shift=0.0):
    """A grid whose first pixel has this row (southward) and column from the CRS's origin."""
    affine = Affine(pixel, 0, column * pixel + shift, 0, -pixel, -row * pixel - shift)
    return GeoBox(shape, affine, "EPSG:32635")


def mapped(models, folder, stored, corner, method, settings=SETTINGS, **grid):
    options = {"count": 2, "dtype": "uint16", "nodata": 0, "tags": {}}
    path, output = folder / "scene.tif", folder / "map.tif"
    with raster.writing_geotiff(
        path, grid_at(stored.shape[1:], *corner, **grid), descriptions=BANDS,
        **options,
    ) as dataset:  # fmt: skip
        dataset.write(stored)
    map_scene(
        path, method, models.classifier_path, models.generators_path, output, settings, "cpu",
        models.tiles_path,
    )  # fmt: skip
    with rasterio.open(output) as dataset:
        return dataset.read()


def cut_of(values, cut, height=120, width=90):
    return values[:, cut[0] : cut[0] + height, cut[1] : cut[1] + width]


def assert_equal_inside(cut_map, whole_map, cut, margin):
    """Assert that maps are equal up to rounding, except for a margin along the cut's borders.

    Most processors give equal bits; on some, the order of sums in a convolution depends on the
    width of the window. A lattice that is off by a pixel gives differences of some per cent.
    """
    expected = cut_of(whole_map, cut)
    assert cut_map.shape == expected.shape and min(cut_map.shape[1:]) > 2 * margin + 4
    inside = slice(margin, -margin or None)
    found, expected = cut_map[:, inside, inside], expected[:, inside, inside]
    assert np.isfinite(found[0]).any() and np.nanstd(found[0].astype(float)) > 0
    assert np.array_equal(np.isnan(found), np.isnan(expected))
    rounding = 1 if found.dtype.kind == "u" else 1e-5 * np.nanmax(np.abs(expected))
    assert np.nanmax(np.abs(found.astype(np.float64) - expected)) <= rounding


def corner_of(cut):
    """Row and column of a cut's first pixel from the CRS's origin."""
    return CORNER[0] + cut[0], CORNER[1] + cut[1]


@pytest.fixture(scope="module", params=[("local", 1), ("unet", 2)])
def models(request, tmp_path_factory, tiles):
    return models_of(tmp_path_factory.mktemp("models"), tiles, *request.param)


@pytest.mark.parametrize(
    ("method", "symmetries"), [*((method, 1) for method in FINITE), ("gan", 8)]
)
def test_finite_halo_map_of_cut_equals_whole_map(models, scene, tmp_path, method, symmetries):
    settings = SETTINGS.model_copy(update={"symmetries": symmetries})
    whole = mapped(models, tmp_path, scene, CORNER, method, settings)
    for cut in CUTS:
        found = mapped(models, tmp_path, cut_of(scene, cut), corner_of(cut), method, settings)
        assert_equal_inside(found, whole, cut, create(method, models, settings).halo)


# trait that a method needs of the classifier -> attribute of the networks that have it
SHOWN_BY = {
    None: "forward", "activation_map": "forward", "full_size_maps": "activations",
}  # fmt: skip


@pytest.mark.parametrize("method", WHOLE_TILE)
def test_whole_tile_map_of_cut_equals_whole_map(models, scene, tmp_path, method):
    if not hasattr(models.classifier, SHOWN_BY[methods.find(method).classifier]):
        pytest.skip("refused for this family of classifiers")
    whole = mapped(models, tmp_path, scene, CORNER, method)
    for cut in CUTS:
        found = mapped(models, tmp_path, cut_of(scene, cut), corner_of(cut), method)
        assert_equal_inside(found, whole, cut, SIDE)


@pytest.mark.parametrize("stride", [4, 5, 8])
def test_occlusion_map_of_cut_equals_whole_map_for_each_stride(tiles, scene, tmp_path, stride):
    models = models_of(tmp_path, tiles, "local", 1)
    settings = SETTINGS.model_copy(update={"occlusion_stride": stride, "occlusion_window": 8})
    stored, cut = scene[:, :100, :105], (5, 9)
    whole = mapped(models, tmp_path, stored, CORNER, "occlusion", settings)
    part = cut_of(stored, cut, 90, 90)
    found = mapped(models, tmp_path, part, corner_of(cut), "occlusion", settings)
    expected = cut_of(whole, cut, 90, 90)
    inside = (slice(None), slice(SIDE, -SIDE), slice(SIDE, -SIDE))
    assert found[inside].tobytes() == expected[inside].tobytes()


@pytest.mark.parametrize("pixel, shift", [(10.0, 5.0), (10.0, 7.5), (10.0, 3.3), (0.1, 0.03)])
def test_map_of_cut_equals_whole_map_on_subpixel_shifted_grid(tiles, scene, tmp_path, pixel, shift):
    models, grid = models_of(tmp_path, tiles, "local", 2), {"pixel": pixel, "shift": shift}
    whole = mapped(models, tmp_path, scene, CORNER, "gan", **grid)
    for cut in CUTS:
        found = mapped(models, tmp_path, cut_of(scene, cut), corner_of(cut), "gan", **grid)
        assert_equal_inside(found, whole, cut, create("gan", models, SETTINGS).halo)


def test_attribution_of_unaligned_tile_equals_scene_map(tiles, tmp_path):
    """Tiles at all offsets within a cell of 4 px, in one batch, against one pass."""
    models = models_of(tmp_path, tiles, "local", 2)
    images = torch.rand((1, 2, 180, 180), generator=torch.Generator().manual_seed(0))
    method = create("minimizer", models, SETTINGS)
    whole, halo = method(images)[0], method.halo
    corners = torch.tensor([(row, row + 7) for row in range(40, 48)])
    batch = torch.cat([images[..., r : r + 100, c : c + 100] for r, c in corners.tolist()])
    valid = torch.ones(len(batch), 100, 100, dtype=torch.bool)
    values = Inputs(batch, valid, corners).attribute(method)
    for (row, column), found in zip(corners.tolist(), values, strict=True):
        expected = whole[row : row + 100, column : column + 100]
        inside = slice(halo, -halo)
        assert torch.allclose(found[inside, inside], expected[inside, inside], atol=1e-6)
    assert not torch.allclose(method(batch)[1], values[1], atol=1e-3), "offsets have no effect"


@pytest.mark.parametrize("affine", [Affine(10, 0, 5e5, 0, -10, 7e6), Affine(10, 0, 45, 0, 10, -95)])
def test_ground_offset_of_part_is_shifted_by_its_position(affine):
    grid = GeoBox((50, 60), affine, "EPSG:32635")
    row, column = ground_offset(grid)
    assert ground_offset(grid[7:, 11:]) == (row + 7, column + 11)
    assert affine @ (0, 0) == pytest.approx((10 * column, affine.e * row), abs=5.1)


def test_ground_offset_counts_rows_southward_from_origin():
    assert ground_offset(grid_at((5, 5), -771_123, 50_101)) == (-771_123, 50_101)
    assert ground_offset(grid_at((5, 5), 3, -4, pixel=20.0)) == (3, -4)


def test_noise_of_part_equals_noise_of_whole():
    whole = ground_noise(3, -5, -21, 40, 200)
    for row, column in [(0, 0), (1, 1), (7, 9), (11, 21)]:
        part = ground_noise(3, row - 5, column - 21, 20, 100)
        assert np.array_equal(part, whole[row : row + 20, column : column + 100])
    assert not np.array_equal(whole, ground_noise(4, -5, -21, 40, 200))
    assert len(np.unique(whole)) > 7990 and whole.min() >= 0 and whole.max() < 1
    assert whole.mean() == pytest.approx(0.5, abs=0.02)
    assert abs(np.corrcoef(whole[1:].ravel(), whole[:-1].ravel())[0, 1]) < 0.05
