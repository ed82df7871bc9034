"""Attributions of tiles of members, combined: values, sums, thresholds; and what is refused."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from attributed import SETTINGS, World

from wildlens.combine.attributions import combine_attributions
from wildlens.errors import WildLensError
from wildlens.evaluate.samples import open_attributions
from wildlens.settings import Evaluation
from wildlens.tiles.store import consolidate

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")


class Members(World):
    """Two members of the method `gan`, in the form that `wildlens attribute` writes."""

    def __init__(self, folder):
        super().__init__(folder)
        self.write()
        rng = np.random.default_rng(3)
        first = self.attributions["gan"]
        second = first + rng.normal(0, 0.005, first.shape).astype(np.float32)
        second[7, 10:12] = np.nan
        self.values = np.stack([first, second])
        self.sums = rng.random((2, len(self.names)))
        self.stores = [self.write_member(k) for k in (1, 2)]

    def write_member(self, number, tiles=slice(None), **tags):
        coordinates = {"name": self.names, "split": self.split, "block": self.block}
        values, sums = self.values[number - 1], self.sums[number - 1]
        attributes = {
            "wildlens_method": "gan",
            "unit": "reflectance",
            "wildlens_inputs": f'{{"generators-{number}.safetensors": "{number}"}}',
        }
        store = xr.Dataset(
            {
                "attribution": (("tile", "y", "x"), values, {"units": "reflectance"}),
                "contribution_sum": ("tile", sums), "logit_difference": ("tile", 2 * sums),
            },
            coords={n: ("tile", v.astype(object) if v.dtype.kind == "U" else v)
                    for n, v in coordinates.items()},
            attrs=attributes | tags,
        ).isel(tile=tiles)  # fmt: skip
        path = self.path(f"members/gan-{number}{len(tags)}.zarr")
        layout = {"attribution": {"chunks": (3, 32, 32), "shards": (9, 32, 32)}}
        store.to_zarr(path, mode="w", consolidated=False, zarr_format=3, encoding=layout)
        consolidate(path)
        return path

    def combine(self, stores=None, settings=SETTINGS):
        out, limits = self.path("combined.zarr"), self.path("limits.csv")
        combine_attributions(
            stores or self.stores, self.path("tiles.zarr"), out, limits, settings
        )  # fmt: skip
        return xr.open_zarr(out, chunks=None, zarr_format=3), pd.read_csv(limits)


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    return Members(tmp_path_factory.mktemp("members"))


def test_values_are_those_of_numpy(members):
    found, limits = members.combine()
    values = members.values.astype(float)
    assert np.allclose(found["attribution"], values.sum(axis=0) / 2, atol=1e-6, equal_nan=True)
    spread = np.abs(values[0] - values[1]) / np.sqrt(2)
    assert np.allclose(found["member_sd"], spread, atol=1e-6, equal_nan=True)
    corine = limits[limits["reference"] == "corine"]["threshold"].to_numpy()
    high = (members.values >= corine.astype(np.float32)[:, None, None, None]).mean(axis=0)
    high[np.isnan(values).any(axis=0)] = np.nan
    assert np.array_equal(found["member_agreement"], high.astype(np.float32), equal_nan=True)
    for name, factor in (("contribution_sum", 1), ("logit_difference", 2)):
        assert np.allclose(found[name], factor * members.sums.mean(axis=0))
    assert found["member_sd"].attrs["units"] == "reflectance"
    assert found["member_agreement"].attrs["units"] == "share of members"


def test_result_is_read_as_one_training_is(members):
    members.combine()
    stores = open_attributions([members.path("combined.zarr")])
    assert stores["gan"].attrs["wildlens_members"] == "2"
    assert "generators-2.safetensors" in stores["gan"].attrs["wildlens_inputs"]
    assert stores["gan"]["name"].values.tolist() == members.names.tolist()


def test_thresholds_are_those_that_the_evaluation_chooses_for_each_member_alone(members):
    _, limits = members.combine()
    methods = members.run()["methods"]  # of the first member
    expected = methods[methods["method"] == "gan"].set_index("reference")["threshold"]
    first = limits[limits["member"] == 1].set_index("reference")["threshold"]
    assert list(limits.columns) == ["member", "reference", "threshold"]
    assert first.to_dict() == expected.to_dict() and set(first.index) == {"corine", "truth"}


def test_without_target_pixels_nothing_is_high(members):
    found, limits = members.combine(settings=Evaluation(targets=[335], groups={}))
    assert limits.empty and np.nanmax(found["member_agreement"]) == 0


def test_members_that_do_not_belong_together_are_refused(members):
    first = members.stores[0]
    fewer = members.write_member(2, slice(1, None), one="1")
    for stores, said in (
        ([first], "is one member only"),
        ([first, first], "is made with the models of"),
        ([first, fewer], "one differs"),
        ([first, members.write_member(2, a="1", wildlens_method="gradcam")], "a differs"),
    ):
        with pytest.raises(WildLensError, match=said):
            members.combine(stores)
    fewer = members.write_member(2, slice(1, None))
    with pytest.raises(WildLensError, match="holds other tiles than"):
        members.combine([first, fewer])
    members.write_member(2)
