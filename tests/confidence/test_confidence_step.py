"""The step and its command: tables of one and of several members, and what is refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from confident import TEST, TRAINING, VALIDATION, ConfidentWorld, save_classifier
from outputs_page import documented_columns, documented_files
from scipy.special import expit
from torch import nn

from wildlens.cli import cli
from wildlens.combine.entropy import entropy, mutual_information
from wildlens.confidence.class_index import COLUMNS
from wildlens.confidence.predictions import MOST_TRAINING, choose_rows, last_weighted
from wildlens.confidence.step import measure_confidence
from wildlens.errors import WildLensError
from wildlens.evaluate.metrics import choose_thresholds, compare
from wildlens.evaluate.samples import attribution_reader, build_sample, open_attributions
from wildlens.evaluate.target_groups import build_groups
from wildlens.networks.classifier import LocalClassifier, UNetClassifier
from wildlens.networks.images import to_images
from wildlens.networks.weights import load_classifier
from wildlens.settings import Confidence, Evaluation

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")
GROUPS = Evaluation(targets=[412, 332])


def run(world, output="out", **changed):
    arguments = {
        "tiles": world.path("tiles.zarr"),
        "classifiers": world.classifiers,
        "attributions": world.stores,
    } | changed
    measure_confidence(
        output=world.path(output), settings=Confidence(), evaluation=GROUPS, device="cpu",
        **arguments,
    )  # fmt: skip
    return read(world.path(output))


def read(folder):
    return {path.stem: pd.read_csv(path, dtype={"name": str}) for path in folder.glob("*.csv")}


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    world = ConfidentWorld(tmp_path_factory.mktemp("single")).write()
    return world, run(world)


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    world = ConfidentWorld(tmp_path_factory.mktemp("members"), members=2).write()
    return world, run(world)


def logits_of(world, number):
    """Logits of all tiles in the world's own order, without the step's reader."""
    network = load_classifier(world.classifiers[number])
    images, _ = to_images(world.reflectance, network.standardise.mean)
    with torch.no_grad():
        return network(images).double().numpy()


def test_tables_have_the_documented_columns(single, members):
    of_method = {"gan_mean": "{method}_mean", "gan_rank": "{method}_rank"}
    documented = {
        name.removeprefix("confidence/").removesuffix(".csv"): columns
        for name, columns in documented_columns().items()
        if name.startswith("confidence/")
    }
    for _, tables in (single, members):
        for name, table in tables.items():
            columns = [of_method.get(c, c) for c in table.columns if not c.startswith("random_")]
            assert columns == documented[name], name
    assert documented["classes"][:-2] == list(COLUMNS)
    assert documented.keys() == members[1].keys() == {*single[1], "disagreement"}
    names = {f"confidence/{path.name}" for path in members[0].path("out").iterdir()}
    assert names == {name for name in documented_files() if name.startswith("confidence/")}


def test_scores_of_tiles_are_those_of_the_classifiers(members):
    world, tables = members
    table = tables["tiles"].set_index("name")
    assert len(table) == VALIDATION + TEST and set(table["split"]) == {"val", "test"}
    logits = np.stack([logits_of(world, number) for number in range(2)])
    scores = expit(logits)[:, TRAINING:]
    found = table.loc[world.names[TRAINING:]]
    for column, expected in (
        ("score", scores.mean(axis=0)),
        ("score_sd", scores.std(axis=0, ddof=1)),
        ("entropy_bits", entropy(scores.mean(axis=0))),
        ("mutual_information_bits", mutual_information(scores)),
    ):
        assert found[column].to_numpy() == pytest.approx(expected, rel=1e-4, abs=1e-7), column
    assert (found["feature_distance"] > 0).all()
    labels = np.where(world.label[TRAINING:] == 1, "protected", "anthropogenic")
    assert found["label"].tolist() == labels.tolist()


def test_single_member_has_no_columns_of_members_says_so_and_repeats_to_the_byte(single, caplog):
    world, tables = single
    empty = ["score_sd", "mutual_information_bits"]
    assert tables["tiles"][empty].isna().all(axis=None)
    assert set(tables["filtered"]["measure"]) == {"entropy", "feature_distance"}
    assert tables["classes"][["uncertainty_members", "index_members"]].isna().all(axis=None)
    with caplog.at_level("INFO"):
        again = run(world, "again")
    assert "one classifier: without mutual information" in caplog.text
    assert "without disagreement.csv" in caplog.text
    for name in again:
        second, first = (world.path(f"{folder}/{name}.csv") for folder in ("again", "out"))
        assert second.read_bytes() == first.read_bytes(), name


def test_several_members_are_compared_where_they_disagree(members):
    _, tables = members
    assert "mutual_information" in set(tables["filtered"]["measure"])
    table = tables["disagreement"]
    assert set(table["method"]) == {"gan"} and set(table["reference"]) == {"corine", "truth"}
    by_sd = table[(table["measure"] == "member_sd") & (table["reference"] == "corine")]
    assert by_sd["error_rate"].iloc[-1] > by_sd["error_rate"].iloc[0] + 0.3
    assert by_sd["error_minus_first_low"].iloc[-1] > 0


def test_class_that_decides_the_label_has_the_highest_index(single):
    table = single[1]["classes"]
    best = table[table["rank_entropy"] == 1]
    assert best["class_code"].tolist() == [412, 412]  # by CORINE and by the truth
    arable = table[table["class_code"] == 211]
    assert (arable["coefficient"] < 0).all() and (arable["index_entropy"] == 0).all()


def test_whole_share_agrees_with_the_evaluation(single):
    world, tables = single
    found = tables["filtered"]
    found = found[(found["share"] == 1) & (found["measure"] == "entropy")]
    stores = open_attributions(world.stores)
    samples = {s: build_sample(s, world.path("tiles.zarr"), stores) for s in ("val", "test")}
    groups = [g for g in build_groups(samples, GROUPS) if g.name == "targets"]
    for method, store in stores.items():
        read_val, read_test = (attribution_reader(store, s.names) for s in samples.values())
        thresholds = choose_thresholds(groups, samples["val"], read_val)
        shares = {group.reference: [0.1, 0.2] for group in groups}
        for expected in compare(method, groups, thresholds, read_test, samples["test"], shares):
            reference = expected.group.reference
            row = found[(found["method"] == method) & (found["reference"] == reference)].iloc[0]
            for name in ("tiles", "blocks", "target_share", "iou", "iou_low", "iou_high"):
                assert row[name] == pytest.approx(expected.metrics[name], rel=1e-5), name
            for name in ("auroc", "auroc_low", "auroc_high"):
                assert row[name] == pytest.approx(expected.metrics[name], abs=1e-3), name


def test_results_do_not_depend_on_test_labels_where_something_is_chosen(single, tmp_path):
    _, tables = single
    other = ConfidentWorld(tmp_path)
    other.label[TRAINING + VALIDATION :] ^= 1
    changed = run(other.write())
    for table, columns in (
        ("tiles", ["score", "feature_distance", "calibrated_score"]),
        ("classes", ["coefficient", "strength"]),
    ):
        assert changed[table][columns].equals(tables[table][columns])
    assert not changed["calibration"].equals(tables["calibration"])


def test_command_reads_its_settings_and_removes_the_table_of_a_former_run_with_members(
    single, tmp_path
):
    world, _ = single
    out = tmp_path / "out"
    out.mkdir()
    (out / "disagreement.csv").write_text("method\n")
    (tmp_path / "evaluation.yaml").write_text("targets: [412, 332]\n")
    (tmp_path / "confidence.yaml").write_text("temperature: 2\nshares: [0.5]\nbins: 4\n")
    words = ["confidence", world.path("tiles.zarr"), "--output", out, "--device", "cpu"]
    words += ["--classifier", world.classifiers[0], "--settings", tmp_path / "confidence.yaml"]
    words += [word for path in world.stores for word in ("--attribution", path)]
    words += ["--evaluation-settings", tmp_path / "evaluation.yaml"]
    result = CliRunner().invoke(cli, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    tables = read(out)
    assert "disagreement" not in tables
    logits = np.log(tables["tiles"]["score"] / (1 - tables["tiles"]["score"]))
    calibrated = tables["tiles"]["calibrated_score"].to_numpy()
    assert calibrated == pytest.approx(expit(logits / 2), abs=1e-5)
    assert set(tables["filtered"]["share"]) == {0.5} and len(tables["reliability"]) == 16
    record = json.loads((out / "provenance.json").read_text())
    assert "classifier-1.safetensors" in record["wildlens_inputs"]
    assert "412" in record["wildlens_evaluation_settings"]


def refused(world, **changed) -> str:
    with pytest.raises(WildLensError) as error:
        run(world, "refused", **changed)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_inputs_that_do_not_belong_together_are_refused_in_one_line(single, tmp_path):
    world, _ = single
    other = tmp_path / "other.safetensors"
    save_classifier(other, target="anthropogenic", classes=["anthropogenic", "protected"])
    both = [world.classifiers[0], other]
    assert "explains the class 'anthropogenic'" in refused(world, classifiers=both)
    save_classifier(other, target="bog", classes=["heath", "bog"])
    assert "has no class 'bog'" in refused(world, classifiers=[other])
    save_classifier(other, bands=["B02", "B03", "B08"])
    assert "has tiles of 32 px" in refused(world, classifiers=[other])
    save_classifier(other, shift=np.nan)
    assert "not finite" in refused(world, classifiers=[other])
    other.write_bytes(b"\x80\x04pickle")
    assert "is no model file" in refused(world, classifiers=[other])
    broken = tmp_path / "broken.zarr"
    shutil.copytree(world.path("tiles.zarr"), broken)
    (broken / "zarr.json").write_text("{")
    assert "cannot be opened as a training set" in refused(world, tiles=broken)
    assert "lacks" in refused(world, attributions=[world.path("tiles.zarr")])


def test_last_layer_with_weights_is_that_of_the_logit():
    images = torch.rand(2, 3, 32, 32)
    local, unet = LocalClassifier(3, width=2).eval(), UNetClassifier(3, 32, strides=(2,)).eval()
    assert last_weighted(local, images) is local.evidence
    assert last_weighted(unet, images) is unet.head[-1]
    assert last_weighted(nn.Flatten(), images) is None
    assert not local.evidence._forward_hooks


def test_all_validation_and_test_tiles_are_seen_and_some_of_many_training_tiles():
    splits = np.array(["train"] * 2000 + ["val"] * 5 + ["test"] * 7 + ["other"])
    rows = choose_rows(splits)
    assert len(rows) == MOST_TRAINING + 12 and (np.diff(rows) > 0).all()
    assert choose_rows(splits[1998:]).tolist() == list(range(14))
