"""Two dates of simulated land, through the commands: a field is drawn into one park."""

import geopandas
import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from click.testing import CliRunner
from odc.geo.geobox import GeoBox
from rasterio.transform import Affine
from scipy.ndimage import gaussian_filter, uniform_filter
from torch.nn.functional import binary_cross_entropy_with_logits

from wildlens.cli import cli
from wildlens.demo.covers import INDEX
from wildlens.demo.landscape import Landscape, simulate
from wildlens.files.raster import writing_geotiff
from wildlens.files.reflectance import to_stored
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier

BANDS = ("B02", "B03", "B04", "B08")
SIDE, PARK, TILE = 640, 96, 64
GRID = GeoBox((SIDE, SIDE), Affine(10, 0, 500_000, 0, -10, 7_600_000), "EPSG:32634")


def train(land: Landscape) -> LocalClassifier:
    """A classifier that has learnt in seconds what protected and anthropogenic tiles look like."""
    images, labels = [], []
    for top in range(0, SIDE - TILE + 1, TILE // 2):
        for left in range(0, SIDE - TILE + 1, TILE // 2):
            part = np.s_[top : top + TILE, left : left + TILE]
            zone = land.zone[part]
            if zone.all() and zone.min() == zone.max():
                images.append(land.reflectance[(slice(None), *part)])
                labels.append(float(zone[0, 0] > 0))
    images, labels = torch.from_numpy(np.stack(images)), torch.tensor(labels)
    torch.manual_seed(0)
    network = LocalClassifier(len(BANDS), width=8)
    network.standardise.set_statistics(images.mean((0, 2, 3)), images.std((0, 2, 3)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    for _ in range(60):
        batch = torch.randint(0, len(images), (16,))
        loss = binary_cross_entropy_with_logits(network(images[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return network.eval()


def later(land: Landscape, random: np.random.Generator) -> np.ndarray:
    """The same land at another date: other light and vigour, other noise of the sensor."""
    image = land.reflectance.copy()
    for band in image:
        light = gaussian_filter(random.standard_normal((SIDE, SIDE)), 40)
        band *= np.exp(0.03 * light / light.std() + 0.02)
        band += 0.0025 * random.standard_normal((SIDE, SIDE))
    return image.clip(1e-4, 1)


def corner_of(share: np.ndarray) -> tuple[int, int]:
    """First row and column of the window of a park's size where a share is highest."""
    means = uniform_filter(share.astype(float), PARK, mode="constant")
    half = PARK // 2
    inner = means[half : SIDE - half, half : SIDE - half]
    return np.unravel_index(inner.argmax(), inner.shape)


def window(corner: tuple[int, int]) -> tuple[slice, slice]:
    return tuple(slice(start, start + PARK) for start in corner)


def write_scene(path, image, time) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {"count": len(BANDS), "dtype": "uint16", "nodata": 0, "descriptions": BANDS}
    form |= {"unit": "reflectance", "scale": 1e-4, "tags": {"product_sensing_time": time}}
    with writing_geotiff(path, GRID, **form) as dataset:
        dataset.write(to_stored(image))


def call(*arguments) -> None:
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dates")
    land = simulate(SIDE, SIDE, 11, BANDS)
    protected = land.zone > 0
    parks = {"Changed": corner_of(protected)}
    elsewhere = protected.copy()
    elsewhere[window(parks["Changed"])] = False
    parks["Unchanged"] = corner_of(elsewhere)
    image = later(land, np.random.default_rng(0))
    field = window(corner_of(land.cover == INDEX["field"]))
    image[(slice(None), *window(parks["Changed"]))] = image[(slice(None), *field)]
    scenes = {"old": land.reflectance, "new": image}
    for year, (name, values) in zip((2018, 2023), scenes.items(), strict=True):
        write_scene(folder / f"scenes/{name}.tif", values, f"{year}-07-12T10:20:21Z")
    classifier = folder / "classifier.safetensors"
    weights.save(
        classifier, {"classifier": train(land)}, kind="local",
        arguments={"bands": len(BANDS), "width": 8}, bands=list(BANDS), tile_size=TILE,
        provenance={},
    )  # fmt: skip
    maps = []
    for name in scenes:
        for method in ("score", "activation"):
            maps += ["--map", folder / f"maps/{name}/{method}.tif"]
            call("map", folder / f"scenes/{name}.tif", "--method", method, "--device", "cpu",
                 "--classifier", classifier, "--output", maps[-1])  # fmt: skip
    areas = folder / "wdpa.gpkg"
    sites = [
        {"WDPAID": number, "NAME": name, "IUCN_CAT": "II", "STATUS": "Designated",
         "DESIG_ENG": "National Park", "geometry": GRID[window(corner)].extent.geom}
        for number, (name, corner) in enumerate(parks.items(), start=1)
    ]  # fmt: skip
    geopandas.GeoDataFrame(sites, crs="EPSG:32634").to_file(areas)
    settings = folder / "compare.yaml"
    settings.write_text("before: old\nafter: new\n")
    output = folder / "compare/old_new"
    call("compare", *maps, "--areas", areas, "--output", output, "--settings", settings)
    return output, {name: window(corner) for name, corner in parks.items()}


def test_changed_park_is_found_and_the_unchanged_one_is_within_its_noise(compared):
    output, _ = compared
    table = pd.read_csv(output / "areas.csv").set_index(["method", "name"])
    print(table.drop(columns=["category", "designation", "site_id"]).T.to_string())
    for method in ("score", "activation"):
        assert table.loc[(method, "Changed"), "beyond_noise"] == "yes"
        assert table.loc[(method, "Unchanged"), "beyond_noise"] == "no"
        changed = table.loc[(method, "Changed")]
        assert changed["change_mean"] < changed["noise_low"] < changed["noise_high"]
    assert table.loc[("score", "Changed"), "change_mean"] < -0.3


def test_change_lies_in_the_park_and_has_a_diverging_style(compared):
    output, parks = compared
    with rasterio.open(output / "score.tif") as dataset:
        change = dataset.read(1)
    inside = np.zeros(change.shape, bool)
    inside[parks["Changed"]] = True
    lowest = change <= np.quantile(change, 0.01)
    assert inside[lowest].mean() > 0.9
    style = (output / "score.qml").read_text(encoding="utf-8")
    assert 'value="0.0"' in style and "or less, lower" in style and "Change of Score" in style
