"""Members as `wildlens attribute` and `wildlens map` make them, with two untrained classifiers."""

import shutil

import numpy as np
import pytest
import rasterio
import torch
import xarray as xr
from attributed import SETTINGS, World, save_models

from wildlens.attribute.step import attribute_tiles
from wildlens.combine.attributions import combine_attributions
from wildlens.combine.maps import combine_maps
from wildlens.evaluate.samples import open_attributions
from wildlens.map.step import map_scene
from wildlens.settings import Attribution

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")


class Trained(World):
    """A world with two members: their classifiers, and attributions and maps by DeepLIFT."""

    def __init__(self, folder):
        super().__init__(folder)
        self.write()
        stored = np.random.default_rng(2).integers(300, 3000, (3, 70, 90)).astype(np.uint16)
        stored[:, :9, :11] = 0
        self.add_scene("lake", stored)
        settings = Attribution(batch_size=4, overlap=8)
        self.stores, self.members = [], []
        for number in (1, 2):
            torch.manual_seed(number)
            classifier = self.path(f"classifier-{number}.safetensors")
            save_models(classifier, self.path(f"generators-{number}.safetensors"))
            self.stores.append(self.path(f"members/deeplift-{number}.zarr"))
            self.members.append(self.path(f"members/deeplift-{number}.tif"))
            attribute_tiles(
                self.path("tiles.zarr"), "deeplift", classifier, None, self.stores[-1], settings,
                "cpu",
            )  # fmt: skip
            map_scene(
                self.scenes[0], "deeplift", classifier, None, self.members[-1], settings, "cpu"
            )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return Trained(tmp_path_factory.mktemp("trained"))


def test_tiles_and_map_of_two_members_are_combined(trained):
    store, limits, out = (trained.path(n) for n in ("deeplift.zarr", "limits.csv", "deeplift.tif"))
    shutil.copytree(trained.stores[0], store)  # the result of one member, which several replace
    combine_attributions(trained.stores, trained.path("tiles.zarr"), store, limits, SETTINGS)
    assert list(open_attributions([store])) == ["deeplift"]
    one, two, found = (xr.open_zarr(path, zarr_format=3) for path in (*trained.stores, store))
    for name in ("attribution", "contribution_sum", "logit_difference"):
        expected = (one[name] + two[name]).values / 2
        assert np.allclose(found[name], expected, atol=1e-6, equal_nan=True), name
    assert found.coords.equals(one.coords)
    assert found["attribution"].attrs == one["attribution"].attrs
    assert found["member_sd"].encoding["shards"] == found["attribution"].encoding["shards"]
    spread = np.abs(one["attribution"] - two["attribution"]) / np.sqrt(2)
    assert np.allclose(found["member_sd"], spread, atol=1e-6, equal_nan=True)
    assert "classifier-2.safetensors" in found.attrs["wildlens_inputs"]

    combine_maps(trained.members, out, limits)
    with rasterio.open(out) as dataset:
        names, values, tags = dataset.descriptions, dataset.read(), dataset.tags()
    maps = [rasterio.open(path).read() for path in trained.members]
    assert names == ("deeplift", "member_sd", "member_agreement", "disagreement")
    assert np.allclose(values[[0, 3]], np.mean(maps, axis=0), atol=1e-6, equal_nan=True)
    assert np.isnan(values[0, :9, :11]).all() and np.isfinite(values[:3, 9:]).all()
    assert set(np.unique(values[2, 9:]).tolist()) <= {0, 0.5, 1}
    assert tags["wildlens_scene"] == "lake" and tags["wildlens_members"] == "2"
