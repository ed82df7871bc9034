"""More classes than two, and one of them explained: from labels to maps."""

import csv
import json
from itertools import product
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import torch
import xarray
from click.testing import CliRunner
from safetensors import safe_open
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from wildlens.attribution.contributions import Contributions
from wildlens.attribution.create import create
from wildlens.attribution.models import Models
from wildlens.cli import cli
from wildlens.errors import WildLensError
from wildlens.legend import CORINE
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier, UNetClassifier
from wildlens.networks.one_vs_rest import TargetLogit
from wildlens.registry import methods
from wildlens.settings import SHARES, TWO_CLASSES, Attribution, Settings, Tiles, validate
from wildlens.train_classifier.cutmix import cutmix, draw_mix
from wildlens.training.classes import Classes

SIDE, BANDS, NAMES = 48, ["B04", "B08"], ("anthropogenic", "protected", "water")
FAMILIES = {
    "local": (LocalClassifier, {"bands": 2, "width": 4}),
    "unet": (
        UNetClassifier,
        {"bands": 2, "tile_size": SIDE, "width": 4, "depth": 2, "strides": [2, 2, 2]},
    ),
}


# --- the adapter ------------------------------------------------------------------------------


@pytest.mark.parametrize(("outputs", "shape"), list(product([2, 3, 5], [(), (4, 6)])))
def test_target_logit_gives_softmax_share(outputs, shape):
    logits = 6 * torch.randn((7, outputs, *shape), dtype=torch.float64)
    for target in range(outputs):
        share = logits.softmax(dim=1)[:, target]
        found = TargetLogit(outputs, target)(logits)
        assert found.shape == (7, *shape)
        assert torch.allclose(found.sigmoid(), share, rtol=1e-7, atol=1e-12)


def test_single_logit_passes_unchanged():
    logits = torch.randn(5, 1)
    assert torch.equal(TargetLogit()(logits), logits[:, 0])
    with pytest.raises(ValueError, match="class 3 is none of 3"):
        TargetLogit(3, 3)


@pytest.mark.parametrize("kind", FAMILIES)
def test_more_classes_keep_other_weights(kind):
    """Same weights from the same seed, and nothing of the adapter among them."""
    build, arguments = FAMILIES[kind]
    torch.manual_seed(3)
    one = build(**arguments)
    torch.manual_seed(3)
    three = build(**arguments, outputs=3, target=2)
    last = "evidence" if kind == "local" else "head.4"
    for (name, a), (_, b) in zip(one.state_dict().items(), three.state_dict().items(), strict=True):
        assert torch.equal(a, b) or name.startswith(last)
    images = torch.rand(2, 2, SIDE, SIDE)
    assert torch.equal(one.eval()(images), one.class_logits(images)[:, 0])


# --- labels, losses, mixing -------------------------------------------------------------------


def test_one_logit_for_protected_else_one_per_class():
    assert Classes(NAMES[:2], "protected").outputs == 1
    assert Classes(NAMES[:2], "anthropogenic").outputs == 2
    assert Classes(NAMES, "protected").outputs == 3
    assert Classes(NAMES, "water").number == 2
    with pytest.raises(WildLensError, match=r"classifier\.target: 'watr' is no class .*water"):
        Classes(NAMES, "watr")


@pytest.mark.parametrize("target", NAMES[:2])
def test_two_logits_equal_loss_of_their_difference(target):
    logits, labels = torch.randn(20, 2), torch.randint(2, (20,)).float()
    two, one = Classes(NAMES[:2], "anthropogenic"), Classes(NAMES[:2], "protected")
    shares = torch.rand(20)
    difference = (logits[:, 1] - logits[:, 0])[:, None]
    loss = two.loss(logits, torch.stack([1 - shares, shares], dim=1))
    assert loss.item() == pytest.approx(
        binary_cross_entropy_with_logits(difference[:, 0], shares).item(), rel=1e-5
    )
    assert loss.item() == pytest.approx(one.loss(difference, shares).item(), rel=1e-5)
    assert two.accuracy(logits, labels) == one.accuracy(difference, labels)
    assert torch.equal(two.confusion(logits, labels), one.confusion(difference, labels))


def test_confusion_matrix_counts_labels_by_predictions():
    classes = Classes(NAMES, "water")
    labels = torch.tensor([0.0, 0, 1, 1, 1, 2])
    predicted = [0, 2, 1, 1, 0, 2]
    logits = nn.functional.one_hot(torch.tensor(predicted), 3).float()
    assert classes.confusion(logits, labels).tolist() == [[1, 0, 1], [1, 2, 0], [0, 0, 1]]
    assert classes.accuracy(logits, labels) == pytest.approx(4 / 6)


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_of_several_classes_equals_pixel_shares(seed):
    random = np.random.default_rng(seed)
    labels = torch.from_numpy(random.integers(0, 3, 8).astype(np.float32))
    images = nn.functional.one_hot(labels.long(), 3).float()[:, :, None, None]
    images = images.expand(8, 3, 31, 40).clone()  # a band is 1 where its class lies
    targets = Classes(NAMES, "water").targets(labels)
    mix = draw_mix(targets, 31, 40, random, "box")
    partners = mix.partners
    mixed, shares = cutmix(images, targets, images[partners], targets[partners], mix)
    assert torch.allclose(mixed.mean(dim=(2, 3)), shares, atol=1e-6)
    assert torch.allclose(shares.sum(dim=1), torch.ones(8), atol=1e-6)


# --- explaining -------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=FAMILIES)
def models(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "c.safetensors"
    build, arguments = FAMILIES[request.param]
    arguments = arguments | {"outputs": 3, "target": 2}
    network, generator = build(**arguments), torch.Generator().manual_seed(5)
    for parameter in network.parameters():
        values = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(values / max(1, parameter[0].numel()) ** 0.5)
    if request.param == "local":
        # evidence for the target: GradCAM clamps at 0, and random signs may leave none
        signs = torch.tensor([-1.0, -1.0, 1.0])[:, None, None, None]
        network.evidence.weight.data = network.evidence.weight.data.abs() * signs
    network.standardise.set_statistics(torch.tensor([0.2, 0.3]), torch.tensor([0.1, 0.2]))
    weights.save(
        path, {"classifier": network}, kind=request.param, arguments=arguments, bands=BANDS,
        tile_size=SIDE, provenance={}, classes=NAMES, target="water",
    )  # fmt: skip
    return Models(path, None, torch.device("cpu"))


def test_model_file_holds_classes_and_target(models):
    network = models.classifier
    assert (network.classes, network.target, network.target_label) == (list(NAMES), "water", 2)
    images = torch.rand(3, 2, SIDE, SIDE)
    share = network.class_logits(images).softmax(dim=1)[:, 2]
    assert torch.allclose(network(images).sigmoid(), share, atol=1e-6)


WITHOUT_TILES = [
    m for m in methods.attributions()
    if m not in ("class_shares", "activation_occlusion", "brightness", "random")
    and "generators" not in methods.find(m).needs
    and not m.startswith("expected") and not m.endswith("_randomised")
]  # fmt: skip


@pytest.mark.parametrize("method", WITHOUT_TILES)
def test_every_method_explains_the_target_logit(models, method):
    settings = Attribution(
        occlusion_window=16, occlusion_stride=16, gradient_steps=64, sign="signed"
    )
    attribute = create(method, models, settings)
    images = torch.rand((2, 2, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    values = attribute(images)
    assert values.shape == (2, SIDE, SIDE) and values.abs().max() > 0
    if isinstance(attribute, Contributions):
        gap = values.sum(dim=(1, 2)) - attribute.difference(images)
        pooled = method == "deeplift" and hasattr(models.classifier, "unet")
        scale = values.abs().sum(dim=(1, 2)).max()
        assert gap.abs().max() < (0.2 if pooled else 0.02) * scale


# --- settings ---------------------------------------------------------------------------------

INPUTS = {
    "inputs": {"training": [{"name": "a", "product": "a"}], "landcover": "l", "areas": "w"},
}


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"classifier": {"target": "water"}}, "'water' is no class of the tiles"),
        *(
            ({"tiles": {"other_classes": {name: {"codes": [5]}}}}, f"'{name}' is reserved")
            for reserved in (*TWO_CLASSES, "unlabelled", *SHARES)
            for name in (reserved.removesuffix("_share"), reserved.removesuffix("_share").title())
        ),
        (
            {"tiles": {"other_classes": {"water": {"codes": [5]}, "Water": {"codes": [4]}}}},
            "'water' and 'Water' differ only by upper and lower case",
        ),
        ({"tiles": {"other_classes": {"water": {"code": [5]}}}}, r"water\.code'.*mean 'codes'"),
        ({"tiles": {"other_classes": {"water": {"codes": []}}}}, "at least 1"),
        (
            {"anthroprotect": "x", "tiles": {"other_classes": {"water": {"codes": [5]}}}},
            "its own two classes",
        ),
    ],
)
def test_settings_that_do_not_fit_together_refused(sections, said):
    with pytest.raises(WildLensError, match=said) as error:
        validate(INPUTS | sections)
    assert "\n" not in str(error.value)


def test_class_names_in_order_of_labels():
    tiles = Tiles(other_classes={"water": {"codes": [5]}, "forest": {"codes": [31]}})
    assert tiles.classes == ("anthropogenic", "protected", "water", "forest")
    assert tiles.other_classes["forest"].codes == [311, 312, 313]
    assert Settings(**INPUTS).tiles.classes == NAMES[:2]


# --- the whole way, by commands -----------------------------------------------------------------


@pytest.fixture(scope="module")
def chain(tmp_path_factory) -> Path:
    """A simulated region, three classes of tiles, and what is learnt of the third."""
    folder = tmp_path_factory.mktemp("three")
    sections = {
        "demo": {"size": 640, "mapping_size": 256},
        "tiles": {
            "size": 32, "block_km": 0.64, "validation": 0.2, "test": 0.2,
            "other_classes": {
                "conifers": {"codes": [312]}, "open": {"codes": [32], "min_share": 0.4},
            },
        },
        "classifier": {"architecture": "local", "target": "conifers", "width": 4, "epochs": 1},
        "gan": {"blocks": 1, "width": 2, "discriminator_width": 2, "steps": 4, "crop": 32,
                "pretraining_steps": 1},
        "attribution": {"window": 128, "overlap": 4, "max_tiles": 4},
    }  # fmt: skip
    for name, section in sections.items():
        (folder / f"{name}.yaml").write_text(json.dumps(section))

    def wildlens(*words) -> None:
        result = CliRunner().invoke(cli, list(map(str, words)), catch_exceptions=False)
        assert result.exit_code == 0, result.output

    region = folder / "region"
    wildlens("demo", "-o", region, "--settings", folder / "demo.yaml")
    product = next(region.glob("*T34WDA*.SAFE"))
    scene, cover = folder / "T34WDA.tif", folder / "cover.tif"
    wildlens("scene", product, "-o", scene)
    wildlens("landcover", next(region.glob("U2018*.tif")), "--scene", scene, "-o", cover)
    tiles, model, pair = folder / "tiles.zarr", folder / "c.safetensors", folder / "g.safetensors"
    wildlens(
        "tiles", "--scene", scene, "--landcover", cover, "--areas", next(region.glob("WDPA*")),
        "-o", tiles, "--footprints", folder / "tiles.gpkg", "--settings", folder / "tiles.yaml",
    )  # fmt: skip
    wildlens(
        "train-classifier", tiles, "-o", model, "--metrics", folder / "classifier",
        "--settings", folder / "classifier.yaml", "--device", "cpu",
    )  # fmt: skip
    wildlens(
        "train-gan", tiles, "--classifier", model, "-o", pair, "--metrics", folder / "gan",
        "--settings", folder / "gan.yaml", "--device", "cpu",
    )  # fmt: skip
    wildlens("scene", next(region.glob("*_2023*_T35WNT_*.SAFE")), "-o", folder / "T35WNT.tif")
    common = ("--classifier", model, "--settings", folder / "attribution.yaml", "--device", "cpu")
    for method in ("gan", "gradcam", "score"):
        wildlens(
            "map", folder / "T35WNT.tif", "--method", method, *common, "--generators", pair,
            "-o", folder / f"{method}.tif",
        )  # fmt: skip
    wildlens("attribute", tiles, "--method", "deeplift", *common, "-o", folder / "deeplift.zarr")
    wildlens("attribute", tiles, "--method", "class_shares", *common, "-o", folder / "shares.zarr")
    return folder


def rows(path: Path) -> list[dict]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_tiles_of_each_class_match_settings(chain):
    outlines = geopandas.read_file(chain / "tiles.gpkg", layer="tiles")
    tiles = xarray.open_zarr(chain / "tiles.zarr", chunks=None)
    assert tiles.attrs["classes"] == ["anthropogenic", "protected", "conifers", "open"]
    labelled = outlines.set_index("name").loc[tiles["name"].values.tolist()]
    assert [tiles.attrs["classes"][n] for n in tiles["label"].values] == labelled["label"].tolist()
    wanted = {"conifers": ([312], 0.5), "open": ([321, 322, 323, 324], 0.4)}
    for name, (codes, least) in wanted.items():
        chosen = labelled["label"].values == name
        assert chosen.any()
        cover = tiles["landcover"].values[chosen]
        held = np.isin(cover, CORINE.indices_of(codes))
        share = held.mean(axis=(1, 2))
        np.testing.assert_allclose(share, labelled[f"{name}_share"][chosen], atol=1e-6)
        assert (share >= least).all()
        assert (labelled["protected_share"][chosen] == 0).all()
        assert (labelled["anthropogenic_share"][chosen] < 0.1).all()
    for split in ("train", "val", "test"):
        assert set(labelled["label"][tiles["split"].values == split]) == set(tiles.classes)


def test_confusion_table_of_all_classes(chain):
    table = rows(chain / "classifier" / "confusion.csv")
    names = ["anthropogenic", "protected", "conifers", "open"]
    assert [row["class"] for row in table] == 3 * names
    counts = np.array([[int(row[f"predicted {name}"]) for name in names] for row in table])
    accuracy = rows(chain / "classifier" / "accuracy.csv")
    for split, part in zip(accuracy, counts.reshape(3, 4, 4), strict=True):
        assert part.sum() == int(split["tiles"])
        assert np.trace(part) / part.sum() == pytest.approx(float(split["accuracy"]))


def test_target_explained_from_tiles_to_maps(chain):
    with safe_open(chain / "c.safetensors", "pt") as file:
        metadata = file.metadata()
    assert metadata["target"] == "conifers" and len(json.loads(metadata["classes"])) == 4
    for store in ("deeplift", "shares"):
        attributed = xarray.open_zarr(chain / f"{store}.zarr", chunks=None)
        assert set(attributed["label"].values) == {2}
        assert np.isfinite(attributed["attribution"].values).any()
    for method in ("gan", "gradcam", "score"):
        with rasterio.open(chain / f"{method}.tif") as dataset:
            assert np.isfinite(dataset.read(1)).any() and dataset.shape == (256, 256)
