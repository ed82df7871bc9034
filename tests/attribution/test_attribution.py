"""Tests of attribution methods: closed forms, naive references, batches, labels, refusals."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray
from captum.attr import DeepLift
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn.functional import interpolate

from wildlens.attribute.step import attribute_tiles
from wildlens.attribution import signs, supported
from wildlens.attribution.contributions import Contributions
from wildlens.attribution.create import create, describe
from wildlens.attribution.inputs import Inputs
from wildlens.attribution.models import Models
from wildlens.attribution.randomisation import randomised
from wildlens.errors import WildLensError
from wildlens.legend import CORINE
from wildlens.methods.activation_occlusion import cells_of, fill, measure
from wildlens.methods.class_shares import ClassShares, fit, shares
from wildlens.methods.deeplift import DeepLiftContributions
from wildlens.methods.expected_gradients import ExpectedGradientContributions
from wildlens.methods.gradcam import GradCam
from wildlens.methods.guided_gradcam import GuidedGradCam
from wildlens.methods.integrated_gradients import IntegratedGradientContributions, path_integral
from wildlens.methods.saliency import GradientMagnitude
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier, UNetClassifier
from wildlens.networks.generator import Generator
from wildlens.networks.images import to_images
from wildlens.networks.standardise import Standardise
from wildlens.registry import methods
from wildlens.registry.record import RANDOMISED
from wildlens.settings import Attribution
from wildlens.tiles.store import open_group, open_tiles

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

METHODS = methods.attributions()
SIDE, BANDS = 48, ["B04", "B08"]
SETTINGS = Attribution(
    baseline="zero",
    occlusion_window=16, occlusion_stride=16, expected_tiles=3, expected_steps=2,
    gradient_steps=8, activation_tiles=4, activation_bins=4, batch_size=5,
)  # fmt: skip
FAMILIES = {
    "local": {"bands": 2, "width": 4},
    "unet": {"bands": 2, "tile_size": SIDE, "width": 4, "depth": 2, "strides": [2, 2, 2]},
}


def random_network(network: nn.Module, seed: int) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        values = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(values / max(1, parameter[0].numel()) ** 0.5)
    network.standardise.set_statistics(torch.tensor([0.2, 0.3]), torch.tensor([0.1, 0.2]))
    return network.eval().requires_grad_(False)


def save_classifier(path: Path, network: nn.Module, kind: str) -> None:
    weights.save(
        path, {"classifier": network}, kind=kind, arguments=FAMILIES[kind],
        bands=BANDS, tile_size=SIDE, provenance={},
    )  # fmt: skip


@pytest.fixture(scope="module")
def tiles(tmp_path_factory):
    """A training set: 8 training tiles of both labels, with land cover that separates them."""
    from attributed import write_tiles

    class Land:
        folder = tmp_path_factory.mktemp("tiles")
        path = staticmethod(folder.joinpath)
        rng = np.random.default_rng(7)
        names = np.array([f"tile-{i}" for i in range(10)])
        split = np.array(["train"] * 8 + ["val", "test"])
        block = np.arange(10)
        truth = None
        reflectance = rng.integers(500, 6000, (10, 2, SIDE, SIDE)).astype(np.uint16)
        landcover = rng.integers(1, 45, (10, SIDE, SIDE)).astype(np.uint8)

    write_tiles(Land, np.arange(10), bands=BANDS)
    return Land.path("tiles.zarr")


@pytest.fixture(scope="module", params=FAMILIES)
def models(request, tmp_path_factory, tiles):
    folder = tmp_path_factory.mktemp("models")
    kind = request.param
    build = {"local": LocalClassifier, "unet": UNetClassifier}[kind]
    network = random_network(build(**FAMILIES[kind]), 0)
    save_classifier(folder / "c.safetensors", network, kind)
    arguments = {"bands": 2, "width": 4, "downsamplings": 1, "blocks": 2}
    pair = {
        name: random_network(Generator(**arguments), seed)
        for seed, name in enumerate(("maximizer", "minimizer"), 1)
    }
    common = {"bands": BANDS, "tile_size": SIDE, "provenance": {}}
    weights.save(folder / "g.safetensors", pair, kind="generator", arguments=arguments, **common)
    paths = (folder / "c.safetensors", folder / "g.safetensors")
    return Models(*paths, torch.device("cpu"), tiles)


def images(count=4, seed=0, side=SIDE):
    return torch.rand((count, 2, side, side), generator=torch.Generator().manual_seed(seed))


def attribute(method, batch, corners):
    """Attributions of a batch of tiles without missing pixels, with these corners."""
    valid = torch.ones(len(batch), *batch.shape[2:], dtype=torch.bool)
    return Inputs(batch, valid, corners).attribute(method)


def created(method, models, settings=SETTINGS):
    """The method; the test is skipped if this family of classifiers does not support it."""
    try:
        return create(method, models, settings)
    except WildLensError as error:
        assert methods.find(method).classifier and "only architecture" in str(error)
        pytest.skip("refused for this family of classifiers")


# --- all methods ----------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [m for m in METHODS if m != "class_shares"])
def test_attribution_of_tile_is_independent_of_batch(models, method):
    batch, corners = images(4), torch.arange(8).reshape(4, 2) * SIDE
    together = attribute(created(method, models), batch, corners)
    other = created(method, models)
    alone = attribute(other, batch[2:3], corners[2:3])
    reversed_ = attribute(other, batch.flip(0), corners.flip(0))
    assert together.shape == (4, SIDE, SIDE) and together.dtype == torch.float32
    scale = together.abs().max()
    assert scale > 0, "a map of zeros would pass"
    assert torch.allclose(together[2], alone[0], atol=1e-5 * scale, rtol=1e-4)
    assert torch.allclose(together.flip(0), reversed_, atol=1e-5 * scale, rtol=1e-4)


def test_class_shares_of_tile_are_independent_of_batch(models):
    method = create("class_shares", models, SETTINGS)
    classes = torch.randint(0, 45, (3, 9, 9), generator=torch.Generator().manual_seed(0))
    assert torch.equal(method(classes)[1:2], method(classes[1:2]))


SIGNED = ["deeplift", "integrated_gradients", "expected_gradients", "occlusion"]
SIGNED += ["activation_occlusion"]


@pytest.mark.parametrize("method", SIGNED)
def test_swapped_labels_negate_signed_attribution(models, method, tmp_path):
    """A classifier of swapped labels has the opposite logit, so attributions change their sign.

    With the positive rule, the map for the other label is the negative part of the signed one.
    """
    swapped = swap_labels(models, tmp_path / "swapped.safetensors")
    signed = SETTINGS.model_copy(update={"sign": "signed"})
    batch = images(3)
    one, other = created(method, models, signed)(batch), created(method, swapped, signed)(batch)
    scale = one.abs().max()
    assert scale > 0
    assert torch.allclose(one, -other, atol=2e-4 * scale, rtol=1e-3)
    if isinstance(create(method, models, SETTINGS), Contributions):
        assert (one > 0.01 * scale).any() and (one < -0.01 * scale).any()
        cut = create(method, swapped, SETTINGS)(batch)
        assert torch.allclose(cut, (-one).clamp(min=0), atol=2e-4 * scale, rtol=1e-3)


def swap_labels(models, path):
    network = weights.load_classifier(models.classifier_path)
    last = network.evidence if hasattr(network, "evidence") else network.head[-1]
    last.weight.neg_(), last.bias.neg_()
    save_classifier(path, network, "local" if hasattr(network, "evidence") else "unet")
    return replace(models, classifier_path=path)


def test_swapped_labels_swap_generators(models, tmp_path):
    """Swapped labels exchange maximizer and minimizer: |X+ - X-| is unchanged, |X - X-| is not."""
    maximizer, minimizer = models.generators
    path = tmp_path / "swapped.safetensors"
    weights.save(
        path, {"maximizer": minimizer, "minimizer": maximizer}, kind="generator",
        arguments={"bands": 2, "width": 4, "downsamplings": 1, "blocks": 2},
        bands=BANDS, tile_size=SIDE, provenance={},
    )  # fmt: skip
    swapped, batch = replace(models, generators_path=path), images(2)
    assert torch.equal(*(create("gan", m, SETTINGS)(batch) for m in (models, swapped)))
    expected = (batch - maximizer(batch)).abs().mean(dim=1)
    assert torch.allclose(create("minimizer", swapped, SETTINGS)(batch), expected)


def test_swapped_labels_negate_class_shares():
    rng = np.random.default_rng(0)
    by_tile, labels = rng.dirichlet(np.ones(45), 60), rng.integers(0, 2, 60)
    np.testing.assert_allclose(fit(by_tile, labels), -fit(by_tile, 1 - labels), atol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_method_record_fills_all_tags(method):
    said = describe(method, SETTINGS)
    assert said["wildlens_method"] == method and all(said.values())
    baselines = dict.fromkeys(("deeplift", "occlusion", "integrated_gradients"), "zero")
    baselines["expected_gradients"] = "training tiles"
    baselines["minimizer_contributions"] = "pattern-minimized image"
    assert said["baseline"] == baselines.get(method.removesuffix(RANDOMISED), "none")
    rules = ("minimizer_contributions", "deeplift", "integrated_gradients",
             "expected_gradients", "guided_gradcam")  # fmt: skip
    ruled = method.removesuffix(RANDOMISED) in rules
    assert said["sign_rule"] == ("positive" if ruled else "fixed by the method")


# --- tiles on disk ------------------------------------------------------------------------------


def attributed(models, method, output, settings=SETTINGS):
    attribute_tiles(
        models.tiles_path, method, models.classifier_path, models.generators_path, output,
        settings, "cpu",
    )  # fmt: skip
    return open_group(output)


@pytest.mark.parametrize("method", ["deeplift", "expected_gradients", "gradcam"])
def test_store_completeness_uses_signed_contributions(models, method, tmp_path, caplog):
    with caplog.at_level("INFO", "wildlens"):
        store = attributed(models, method, tmp_path / "a.zarr")
    assert ("completeness gap of the contributions" in caplog.text) == (method != "gradcam")
    signed = SETTINGS.model_copy(update={"sign": "signed"})
    full = attributed(models, method, tmp_path / "b.zarr", signed)
    assert store.sizes["tile"] == 2 and store["split"].values.tolist() == ["val", "test"]
    assert store["attribution"].encoding["chunks"][1:] == store["attribution"].shape[1:]
    if method == "gradcam":
        assert "contribution_sum" not in store
        return
    assert (store["attribution"].values >= 0).all()
    np.testing.assert_allclose(
        store["contribution_sum"], full["attribution"].sum(dim=("y", "x")), rtol=1e-4
    )
    with open_tiles(models.tiles_path) as tiles:
        stored = tiles["reflectance"].isel(tile=[8, 9]).values
    batch, _ = to_images(stored, models.classifier.standardise.mean)
    baselines = torch.zeros(1, 2, SIDE, SIDE)
    if method == "expected_gradients":
        baselines = models.training_images(SETTINGS.expected_tiles, SETTINGS.seed)
    expected = models.classifier(batch) - models.classifier(baselines).mean()
    np.testing.assert_allclose(store["logit_difference"], expected, rtol=1e-3, atol=1e-5)


def test_store_says_name_and_unit_of_its_values(models, tmp_path):
    attributed(models, "deeplift", tmp_path / "a.zarr")
    store = xarray.open_zarr(tmp_path / "a.zarr")
    assert store["attribution"].attrs == {"long_name": "DeepLIFT", "units": "logit"}
    assert store["contribution_sum"].attrs == {"units": "logit"}


def test_class_shares_store_equals_coefficients_of_land_cover(models, tmp_path):
    store = attributed(models, "class_shares", tmp_path / "a.zarr")
    method = create("class_shares", models, SETTINGS)
    with open_tiles(models.tiles_path) as tiles:
        classes = tiles["landcover"].isel(tile=[8, 9]).values
    assert np.array_equal(store["attribution"], method.coefficients.numpy()[classes])
    assert store.attrs["wildlens_method"] == "class_shares"


def test_earlier_attributions_are_replaced_and_training_sets_are_not(models, tmp_path):
    output = tmp_path / "a.zarr"
    attributed(models, "deeplift", output)
    assert attributed(models, "class_shares", output).attrs["wildlens_method"] == "class_shares"
    with pytest.raises(WildLensError, match="is not an earlier result of this command"):
        attributed(models, "deeplift", models.tiles_path)
    with open_tiles(models.tiles_path) as tiles:
        assert "reflectance" in tiles


# --- closed forms and naive references --------------------------------------------------------


class Linear(nn.Module):
    """A classifier with a linear logit, whose attributions are known in closed form."""

    tile_size = 12

    def __init__(self, seed=0):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.standardise = Standardise(2)
        self.standardise.set_statistics(torch.tensor([0.2, 0.3]), torch.tensor([0.1, 0.2]))
        self.weight = torch.randn((2, 12, 12), generator=generator)

    def forward(self, images):
        return (self.standardise(images) * self.weight).sum(dim=(1, 2, 3)) + 0.7


def linear_case():
    model, batch = Linear(), images(3, side=12)
    sd = model.standardise.sd[:, None, None]
    return model, batch, model.weight / sd  # the gradient with respect to reflectance


@pytest.mark.parametrize("base", [0.0, 0.1])
@pytest.mark.parametrize("rule", signs.RULES)
@pytest.mark.parametrize(
    "method",
    [DeepLiftContributions, IntegratedGradientContributions, ExpectedGradientContributions],
)
def test_contributions_of_linear_model_equal_gradient_times_difference(method, rule, base):
    model, batch, gradient = linear_case()
    baseline = torch.full((1, 2, 1, 1), base)
    signed = (gradient * (batch - baseline)).sum(dim=1)
    expected = {"signed": signed, "absolute": signed.abs(), "positive": signed.clamp(min=0)}[rule]
    attribute = method(model, baseline, sign_rule=rule)
    scale = signed.abs().max()
    assert torch.allclose(attribute(batch), expected, atol=1e-5 * scale, rtol=1e-4)
    assert torch.allclose(
        attribute.contributions(batch).sum(dim=(1, 2)), attribute.difference(batch), atol=1e-3
    )


def test_expected_gradients_of_linear_model_use_mean_baseline():
    model, batch, gradient = linear_case()
    baselines = images(5, seed=9, side=12)
    expected = (gradient * (batch - baselines.mean(dim=0))).sum(dim=1)
    attribute = ExpectedGradientContributions(model, baselines, sign_rule="signed", steps=1)
    assert torch.allclose(attribute(batch), expected, atol=1e-4, rtol=1e-4)
    assert torch.allclose(expected.sum(dim=(1, 2)), attribute.difference(batch), atol=1e-3)


def test_gradient_of_linear_model_equals_its_weight():
    model, batch, gradient = linear_case()
    expected = (gradient * model.standardise.sd[:, None, None]).abs().amax(dim=0)
    assert torch.allclose(GradientMagnitude(model)(batch), expected.expand(3, -1, -1), atol=1e-5)


class LinearWithLayer(Linear):
    """A linear model with a last convolution for GradCAM."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.last_block = nn.Conv2d(2, 3, 3, padding=1)
        self.blocks = [self.last_block]
        self.heads = torch.randn(3, 12, 12)
        self.requires_grad_(False)

    def forward(self, images):
        return (self.last_block(self.standardise(images)) * self.heads).sum(dim=(1, 2, 3))


def test_gradcam_methods_of_linear_model_equal_closed_forms():
    model, batch = LinearWithLayer(), images(3, side=12)
    activations = model.last_block(model.standardise(batch))
    cam = (activations * model.heads.mean(dim=(1, 2))[:, None, None]).sum(dim=1).clamp(min=0)
    assert torch.allclose(GradCam(model)(batch), cam, atol=1e-5)
    # without a ReLU, the guided gradient is the transposed convolution of the heads
    weight = model.last_block.weight
    gradient = nn.functional.conv_transpose2d(model.heads[None], weight, padding=1)[0]
    expected = cam * gradient.sum(dim=0)  # with respect to standardised images
    assert torch.allclose(GuidedGradCam(model, "signed")(batch), expected, atol=1e-4)


def shift_before_normalisation(network):
    """Add a bias before every batch normalisation, and to its running mean."""
    generator = torch.Generator().manual_seed(3)
    for block in [m for m in network.modules() if isinstance(m, nn.Sequential)]:
        if len(block) > 1 and isinstance(block[1], nn.BatchNorm2d):
            bias = 5 * torch.randn(block[1].num_features, generator=generator)
            block[0].bias = nn.Parameter(bias.clone(), requires_grad=False)
            block[1].running_mean += bias


def scale_channels(network):
    """Scale channels of the last block, and the weights of the next layer by the inverse."""
    block, local = network.blocks[-1], hasattr(network, "evidence")
    channels = block[0].out_channels
    scale = torch.linspace(0.2, 5, channels)
    scaled, following = (block[1], network.evidence) if local else (block[0], network.head[1])
    scaled.weight *= scale.reshape(-1, *[1] * (scaled.weight.dim() - 1))
    scaled.bias *= scale
    per_input = scale.repeat_interleave(following.weight.shape[1] // channels)
    following.weight /= per_input.reshape(1, -1, *[1] * (following.weight.dim() - 2))


@pytest.mark.parametrize("method", [GradCam, GuidedGradCam])
@pytest.mark.parametrize("change", [shift_before_normalisation, scale_channels])
def test_gradcam_is_equal_for_equivalent_networks(models, method, change):
    """The map depends on the function, not on the network's parametrisation."""
    network, equal = (weights.load_classifier(models.classifier_path) for _ in range(2))
    before = [parameter.clone() for parameter in equal.parameters()]
    change(equal)
    assert any(
        a.shape != b.shape or not torch.equal(a, b)
        for a, b in zip(before, equal.parameters(), strict=False)
    )
    batch = images(3)
    assert torch.allclose(network(batch), equal(batch), atol=1e-4, rtol=1e-4)
    expected, found = method(network)(batch), method(equal)(batch)
    assert expected.abs().max() > 0
    assert torch.allclose(found, expected, atol=1e-4 * float(expected.abs().max()), rtol=1e-3)


@pytest.mark.parametrize("before", [0, 1, 3])
@pytest.mark.parametrize("swapped", [False, True])
def test_gradcam_equals_naive_reference(models, swapped, before, tmp_path):
    """Gradients in float64: weights are their means, the weighted sum is rectified and enlarged."""
    if swapped:  # values that were all positive are then all rectified to 0
        models = swap_labels(models, tmp_path / "swapped.safetensors")
    network = weights.load_classifier(models.classifier_path).double()
    batch, kept = images(3).double(), []
    hook = network.blocks[-1 - before].register_forward_hook(lambda *a: kept.append(a[2]))
    logits = network(batch.requires_grad_())
    hook.remove()
    (gradients,) = torch.autograd.grad(logits.sum(), kept)
    ours = GradCam(models.classifier, before)(batch.detach().float())
    for activation, gradient, image in zip(kept[0].detach(), gradients, ours, strict=True):
        cells = torch.zeros(activation.shape[1:], dtype=torch.float64)
        for channel, slope in zip(activation, gradient, strict=True):
            cells += channel * slope.mean()
        expected = nn.functional.interpolate(
            cells.clamp(min=0)[None, None], (SIDE, SIDE), mode="bilinear", align_corners=False
        )[0, 0]
        assert torch.allclose(image.double(), expected, atol=1e-5 * float(cells.abs().max()))


def test_integrated_gradients_equal_naive_integral(models):
    """By the definition: the mean of float64 gradients at many points of the path."""
    network = weights.load_classifier(models.classifier_path).double()
    image = images(1).double()
    total = torch.zeros_like(image)
    for k in range(200):
        point = (image * (k + 0.5) / 200).requires_grad_()
        total += torch.autograd.grad(network(point).sum(), point)[0] / 200
    expected = (total * image).sum(dim=1)
    settings = SETTINGS.model_copy(update={"sign": "signed", "gradient_steps": 100})
    ours = create("integrated_gradients", models, settings)(image.float())
    assert torch.allclose(ours.double(), expected, atol=0.02 * float(expected.abs().max()))


@pytest.mark.parametrize(
    "method",
    ["integrated_gradients", "expected_gradients", "deeplift", "minimizer_contributions"],
)
def test_contributions_sum_to_logit_difference(models, method):
    """Nearly exact for integrals with many steps, and for DeepLIFT without maximum pooling."""
    settings = SETTINGS.model_copy(update={"gradient_steps": 100, "expected_steps": 60})
    attribute, batch = create(method, models, settings), images(2)
    gap = attribute.contributions(batch).sum(dim=(1, 2)) - attribute.difference(batch)
    pooled = method in ("deeplift", "minimizer_contributions") and hasattr(
        models.classifier, "unet"
    )
    scale = attribute.contributions(batch).abs().sum(dim=(1, 2)).max()
    assert gap.abs().max() < (0.2 if pooled else 0.02) * scale


def test_minimizer_contributions_equal_deeplift_from_minimized_image(models):
    batch = images(2)
    minimized = models.generators[1](batch)
    expected = DeepLift(models.classifier).attribute(batch.requires_grad_(), minimized).sum(dim=1)
    attribute = create("minimizer_contributions", models, SETTINGS)
    assert torch.allclose(attribute.contributions(batch.detach()), expected, atol=1e-5)
    assert torch.allclose(attribute(batch.detach()), expected.clamp(min=0), atol=1e-5)
    difference = models.classifier(batch) - models.classifier(minimized)
    assert torch.allclose(attribute.difference(batch.detach()), difference, atol=1e-6)


def test_minimizer_contributions_fall_back_to_integrated_gradients(models):
    refused = replace(models)
    refused.__dict__["classifier"] = Unsupported(models.classifier)
    batch = images(2)
    attribute = create("minimizer_contributions", refused, SETTINGS)
    expected = path_integral(
        models.classifier, batch, models.generators[1](batch), SETTINGS.gradient_steps, 5
    )
    assert torch.allclose(attribute.contributions(batch), expected, atol=1e-5)


class Unsupported(nn.Module):
    """A classifier with a function that captum cannot hook."""

    def __init__(self, classifier: nn.Module):
        super().__init__()
        self.classifier, self.bands = classifier, classifier.bands
        self.standardise, self.tile_size = classifier.standardise, classifier.tile_size

    def forward(self, images):
        return self.classifier(images) + torch.relu(images).sum() * 0


# --- activation-space occlusion --------------------------------------------------------------


def test_cells_of_extreme_activations_are_the_corners():
    maps = torch.tensor([-1.0, -0.51, -0.49, 0.99, 1.0])
    grid = torch.stack(torch.meshgrid(maps, maps, indexing="ij"))[None]
    cells = cells_of(grid, 4)[0]
    rows = torch.tensor([0, 0, 1, 3, 3])
    assert torch.equal(cells, rows[:, None] * 4 + rows)


def test_activation_occlusion_equals_naive_reference():
    network = random_network(UNetClassifier(**FAMILIES["unet"]), 5)
    batch, bins = images(3, seed=4), 3
    fall, share = measure(network, batch, bins, batch_size=4)
    expected_fall, expected_share = np.zeros(27), np.zeros(27)
    for image in batch:
        maps = network.activations(image[None])[0]
        for number in range(27):
            cell = np.unravel_index(number, (3, 3, 3))
            inside = torch.ones(SIDE, SIDE, dtype=torch.bool)
            for axis, index in zip(maps, cell, strict=True):
                low, high = -1 + 2 * index / bins, -1 + 2 * (index + 1) / bins
                inside &= (axis >= low) & ((axis < high) | bool(index == bins - 1))
            occluded = maps.clone()
            occluded[:, inside] = 0
            difference = network.score(maps[None]) - network.score(occluded[None])
            expected_fall[number] += float(difference)
            expected_share[number] += float(inside.float().mean())
    np.testing.assert_allclose(share, expected_share, atol=1e-6)
    np.testing.assert_allclose(fall, expected_fall, atol=1e-4)
    assert (share > 0).sum() > 1


def test_empty_cells_take_importance_of_nearest_cell():
    fall, share = np.zeros(16), np.zeros(16)
    fall[[0, 15]], share[[0, 15]] = [2.0, 6.0], [1.0, 2.0]
    importance = fill(fall, share, bins=4, maps=2).reshape(4, 4)
    assert importance[0, 0] == importance[0, 1] == importance[1, 1] == 2
    assert importance[3, 3] == importance[3, 2] == importance[2, 2] == 3


def test_too_many_cells_are_refused(models):
    if hasattr(models.classifier, "activations"):
        settings = SETTINGS.model_copy(update={"activation_bins": 100, "activation_tiles": 1})
        create("activation_occlusion", models, settings)  # 100^3 is within the bound
        models.classifier.unet.out[0] = nn.Conv2d(4, 5, 1)
        with pytest.raises(WildLensError, match=r"100\^5 cells.*activation_bins"):
            create("activation_occlusion", models, settings)
        del models.__dict__["classifier"]
    else:
        with pytest.raises(WildLensError, match="no full-size maps"):
            create("activation_occlusion", models, SETTINGS)


# --- controls -----------------------------------------------------------------------------------


def test_class_shares_are_fitted_on_training_tiles_only(models):
    method = create("class_shares", models, SETTINGS)
    tiles = models.training_tiles
    assert set(tiles["split"].values) == {"train"} and tiles.sizes["tile"] == 8
    classes = tiles["landcover"].values
    by_tile = np.zeros((8, 45))
    for row, tile in zip(by_tile, classes, strict=True):
        for index in range(1, 45):
            row[index] = (tile == index).sum() / (tile > 0).sum()
    expected = LogisticRegression(max_iter=1000).fit(by_tile, tiles["label"].values).coef_[0]
    np.testing.assert_allclose(method.coefficients.numpy(), expected, atol=1e-5)


def test_class_shares_recover_classes_behind_labels():
    bog, field, forest = (CORINE.index_of(code) for code in (412, 211, 312))
    rng = np.random.default_rng(0)
    protected = rng.choice([0, bog, forest], (30, 16, 16)).astype(np.uint8)
    anthropogenic = rng.choice([0, field, forest], (30, 16, 16)).astype(np.uint8)
    known = shares(np.concatenate([protected, anthropogenic]))
    assert known.sum(axis=1) == pytest.approx(np.ones(60)) and (known[:, 0] == 0).all()
    coefficients = fit(known, np.repeat([1, 0], 30))
    assert coefficients[bog] > 1 and coefficients[field] < -1 and coefficients[0] == 0
    assert abs(coefficients[forest]) < 0.3
    map_ = ClassShares(torch.from_numpy(coefficients))(torch.tensor([[[bog, 0], [field, forest]]]))
    assert torch.equal(map_[0], torch.from_numpy(coefficients[[[bog, 0], [field, forest]]]))


def test_class_shares_without_both_labels_are_refused():
    with pytest.raises(WildLensError, match=r"class_shares.*both labels"):
        fit(np.full((4, 45), 1 / 45), np.ones(4))


def test_randomised_weights_are_seeded_and_keep_band_statistics(models):
    trained = models.classifier
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    state = torch.get_rng_state()
    one, again, other = (randomised(trained, seed) for seed in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), state)
    batch = images(2)
    assert torch.equal(one(batch), again(batch)) and not torch.equal(one(batch), other(batch))
    assert not torch.allclose(one(batch), trained(batch))
    assert torch.equal(one.standardise.mean, trained.standardise.mean)
    assert all(torch.equal(before[k], v) for k, v in trained.state_dict().items())
    for name, parameter in one.named_parameters():
        if parameter.dim() > 1:
            assert not torch.equal(parameter, trained.get_parameter(name)), name


def test_randomised_method_equals_method_on_random_weights(models):
    network = randomised(models.classifier, SETTINGS.seed)
    ours = create("gradcam_randomised", models, SETTINGS)(images(2))
    assert torch.equal(ours, GradCam(network)(images(2)))
    assert not torch.allclose(ours, create("gradcam", models, SETTINGS)(images(2)))


# --- refusals -------------------------------------------------------------------------------------


class Small(nn.Module):
    """A classifier with one activation, which the function `use` applies."""

    tile_size = 16

    def __init__(self, activation, use):
        super().__init__()
        torch.manual_seed(0)
        self.standardise = Standardise(2)
        self.first, self.last_block = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3)
        self.blocks = [self.first, self.last_block]
        self.activation, self.use = activation, use
        self.requires_grad_(False).eval()

    def forward(self, images):
        x = self.use(self, self.first(self.standardise(images)))
        return self.use(self, self.last_block(x)).mean(dim=(1, 2, 3))


def as_module(network, x):
    return network.activation(x) if x.shape[-1] == 14 else x


REUSED = Small(nn.ReLU(), lambda network, x: network.activation(x))
FUNCTIONAL = Small(nn.Identity(), lambda network, x: torch.relu(x) if x.shape[-1] == 14 else x)
METHODIC = Small(nn.Identity(), lambda network, x: x.clamp(min=0))
SQUARED = Small(nn.Identity(), lambda network, x: x * x)
GELU, LEAKY = Small(nn.GELU(), as_module), Small(nn.LeakyReLU(0.2), as_module)
RELU = Small(nn.ReLU(), as_module)


@pytest.mark.parametrize(
    ("check", "network", "said"),
    [
        (supported.check_deeplift, REUSED, r"'activation' \(ReLU\) 2 times"),
        (supported.check_deeplift, FUNCTIONAL, "'relu' as a function"),
        (supported.check_deeplift, METHODIC, "'clamp' as a function"),
        (supported.check_deeplift, SQUARED, "'mul' as a function"),
        (supported.check_deeplift, GELU, r"'activation' \(GELU\), for which"),
        (supported.check_guided, FUNCTIONAL, "'relu' as a function"),
        (supported.check_guided, LEAKY, r"'activation' \(LeakyReLU\), for which"),
    ],
)
def test_networks_unsupported_by_captum_are_refused_by_name(check, network, said):
    with pytest.raises(WildLensError, match=said) as error:
        check(network)
    assert "\n" not in str(error.value) and "occlusion" in str(error.value)


def test_supported_networks_pass_and_stay_unchanged():
    for network in (RELU, LEAKY):
        supported.check_deeplift(network)
    supported.check_guided(RELU)
    supported.check_gradcam(RELU)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in RELU.modules())


@pytest.mark.parametrize("network", [FUNCTIONAL, GELU, RELU])
def test_refused_networks_violate_completeness(network):
    """Captum's contributions sum to the difference of logits for supported networks only."""
    batch = images(2, side=16)
    with pytest.warns(UserWarning, match="hooks"):
        by_band = DeepLift(network).attribute(batch.requires_grad_(), torch.zeros_like(batch))
    with torch.no_grad():
        difference = network(batch) - network(torch.zeros_like(batch))
    gap = (by_band.sum(dim=(1, 2, 3)) - difference).abs().max() / difference.abs().max()
    assert (gap < 1e-4) == (network is RELU)


def test_reused_last_block_is_refused_for_gradcam():
    class Twice(Small):
        def forward(self, images):
            x = self.last_block(self.first(self.standardise(images)))
            return self.last_block(x).mean(dim=(1, 2, 3))

    with pytest.raises(WildLensError, match=r"a block \(Conv2d\) 2 times"):
        supported.check_gradcam(Twice(nn.Identity(), as_module))


def test_gradcam_block_that_the_classifier_lacks_is_refused(models):
    blocks = len(models.classifier.blocks)
    settings = SETTINGS.model_copy(update={"gradcam_block": blocks})
    with pytest.raises(WildLensError, match=f"gradcam_block is {blocks}.*at most {blocks - 1}"):
        create("gradcam", models, settings)


def test_method_without_training_tiles_names_missing_option(models):
    with pytest.raises(WildLensError, match="--tiles"):
        create("expected_gradients", replace(models, tiles_path=None), SETTINGS)


def test_activation_is_highest_map_or_score_of_locations(models):
    batch = images(3)
    found = create("activation", models, SETTINGS)(batch)
    assert torch.allclose(found, naive_activation(models.classifier, batch), atol=1e-6)


def test_minimizer_activation_is_fall_of_activation(models):
    batch = images(3)
    before = naive_activation(models.classifier, batch)
    fall = before - naive_activation(models.classifier, models.generators[1](batch))
    found = create("minimizer_activation", models, SETTINGS)(batch)
    assert torch.allclose(found, fall.clamp(min=0), atol=1e-6)
    assert found.max() > 0, "a map of zeros would pass"


def naive_activation(network: nn.Module, batch: torch.Tensor) -> torch.Tensor:
    """By its definition, (N, H, W): pixel by pixel, or by location."""
    if hasattr(network, "activations"):
        first, *others = network.activations(batch).unbind(dim=1)
        for other in others:
            first = torch.where(other > first, other, first)
        return 0.5 + first / 2
    local = 1 / (1 + (-network.local_logits(batch)).exp())
    return interpolate(local[:, None], batch.shape[-2:], mode="bilinear")[:, 0]


def test_minimizer_activation_is_zero_without_a_change(models):
    unchanged = replace(models)
    unchanged.__dict__["classifier"] = models.classifier
    unchanged.__dict__["generators"] = (None, nn.Identity())
    assert create("minimizer_activation", unchanged, SETTINGS)(images(2)).abs().max() == 0
