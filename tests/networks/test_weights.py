"""Tests that incomplete model files are refused by name."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from wildlens.errors import WildLensError
from wildlens.networks import weights
from wildlens.networks.classifier import LocalClassifier
from wildlens.networks.generator import Generator

ARGUMENTS = {"bands": 2, "width": 2, "downsamplings": 1, "blocks": 1}


def generators(path, names):
    weights.save(
        path, {name: Generator(**ARGUMENTS) for name in names}, kind="generator",
        arguments=ARGUMENTS, bands=["B04", "B08"], tile_size=32, provenance={},
    )  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["maximizer"], "no minimizer"),
        (["minimizer"], "no maximizer"),
        (["minimiser", "maximizer"], "no minimizer"),
        (["w"], "no maximizer and no minimizer"),
    ],
)
def test_generators_file_without_a_network_is_refused(tmp_path, names, missing):
    path = generators(tmp_path / "g.safetensors", names)
    with pytest.raises(WildLensError) as error:
        weights.load_generators(path)
    assert str(error.value) == f"{path}: holds {missing}; train the generators again"


def test_classifier_file_without_a_classifier_is_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    weights.save(
        path, {"network": LocalClassifier(2, width=2)}, kind="local",
        arguments={"bands": 2, "width": 2}, bands=["B04", "B08"], tile_size=32, provenance={},
    )  # fmt: skip
    with pytest.raises(WildLensError, match=r"c\.safetensors: holds no classifier; train the cl"):
        weights.load_classifier(path)


@pytest.mark.parametrize("damage", ["one key", "all keys of a network", "another shape"])
def test_generators_file_without_some_weights_is_refused(tmp_path, damage):
    path = generators(tmp_path / "g.safetensors", ["maximizer", "minimizer"])
    tensors, metadata = load_file(path), {}
    with weights.safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    key = next(k for k in tensors if k.startswith("minimizer.layers") and k.endswith("weight"))
    if damage == "one key":
        del tensors[key]
    elif damage == "another shape":
        tensors[key] = tensors[key][:1].clone()
    else:
        tensors = {k: v for k, v in tensors.items() if not k.startswith("minimizer.")}
    save_file(tensors, path, metadata)
    with pytest.raises(WildLensError, match=r"g\.safetensors: ") as error:
        weights.load_generators(path)
    assert "\n" not in str(error.value)


HOSTILE = [10**9, 1023, 0, -1, 1e9, float("nan"), "aa", [2], [10**9] * 3, {}, None, True]
OF_UNET = {"bands": 2, "tile_size": 32, "width": 2, "depth": 2, "strides": [1, 2, 1]}
OF_LOCAL = {"bands": 2, "width": 2}


@pytest.mark.parametrize(
    ("kind", "arguments", "changed"),
    [
        *(("generator", ARGUMENTS, {key: value}) for key in ARGUMENTS for value in HOSTILE),
        *(
            (kind, arguments, {key: value})
            for kind, arguments in (("unet", OF_UNET), ("local", OF_LOCAL))
            for key in (*arguments, "outputs", "target", "maps" if kind == "unet" else "width")
            for value in HOSTILE
            if (key, value) != ("target", 0)  # as it is without
        ),
        ("generator", ARGUMENTS, {"width": 256, "downsamplings": 4, "blocks": 64}),
        ("unet", OF_UNET, {"width": 256, "depth": 6, "maps": 64, "tile_size": 1024}),
        ("unet", OF_UNET, {"outputs": 1000, "target": 999}),
    ],
)
def test_no_network_is_built_that_its_weights_do_not_fit(
    tmp_path, monkeypatch, kind, arguments, changed
):
    names = ["maximizer", "minimizer"] if kind == "generator" else ["classifier"]
    path = tmp_path / "m.safetensors"
    weights.save(
        path, {name: weights.build_network(kind, arguments) for name in names}, kind=kind,
        arguments=arguments | changed, bands=["B04", "B08"], tile_size=32, provenance={},
    )  # fmt: skip
    build = weights.build_network

    def build_shapes(*given):
        assert torch.empty(0).is_meta, "builds a network that may need any amount of memory"
        return build(*given)

    load = weights.load_generators if kind == "generator" else weights.load_classifier
    monkeypatch.setattr(weights, "build_network", build_shapes)
    with pytest.raises(WildLensError, match=r"m\.safetensors: its (weights|descr)") as error:
        load(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 2000


@pytest.mark.parametrize(
    ("key", "value"),
    [("classes", "3"), ("target", "x"), ("arguments", "[]"), ("tile_size", "a"), ("bands", "{")],
)
def test_corrupt_metadata_is_refused_in_one_line(tmp_path, key, value):
    path = generators(tmp_path / "g.safetensors", ["maximizer", "minimizer"])
    with weights.safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata() | {key: value}
    save_file(load_file(path), path, metadata)
    with pytest.raises(WildLensError, match=r"g\.safetensors: its weights do not fit") as error:
        weights.load_generators(path)
    assert "\n" not in str(error.value)
