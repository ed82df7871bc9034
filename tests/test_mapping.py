"""Maps of scenes: grid, nodata, exactness of windows, odd shapes, and what is refused."""

import numpy as np
import pytest
import rasterio
import torch
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from rio_cogeo import cog_validate

from wildlens import raster
from wildlens.attribution import Models, create
from wildlens.attribution.occlusion import Occlusion
from wildlens.errors import WildLensError
from wildlens.mapping import map_scene
from wildlens.networks import files
from wildlens.networks.classifier import LocalClassifier
from wildlens.networks.generator import Generator
from wildlens.reflectance import to_images
from wildlens.settings import Attribution

SETTINGS = Attribution(window=64, overlap=8, occlusion_window=16, occlusion_stride=16)


def random_network(network: torch.nn.Module, seed: int) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        values = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(values / max(1, parameter[0].numel()) ** 0.5)
    network.standardise.set_statistics(torch.tensor([0.2, 0.3]), torch.tensor([0.1, 0.1]))
    return network.eval()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save = {"bands": ["B04", "B08"], "tile_size": 48, "provenance": {}}
    files.save(
        folder / "c.safetensors",
        {"classifier": random_network(LocalClassifier(2, width=4), 0)},
        kind="local", arguments={"bands": 2, "width": 4}, **save,
    )  # fmt: skip
    arguments = {"bands": 2, "width": 4, "downsamplings": 1, "blocks": 2}
    networks = {
        name: random_network(Generator(**arguments), seed)
        for seed, name in enumerate(("maximizer", "minimizer"), 1)
    }
    files.save(folder / "g.safetensors", networks, kind="generator", arguments=arguments, **save)
    return Models(folder / "c.safetensors", folder / "g.safetensors", torch.device("cpu"))


def write_scene(path, stored, bands=("B08", "B02", "B04")):
    grid = GeoBox(stored.shape[1:], Affine(10, 0, 500_000, 0, -10, 7_500_000), "EPSG:32634")
    options = {"count": len(bands), "dtype": "uint16", "nodata": 0, "tags": {}}
    with raster.writing_geotiff(path, grid, descriptions=bands, **options) as dataset:
        dataset.write(stored)
    return path


def scene_of(random, height, width):
    return random.integers(500, 6000, (3, height, width)).astype(np.uint16)


def mapped(models, path, method, output):
    map_scene(path, method, models.classifier_path, models.generators_path, output, SETTINGS, "cpu")
    with rasterio.open(output) as dataset:
        return dataset.read(1), dataset


@pytest.mark.parametrize("shape", [(200, 150), (131, 97), (30, 211), (1, 90), (3, 5)])
@pytest.mark.parametrize("method", ["gan", "minimizer", "brightness"])
def test_windows_give_the_numbers_of_one_pass(tmp_path, models, shape, method):
    stored = scene_of(np.random.default_rng(0), *shape)
    stored[:, : shape[0] // 3, : shape[1] // 3] = 0
    values, dataset = mapped(
        models, write_scene(tmp_path / "s.tif", stored), method, tmp_path / "m.tif"
    )
    assert dataset.transform == Affine(10, 0, 500_000, 0, -10, 7_500_000)
    assert dataset.crs.to_epsg() == 32634 and values.shape == shape
    assert np.array_equal(np.isnan(values), stored[0] == 0)
    padded = np.pad(stored[[2, 0]], [(0, 0), *((0, max(0, 32 - n)) for n in shape)])
    images, valid = to_images(padded[None], models.classifier.standardise.mean)
    whole = create(method, models, SETTINGS)(images)[0].numpy()[: shape[0], : shape[1]]
    keep = valid[0].numpy()[: shape[0], : shape[1]]
    assert np.allclose(values[keep], whole[keep], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(113, 97), (20, 130), (1, 60)])
@pytest.mark.parametrize("method", ["occlusion", "gradcam", "deeplift"])
def test_whole_tile_methods_fill_every_valid_pixel_and_no_other(tmp_path, models, shape, method):
    stored = scene_of(np.random.default_rng(1), *shape)
    stored[1, :, -7:] = 0  # a band that the classifier does not use
    stored[2, :, :5] = 0
    path = write_scene(tmp_path / "s.tif", stored)
    values, _ = mapped(models, path, method, tmp_path / "m.tif")
    assert np.array_equal(np.isnan(values), stored[2] == 0)


def test_a_map_is_a_cog_with_exact_statistics(tmp_path, models):
    stored = scene_of(np.random.default_rng(2), 700, 600)
    stored[:, :300] = 0
    path = tmp_path / "m.tif"
    values, _ = mapped(models, write_scene(tmp_path / "s.tif", stored), "brightness", path)
    assert cog_validate(path)[0]
    with rasterio.open(path) as dataset:
        tags, of_file = dataset.tags(1), dataset.tags()
    assert float(tags["STATISTICS_MEAN"]) == pytest.approx(np.nanmean(values), rel=1e-5)
    assert float(tags["STATISTICS_MAXIMUM"]) == pytest.approx(np.nanmax(values), rel=1e-6)
    assert of_file["wildlens_method"] == "brightness" and of_file["wildlens_scene"] == "s"
    assert "wildlens_inputs" in of_file


def test_a_scene_without_a_band_is_refused_and_leaves_nothing(tmp_path, models):
    stored = np.full((2, 40, 40), 1000, np.uint16)
    path = write_scene(tmp_path / "s.tif", stored, bands=("B02", "B04"))
    with pytest.raises(WildLensError, match=r"s\.tif: has no band B08"):
        mapped(models, path, "gan", tmp_path / "out" / "m.tif")
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_a_scene_has_no_land_cover_to_take_class_shares_of(tmp_path, models):
    path = write_scene(tmp_path / "s.tif", scene_of(np.random.default_rng(3), 40, 40))
    with pytest.raises(WildLensError, match="'class_shares' cannot map scenes"):
        mapped(models, path, "class_shares", tmp_path / "m.tif")


class Linear(torch.nn.Module):
    """A model whose attributions are known in closed form."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, images):
        return (images * self.weight).sum(dim=(1, 2, 3))


def test_occlusion_of_a_linear_model_is_its_closed_form():
    weight, images = torch.randn(2, 20, 24), torch.rand(2, 2, 20, 24)
    base = torch.tensor([0.1, 0.2])[:, None, None]
    local = (weight * (images - base)).sum(dim=1)
    method = Occlusion(Linear(weight), base, window=8, stride=8, batch_size=5)
    expected = torch.empty_like(local)
    for top in range(0, 20, 8):
        for left in range(0, 24, 8):
            square = (slice(None), slice(top, top + 8), slice(left, left + 8))
            expected[square] = local[square].sum(dim=(1, 2), keepdim=True)
    assert torch.allclose(method(images), expected, atol=1e-4)


def test_occlusion_equals_captum():
    from captum.attr import Occlusion as Reference

    torch.manual_seed(0)
    network = random_network(LocalClassifier(2, width=4), 3)
    images, base = torch.rand(1, 2, 40, 36), torch.zeros(2, 1, 1)
    ours = Occlusion(network, base, window=16, stride=8)(images)
    theirs = Reference(network).attribute(
        images, sliding_window_shapes=(2, 16, 16), strides=(2, 8, 8), baselines=0.0
    )
    assert torch.allclose(ours[0], theirs[0, 0], atol=1e-4)


def test_an_unknown_method_names_the_known_ones(models):
    with pytest.raises(WildLensError, match="unknown method 'gradcm'; known are gan"):
        create("gradcm", models, SETTINGS)
