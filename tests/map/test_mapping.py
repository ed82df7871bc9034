"""Tests of maps of scenes: grid, nodata, exactness of windows, small shapes, and errors."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rioxarray
import torch
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from rio_cogeo import cog_validate

from wildlens.attribution.create import create
from wildlens.attribution.models import Models
from wildlens.combine.maps import combine_maps
from wildlens.errors import WildLensError
from wildlens.files import raster
from wildlens.map import step, streaming
from wildlens.map.step import join, map_scene
from wildlens.map.strips import keeping
from wildlens.methods.occlusion import Occlusion
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier
from wildlens.networks.generator import Generator
from wildlens.networks.images import to_images
from wildlens.settings import Attribution

SETTINGS = Attribution(window=64, overlap=8, occlusion_window=16, occlusion_stride=16)
SAVE = {"bands": ["B04", "B08"], "tile_size": 48, "provenance": {}}


def random_network(network: torch.nn.Module, seed: int) -> torch.nn.Module:
    generator = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        values = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(values / max(1, parameter[0].numel()) ** 0.5)
    network.standardise.set_statistics(torch.tensor([0.2, 0.3]), torch.tensor([0.1, 0.1]))
    return network.eval()


def save_classifier(path, seed):
    networks = {"classifier": random_network(LocalClassifier(2, width=4), seed)}
    weights.save(path, networks, kind="local", arguments={"bands": 2, "width": 4}, **SAVE)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    save_classifier(folder / "c.safetensors", 0)
    arguments = {"bands": 2, "width": 4, "downsamplings": 1, "blocks": 2}
    networks = {
        name: random_network(Generator(**arguments), seed)
        for seed, name in enumerate(("maximizer", "minimizer"), 1)
    }
    weights.save(folder / "g.safetensors", networks, kind="generator", arguments=arguments, **SAVE)
    return Models(folder / "c.safetensors", folder / "g.safetensors", torch.device("cpu"))


def write_scene(path, stored, bands=("B08", "B02", "B04")):
    grid = GeoBox(stored.shape[1:], Affine(10, 0, 500_000, 0, -10, 7_500_000), "EPSG:32634")
    options = {"count": len(bands), "dtype": "uint16", "nodata": 0, "tags": {}}
    with raster.writing_geotiff(path, grid, descriptions=bands, **options) as dataset:
        dataset.write(stored)
    return path


def scene_of(random, height, width):
    return random.integers(500, 6000, (3, height, width)).astype(np.uint16)


def run(models, path, method, output, part=None, settings=SETTINGS, strips=None):
    files_of = models.classifier_path, models.generators_path
    map_scene(path, method, *files_of, output, settings, "cpu", part=part, strips=strips)


def mapped(models, path, method, output):
    run(models, path, method, output)
    with rasterio.open(output) as dataset:
        return dataset.read(1), dataset


@pytest.mark.parametrize("shape", [(200, 150), (131, 97), (30, 211), (1, 90), (97, 1), (3, 5)])
@pytest.mark.parametrize("method", ["gan", "minimizer", "brightness"])
def test_windowed_map_equals_single_pass(tmp_path, models, shape, method):
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
@pytest.mark.parametrize("method", ["occlusion", "gradcam", "deeplift", "score"])
def test_whole_tile_map_covers_exactly_the_valid_pixels(tmp_path, models, shape, method):
    stored = scene_of(np.random.default_rng(1), *shape)
    stored[1, :, -7:] = 0  # a band that the classifier does not use
    stored[2, :, :5] = 0
    path = write_scene(tmp_path / "s.tif", stored)
    values, _ = mapped(models, path, method, tmp_path / "m.tif")
    assert np.array_equal(np.isnan(values), stored[2] == 0)


def test_map_is_cog_with_exact_statistics(tmp_path, models):
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


@pytest.mark.parametrize(
    ("method", "bands", "unit"),
    [("gan", ["gan"], "reflectance"), ("score", ["score", "disagreement"], "score"),
     ("gradcam", ["gradcam", "disagreement"], "logit")],
)  # fmt: skip
@pytest.mark.parametrize("parts", [1, 2])
def test_map_opens_with_names_units_time_and_crs(tmp_path, models, method, bands, unit, parts):
    stored = scene_of(np.random.default_rng(5), 130, 60)
    stored[:, :9] = 0
    scene = write_scene(tmp_path / "s.tif", stored)
    with rasterio.open(scene, "r+") as dataset:
        dataset.update_tags(product_sensing_time="2021-07-19T12:05:59+02:00")
    names = [f"{k}-of-{parts}" for k in range(1, parts + 1)] if parts > 1 else [None]
    files = [tmp_path / f"{k}.tif" for k in range(parts)]
    for part, file in zip(names, files, strict=True):
        run(models, scene, method, file, part)
    if parts > 1:
        files.append(tmp_path / "joined.tif")
        join(files[:-1], files[-1])
    found = rioxarray.open_rasterio(files[-1], mask_and_scale=True)
    long_name = found.attrs["long_name"]
    assert ([long_name] if isinstance(long_name, str) else list(long_name)) == bands
    assert set(np.atleast_1d(found.attrs["units"])) == {unit}
    assert found.attrs["wildlens_time"] == "2021-07-19T10:05:59Z"
    assert found.rio.crs.to_epsg() == 32634 and found["x"].values[0] == 500_005
    assert np.array_equal(np.isnan(found.values[0]), stored[0] == 0)


def test_generated_image_opens_as_reflectance(tmp_path, models):
    scene = write_scene(tmp_path / "s.tif", scene_of(np.random.default_rng(6), 40, 40))
    run(models, scene, "maximized", tmp_path / "m.tif")
    stored = rioxarray.open_rasterio(tmp_path / "m.tif")
    scaled = rioxarray.open_rasterio(tmp_path / "m.tif", mask_and_scale=True)
    assert stored.dtype == "uint16" and stored.attrs["_FillValue"] == 0
    assert list(scaled.attrs["long_name"]) == ["B04", "B08"]
    np.testing.assert_allclose(scaled.values, stored.values / 10_000, rtol=1e-6)
    assert "wildlens_time" not in scaled.attrs, "the scene states no time"


def test_scene_lacking_a_band_is_refused_without_output(tmp_path, models):
    stored = np.full((2, 40, 40), 1000, np.uint16)
    path = write_scene(tmp_path / "s.tif", stored, bands=("B02", "B04"))
    with pytest.raises(WildLensError, match=r"s\.tif: has no band B08"):
        mapped(models, path, "gan", tmp_path / "out" / "m.tif")
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True


def test_class_shares_cannot_map_scenes(tmp_path, models):
    path = write_scene(tmp_path / "s.tif", scene_of(np.random.default_rng(3), 40, 40))
    with pytest.raises(WildLensError, match="'class_shares' cannot map scenes"):
        mapped(models, path, "class_shares", tmp_path / "m.tif")


class Linear(torch.nn.Module):
    """A linear model, whose attributions are known in closed form."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight

    def forward(self, images):
        return (images * self.weight).sum(dim=(1, 2, 3))


def test_occlusion_of_linear_model_equals_closed_form():
    weight, images = torch.randn(2, 20, 24), torch.rand(2, 2, 20, 24)
    base = torch.tensor([0.1, 0.2])[:, None, None]
    local = (weight * (images - base)).sum(dim=1)
    method = Occlusion(Linear(weight), base.expand_as, window=8, stride=8, batch_size=5)
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
    ours = Occlusion(network, base.expand_as, window=16, stride=8)(images)
    theirs = Reference(network).attribute(
        images, sliding_window_shapes=(2, 16, 16), strides=(2, 8, 8), baselines=0.0
    )
    assert torch.allclose(ours[0], theirs[0, 0], atol=1e-4)


def starts(length, size, step, ground):
    """Starts of tiles at multiples of `step` from the CRS's origin, and of one at either border."""
    inside = [n for n in range(length - size + 1) if (n + ground) % step == 0]
    return sorted({0, *inside, length - size})


def naive_tiles(models, stored, method):
    """Naive reference: weighted mean and range over all tiles of each pixel, in float64."""
    attribute, size, overlap = create(method, models, SETTINGS), 48, SETTINGS.overlap
    overlap = attribute.overlap or overlap
    images, valid = to_images(stored[[2, 0]][None], models.classifier.standardise.mean)
    height, width = stored.shape[1:]
    ramp = np.minimum(1, (np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5) / overlap)
    ramp = ramp**2 * (3 - 2 * ramp)
    weight, seen = np.outer(ramp, ramp), [[[] for _ in range(width)] for _ in range(height)]
    step = size - overlap
    for top in starts(height, size, step, -750_000):
        for left in starts(width, size, step, 50_000):
            square = (slice(top, top + size), slice(left, left + size))
            given = {"images": images, "valid": valid}
            parts = [given[name][..., square[0], square[1]] for name in attribute.reads]
            values = attribute(*parts)[0].double().numpy()
            for row, column in np.ndindex(size, size):
                pair = weight[row, column], values[row, column]
                seen[top + row][left + column].append(pair)
    mean, spread = np.full((2, height, width), np.nan)
    for row, column in zip(*np.nonzero(valid[0].numpy()), strict=True):
        weights, values = np.array(seen[row][column]).T
        mean[row, column] = (weights * values).sum() / weights.sum()
        if len(values) > 1:
            spread[row, column] = np.ptp(values)
    return mean, spread


@pytest.mark.parametrize("method", ["gradcam", "score"])
def test_overlapping_tiles_give_weighted_mean_and_range(tmp_path, models, method):
    stored = scene_of(np.random.default_rng(3), 101, 83)
    stored[:, :60, :50] = 0
    run(models, write_scene(tmp_path / "s.tif", stored), method, tmp_path / "m.tif")
    with rasterio.open(tmp_path / "m.tif") as dataset:
        assert dataset.descriptions == (method, "disagreement")
        mean, spread = dataset.read()
    expected = naive_tiles(models, stored, method)
    assert np.allclose(mean, expected[0], rtol=1e-4, atol=1e-6, equal_nan=True)
    assert np.allclose(spread, expected[1], rtol=1e-3, atol=1e-5, equal_nan=True)


@pytest.mark.parametrize("method", ["maximized", "minimized"])
def test_generated_images_are_stored_like_scenes(tmp_path, models, method):
    stored = scene_of(np.random.default_rng(4), 90, 130)
    stored[0, :20, :30] = 0
    run(models, write_scene(tmp_path / "s.tif", stored), method, tmp_path / "m.tif")
    with rasterio.open(tmp_path / "m.tif") as dataset:
        assert dataset.dtypes == ("uint16",) * 2 and dataset.nodata == 0
        assert dataset.descriptions == ("B04", "B08")
        values = dataset.read()
    images, valid = to_images(stored[[2, 0]][None], models.classifier.standardise.mean)
    network = models.generators[0 if method == "maximized" else 1]
    expected = np.rint(network(images)[0].numpy() * 10_000).clip(1, 65535)
    assert np.array_equal(values == 0, np.broadcast_to(~valid.numpy(), values.shape))
    difference = np.abs(values - expected)[:, valid[0]]
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01
    assert np.abs(values[:, valid[0]] - stored[[2, 0]][:, valid[0]].astype(float)).max() > 50


@pytest.mark.parametrize("method", ["gan", "gradcam", "score", "minimized", "random"])
@pytest.mark.parametrize("parts", [2, 3])
def test_joined_parts_equal_single_job_map_bitwise(tmp_path, models, method, parts):
    path = write_scene(tmp_path / "s.tif", scene_of(np.random.default_rng(5), 211, 70))
    run(models, path, method, tmp_path / "one.tif")
    names = [tmp_path / f"{k}.tif" for k in range(parts, 0, -1)]
    for k, name in zip(range(parts, 0, -1), names, strict=True):
        run(models, path, method, name, part=f"{k}-of-{parts}")
    join(names, tmp_path / "joined.tif")
    assert cog_validate(tmp_path / "joined.tif")[0]
    with rasterio.open(tmp_path / "one.tif") as a, rasterio.open(tmp_path / "joined.tif") as b:
        assert a.tags() == b.tags() and str(a.profile) == str(b.profile)
        assert [a.tags(i) for i in a.indexes] == [b.tags(i) for i in b.indexes]
        assert a.read().tobytes() == b.read().tobytes() and a.descriptions == b.descriptions


def test_join_of_mismatched_parts_is_refused(tmp_path, models):
    path = write_scene(tmp_path / "s.tif", scene_of(np.random.default_rng(6), 200, 60))
    one, two, other = (tmp_path / f"{name}.tif" for name in ("one", "two", "other"))
    run(models, path, "random", one, part="1-of-2")
    run(models, path, "random", two, part="2-of-2")
    # a setting that the method reads
    run(models, path, "random", other, part="2-of-2", settings=Attribution(window=64, seed=1))
    with pytest.raises(WildLensError, match="part of another map than"):
        join([one, other], tmp_path / "m.tif")
    with pytest.raises(WildLensError, match="the parts given are 1-of-2, not all"):
        join([one], tmp_path / "m.tif")
    with pytest.raises(WildLensError, match="is no part of a map"):
        join([path, two], tmp_path / "m.tif")
    with pytest.raises(WildLensError, match="cannot be cut into 9 parts, it has 4 strips"):
        run(models, path, "brightness", tmp_path / "m.tif", part="1-of-9")
    with pytest.raises(WildLensError, match="expected a part such as"):
        run(models, path, "brightness", tmp_path / "m.tif", part="3-of-2")
    assert not (tmp_path / "m.tif").exists()


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("method, calls, left", [("gan", 4, 4), ("gradcam", 3, 4)])
def test_interrupted_map_resumes_from_finished_strips(
    tmp_path, models, monkeypatch, method, calls, left
):
    path = write_scene(tmp_path / "s.tif", scene_of(np.random.default_rng(7), 200, 100))
    settings = SETTINGS.model_copy(update={"batch_size": 3})  # batches of a row of tiles
    run(models, path, method, tmp_path / "expected.tif", settings=settings)
    original, count = streaming._layered, 0

    def counting(values):
        nonlocal count
        count += 1
        if count > calls:
            raise Interrupted
        return original(values)

    monkeypatch.setattr(streaming, "_layered", counting)
    with pytest.raises(Interrupted):
        run(models, path, method, tmp_path / "m.tif", settings=settings)
    assert not (tmp_path / "m.tif").exists()
    count, calls = 0, 100
    run(models, path, method, tmp_path / "m.tif", settings=settings)
    assert count == left
    with rasterio.open(tmp_path / "m.tif") as a, rasterio.open(tmp_path / "expected.tif") as b:
        assert a.read().tobytes() == b.read().tobytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["expected.tif", "m.tif", "s.tif"]


def map_in_steps(models, path, folder, members, parts):
    """A map as the workflow makes it with these numbers of members and parts, by `brightness`."""
    output = folder / "map.tif"
    whole, results = folder / ".map.strips", []
    for member in range(1, members + 1):
        classifier = folder.parent / f"c-{member}.safetensors"
        save_classifier(classifier, member)
        models = replace(models, classifier_path=classifier)
        of_member = whole / str(member) if members > 1 else whole
        result = output if members == 1 else folder / f"members/map-{member}.tif"
        if parts == 1:
            run(models, path, "brightness", result, strips=of_member)
        else:
            names = {f"{k}-of-{parts}": folder / f"parts/{k}.tif" for k in range(1, parts + 1)}
            for part, name in names.items():
                run(models, path, "brightness", name, part=part, strips=of_member / part)
            join(list(names.values()), result)
        results.append(result)
    if members > 1:
        combine_maps(results, output)


WAYS = [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]


@pytest.mark.parametrize("before", WAYS)
@pytest.mark.parametrize("after", WAYS)
def test_interrupted_map_that_is_finished_in_another_way_leaves_no_strips(
    tmp_path, models, monkeypatch, before, after
):
    path = write_scene(tmp_path / "s.tif", scene_of(np.random.default_rng(7), 200, 20))
    folder = tmp_path / "lake"
    with monkeypatch.context() as interrupted, pytest.raises(Interrupted):
        interrupted.setattr(step, "writing_cog", interrupt)
        interrupted.setattr(step, "writing_geotiff", interrupt)
        map_in_steps(models, path, folder, *before)
    assert any(found.suffix == ".npy" for found in folder.rglob("*"))
    map_in_steps(models, path, folder, *after)
    assert (folder / "map.tif").exists()
    assert not [found for found in folder.rglob(".*") if not found.name.endswith(".digest")]


def interrupt(*arguments, **options):
    raise Interrupted


def test_strips_of_other_settings_are_not_reused(tmp_path):
    for identity, expected in (("a", 0), ("a", 1), ("b", 0)):
        with pytest.raises(Interrupted), keeping(tmp_path / ".m.strips", identity) as strips:
            assert strips.count(range(3)) == expected
            strips.save(0, np.ones((1, 2, 2)))
            raise Interrupted


@pytest.mark.parametrize("method", ["gan", "minimizer"])
def test_missing_pixel_changes_only_values_within_halo(tmp_path, models, method):
    stored = scene_of(np.random.default_rng(8), 120, 110)
    whole, _ = mapped(models, write_scene(tmp_path / "s.tif", stored), method, tmp_path / "m.tif")
    stored[:, 60, 50] = 0
    holed, _ = mapped(models, write_scene(tmp_path / "h.tif", stored), method, tmp_path / "n.tif")
    rows, columns = np.nonzero(~np.isclose(whole, holed, rtol=1e-5, atol=1e-6))
    halo = create(method, models, SETTINGS).halo
    assert len(rows) > 1 and np.isnan(holed[60, 50])
    assert max(np.abs(rows - 60).max(), np.abs(columns - 50).max()) <= halo


def test_unknown_method_error_lists_known_methods(models):
    with pytest.raises(WildLensError, match="unknown method 'gradcm'; known are gan"):
        create("gradcm", models, SETTINGS)


@pytest.mark.parametrize(
    "method", ["gan", "minimizer", "score", "deeplift", "occlusion", "gradcam"]
)
def test_bfloat16_maps_near_float32(tmp_path, models, method):
    path = write_scene(tmp_path / "s.tif", scene_of(np.random.default_rng(0), 70, 60))
    maps = []
    for precision in ("float32", "bfloat16"):
        settings = SETTINGS.model_copy(update={"precision": precision})
        run(models, path, method, tmp_path / f"{precision}.tif", settings=settings)
        with rasterio.open(tmp_path / f"{precision}.tif") as dataset:
            maps.append(dataset.read(1))
    difference = np.abs(maps[1] - maps[0]).max() / np.abs(maps[0]).max()
    assert difference == 0 if method == "occlusion" else 0 < difference < 0.04


def test_score_near_missing_pixels_equals_score_of_valid_pixels(tmp_path, models):
    """On uniform land with a missing half, the score is that of the land, not of the fill."""
    tile = np.random.default_rng(9).integers(500, 6000, (3, 4, 4)).astype(np.uint16)
    stored = np.tile(tile, (1, 36, 36))
    whole, _ = mapped(models, write_scene(tmp_path / "s.tif", stored), "score", tmp_path / "m.tif")
    stored[:, :, 72:] = 0
    half, _ = mapped(models, write_scene(tmp_path / "h.tif", stored), "score", tmp_path / "n.tif")
    near = np.s_[30:110, 56:72]
    fill = models.classifier.standardise.mean[:, None, None].expand(1, -1, 48, 48)
    of_fill = float(models.classifier(fill).sigmoid())
    distance = abs(of_fill - whole[near].mean())
    assert np.abs(half[near] - whole[near]).mean() < 0.15 * distance
