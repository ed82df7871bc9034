"""Tests of maps averaged over symmetries: against a naive mean, in windows, in stores."""

import numpy as np
import pytest
import torch
import xarray
from attributed import write_tiles
from rasterio.windows import Window

from wildlens.attribute.step import attribute_tiles
from wildlens.attribution.create import create, describe
from wildlens.attribution.method import Additive
from wildlens.attribution.models import Models
from wildlens.attribution.symmetry_mean import SymmetryMean, average
from wildlens.map.windows import halo_pieces
from wildlens.methods.gan import GanDifference
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier
from wildlens.networks.generator import Generator
from wildlens.networks.symmetries import COUNT, turn, turn_back
from wildlens.settings import Attribution

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
SIDE, BANDS = 32, ["B04", "B08"]
SETTINGS = Attribution(
    occlusion_window=8, occlusion_stride=8, gradient_steps=4, symmetries=8, sign="signed"
)


def awake(network: torch.nn.Module, seed: int) -> torch.nn.Module:
    """Random weights of both signs, eval mode, frozen."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        values = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(values / max(1, parameter[0].numel()) ** 0.5)
    return network.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Models:
    folder = tmp_path_factory.mktemp("models")
    common = {"bands": BANDS, "tile_size": SIDE, "provenance": {}}
    arguments = {"bands": 2, "width": 4}
    network = {"classifier": awake(LocalClassifier(**arguments), 0)}
    weights.save(folder / "c", network, kind="local", arguments=arguments, **common)
    arguments = {"bands": 2, "width": 2, "downsamplings": 1, "blocks": 1}
    pair = {n: awake(Generator(**arguments), s) for s, n in ((1, "maximizer"), (2, "minimizer"))}
    weights.save(folder / "g", pair, kind="generator", arguments=arguments, **common)
    return Models(folder / "c", folder / "g", torch.device("cpu"))


def images(*shape, seed=0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_views_are_eight_symmetries_and_invertible():
    image = torch.arange(15.0).reshape(1, 3, 5)
    views = [turn(image, k) for k in range(COUNT)]
    assert len({(v.shape, tuple(v.flatten().tolist())) for v in views}) == 8
    assert all(torch.equal(turn_back(view, k), image) for k, view in enumerate(views))


@pytest.mark.parametrize("method", ["gan", "occlusion", "gradcam", "saliency", "deeplift"])
def test_symmetry_mean_equals_mean_of_turned_maps(models, method):
    batch = images(2, 2, SIDE, SIDE)
    single = create(method, models, SETTINGS.model_copy(update={"symmetries": 1}))
    maps = []
    for flipped in (False, True):
        for quarters in range(4):
            view = np.rot90(batch.numpy(), quarters, axes=(2, 3))
            view = view[..., ::-1] if flipped else view
            found = single(torch.from_numpy(view.copy())).numpy()
            found = found[..., ::-1] if flipped else found
            maps.append(np.rot90(found, -quarters, axes=(1, 2)))
    found = create(method, models, SETTINGS)(batch)
    scale = np.abs(maps).max()
    assert scale > 0
    np.testing.assert_allclose(found.numpy(), np.mean(maps, axis=0), atol=2e-6 * scale)
    assert np.abs(maps[0] - found.numpy()).max() > 1e-3 * scale, "views do not differ"


@pytest.mark.parametrize("method", ["gan", "occlusion", "deeplift"])
def test_turned_image_has_turned_map(models, method):
    attribute, image = create(method, models, SETTINGS), images(1, 2, SIDE, SIDE)
    expected = attribute(image)
    for k in (1, 3, 4, 6):
        found = attribute(turn(image, k))
        scale = float(expected.abs().max())
        assert torch.allclose(found, turn(expected, k), atol=1e-5 * scale)


@pytest.mark.parametrize(
    ("downsamplings", "shape"), [(0, (97, 120)), (1, (97, 120)), (2, (110, 143))]
)
def test_windowed_symmetry_mean_equals_single_pass(downsamplings, shape):
    pair = [awake(Generator(2, 2, downsamplings, 1), seed).double() for seed in (0, 1)]
    attribute = SymmetryMean(GanDifference(*pair))
    assert attribute.multiple == 2**downsamplings and attribute.halo == pair[0].halo
    scene = images(1, 2, *shape).double()
    whole, seen = attribute(scene)[0], torch.zeros(shape)
    pieces = halo_pieces(*shape, core=48, halo=attribute.halo, multiple=attribute.multiple)
    for piece in pieces:
        values = attribute(scene[:, :, *slices(piece.read)])[0]
        rows, columns = slices(piece.core)
        expected = whole[rows, columns]
        assert torch.allclose(values[piece.inner], expected, atol=1e-9, rtol=0)
        seen[rows, columns] += 1
    assert (seen == 1).all() and whole.max() > 1e-3


def slices(window: Window) -> tuple[slice, slice]:
    rows, columns = window.toslices()
    return rows, columns


def test_symmetry_mean_keeps_properties_of_method(models):
    for method in ("gan", "deeplift", "occlusion"):
        single = create(method, models, SETTINGS.model_copy(update={"symmetries": 1}))
        mean = create(method, models, SETTINGS)
        for name in ("halo", "multiple", "overlap"):
            assert getattr(mean, name) == getattr(single, name)
        said = describe(method, SETTINGS)
        one = describe(method, SETTINGS.model_copy(update={"symmetries": 1}))
        assert said == one | {"symmetries": "8"} and one["symmetries"] == "1"
    assert isinstance(mean, SymmetryMean) and not isinstance(single, SymmetryMean)


@pytest.mark.parametrize("method", ["brightness", "random", "score", "maximized"])
def test_pixel_methods_and_layers_are_not_averaged(models, method):
    assert not isinstance(create(method, models, SETTINGS), SymmetryMean)


@pytest.mark.parametrize("method", ["gan", "deeplift", "occlusion"])
def test_single_symmetry_equals_method(models, method):
    single = create(method, models, SETTINGS.model_copy(update={"symmetries": 1}))
    assert type(average(single).method) is type(single)
    assert isinstance(average(single), Additive) == isinstance(single, Additive)


def test_symmetry_mean_is_complete_and_store_names_symmetries(models, tmp_path):
    class Land:
        path = staticmethod(tmp_path.joinpath)
        names = np.array([f"tile-{i}" for i in range(4)])
        split = np.array(["train", "val", "val", "test"])
        block = np.arange(4)
        truth = None
        reflectance = np.random.default_rng(7).integers(500, 6000, (4, 2, SIDE, SIDE))
        landcover = np.ones((4, SIDE, SIDE), np.uint8)

    Land.reflectance = Land.reflectance.astype(np.uint16)
    write_tiles(Land, np.arange(4), bands=BANDS)
    attribute_tiles(
        tmp_path / "tiles.zarr", "deeplift", models.classifier_path, None, tmp_path / "d.zarr",
        SETTINGS.model_copy(update={"sign": "positive"}), "cpu",
    )  # fmt: skip
    store = xarray.open_zarr(tmp_path / "d.zarr", chunks=None)
    assert store.attrs["symmetries"] == "8" and float(store["attribution"].min()) >= 0
    gap = np.abs(store["contribution_sum"] - store["logit_difference"])
    assert float(gap.max()) < 1e-3 * float(np.abs(store["contribution_sum"]).max())
