"""What models were trained on: in the metadata of training sets and models, and in words."""

import json
from datetime import date

import geopandas
import numpy as np
import pytest
import shapely
from safetensors.numpy import save_file

from wildlens.errors import WildLensError
from wildlens.files.origin import KEY, UNKNOWN, Origin, copied, in_words, origin_of_models
from wildlens.tiles.training_origin import training_origin

REAL = Origin(
    tiles=812,
    scenes=4,
    first=date(2018, 7, 12),
    last=date(2023, 7, 19),
    bounds=(20.2, 65.1, 22.5, 66.0),
)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "trained on 812 tiles of 4 scenes, 2018-07-12 to 2023-07-19, 65.1-66.0 N 20.2-22.5 E"),
        ({"simulated": True}, "trained on simulated land (812 tiles of 4 scenes)"),
        (
            {"tiles": 1, "scenes": 1, "last": date(2018, 7, 12), "bounds": None},
            "trained on 1 tile of 1 scene, 2018-07-12",
        ),
        (
            {"first": None, "last": None, "scenes": 0, "dataset": "AnthroProtect"},
            "trained on 812 tiles of AnthroProtect, 65.1-66.0 N 20.2-22.5 E",
        ),
        (
            {"bounds": (179.2, -12.5, -179.4, -10), "first": None, "last": None},
            "trained on 812 tiles of 4 scenes, 12.5-10.0 S 179.2 E to 179.4 W",
        ),
        (
            {"bounds": (-70.1, -1, -69, 2), "first": None, "last": None},
            "trained on 812 tiles of 4 scenes, 1.0 S to 2.0 N 70.1-69.0 W",
        ),
    ],
)
def test_origin_in_words(changed, said):
    origin = REAL.model_copy(update=changed)
    assert origin.in_words() == said
    assert in_words(copied(origin.attributes())) == said


@pytest.mark.parametrize(
    "text",
    [
        None, "", "no JSON", "[]", "{}", '{"tiles": "many"}', '{"tiles": 0}',
        '{"tiles": 3, "bounds": [1, 2]}', '{"tiles": 3, "bounds": [1, 2, 3, 1e9]}',
        '{"tiles": 3, "first": "yesterday"}', '{"tiles": 3, "dataset": "<script>"}',
    ],
)  # fmt: skip
def test_missing_and_invalid_origins_are_unknown(text):
    metadata = {} if text is None else {KEY: text}
    assert in_words(metadata) == UNKNOWN and copied(metadata) == {}


def test_origin_of_models_names_each_if_they_differ(tmp_path):
    def model(name, metadata):
        save_file({"weight": np.zeros(1, np.float32)}, tmp_path / name, metadata)
        return tmp_path / name

    one = model("classifier.safetensors", REAL.attributes())
    same = model("generators.safetensors", REAL.attributes())
    old = model("old.safetensors", {"kind": "local"})
    assert origin_of_models([]) == ""
    assert origin_of_models([one, same]) == REAL.in_words()
    assert origin_of_models([old]) == UNKNOWN
    assert origin_of_models([one, old]) == f"classifier: {REAL.in_words()}; old: {UNKNOWN}"
    old.write_bytes(b"no model")
    with pytest.raises(WildLensError, match=r"old\.safetensors: is no model file"):
        origin_of_models([old])


def test_training_origin_is_of_the_training_split():
    boxes = [shapely.box(x, 65, x + 1, 66) for x in (20, 21, 40)]
    tiles = geopandas.GeoDataFrame(
        {"split": ["train", "train", "test"], "scene": ["a", "b", "c"], "geometry": boxes},
        crs=4326,
    )
    sensed = {"a": "2020-07-01T10:00:00Z + 2020-07-02T10:00:00Z", "b": "2019-06-30T23:59:00Z"}
    origin = training_origin(tiles, sensed | {"c": "2001-01-01"})
    assert json.loads(origin.attributes()[KEY]) == {
        "tiles": 2, "scenes": 2, "first": "2019-06-30", "last": "2020-07-02",
        "bounds": [20, 65, 22, 66], "simulated": False, "dataset": "",
    }  # fmt: skip
    assert training_origin(tiles, sensed | {"b": ""}).first is None, "one scene has no date"
    assert training_origin(tiles, dataset="AnthroProtect").scenes == 0
