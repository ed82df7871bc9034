"""Consistency of rules.csv, groups.csv, differences.csv and completeness.csv with methods.csv."""

import logging

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from attributed import BOG, HEATH, ROCK, World

from wildlens.evaluate.completeness import completeness_table
from wildlens.evaluate.differences import METRICS
from wildlens.evaluate.rules import VALIDATION
from wildlens.evaluate.thresholds import best_threshold, iou
from wildlens.settings import Evaluation

pytestmark = pytest.mark.filterwarnings("ignore::zarr.errors.UnstableSpecificationWarning")

SETTINGS = Evaluation(
    faithfulness_tiles=2, faithfulness_steps=3,
    groups={"rock": [332], "heath": [322], "ice": [335]},
)  # fmt: skip


class Evaluated:
    """A world, the tables of one run by name, and the log lines of that run."""

    def __init__(self, folder):
        self.world, self.lines = World(folder), []
        handler = logging.Handler()
        handler.emit = lambda record: self.lines.append(record.getMessage())
        logger = logging.getLogger("wildlens")
        logger.setLevel(logging.INFO)
        logger.addHandler(handler)
        self.world.write().run(SETTINGS)
        logger.removeHandler(handler)
        self.tables = {p.stem: pd.read_csv(p) for p in self.world.path("out").glob("*.csv")}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    return Evaluated(tmp_path_factory.mktemp("world"))


def test_each_group_has_its_own_threshold(evaluated):
    world, table = evaluated.world, evaluated.tables["groups"]
    assert set(table["group"]) == {"targets", "rock", "heath"}
    valid = np.isfinite(world.attributions["gan"])
    val, test = world.split == "val", world.split == "test"
    members = {"targets": [BOG, ROCK], "rock": [ROCK], "heath": [HEATH]}
    for row in table.itertuples():
        classes = {"corine": world.landcover, "truth": world.truth}[row.reference]
        values, target = world.attributions[row.method], np.isin(classes, members[row.group])
        known = valid & (classes > 0)
        chosen = best_threshold(values[val][known[val]], target[val][known[val]])
        assert np.float32(row.threshold) == np.float32(chosen)
        high = values[test][known[test]] >= np.float32(chosen)
        assert row.iou == pytest.approx(iou(high, target[test][known[test]]), rel=1e-5)
    codes = table.drop_duplicates("group").set_index("group")["codes"]
    assert codes["targets"] == "411 412 332 333 335" and str(codes["rock"]) == "332"


def test_log_lists_groups_and_names_empty_ones(evaluated):
    text = "\n".join(evaluated.lines)
    assert "group 'rock': CORINE 332" in text and "group 'targets': CORINE 411, 412" in text
    assert "group 'ice': left out" in text and "(335)" in text


def test_ceiling_is_the_iou_of_the_reference_land_cover(evaluated):
    world, table = evaluated.world, evaluated.tables["methods"]
    test = world.split == "test"
    known = np.isfinite(world.attributions["gan"][test]) & (world.landcover[test] > 0)
    exact, coarse = (np.isin(c[test], [BOG, ROCK]) & known for c in (world.truth, world.landcover))
    ceilings = table.groupby("reference")["iou_ceiling"]
    assert ceilings.first()["corine"] == pytest.approx(iou(exact, coarse), rel=1e-5)
    assert ceilings.nunique()["corine"] == 1 and ceilings.count()["truth"] == 0


def test_rules_include_the_validation_threshold(evaluated):
    rules = evaluated.tables["rules"].set_index(["method", "reference", "rule"])
    methods = evaluated.tables["methods"].set_index(["method", "reference"])
    assert rules.index.is_unique and len(rules) == 6 * len(methods)
    for key, row in methods.iterrows():
        fixed = rules.loc[(*key, VALIDATION)]
        for column in ("iou", "iou_low", "iou_tiles", "share_inside", "threshold"):
            assert fixed[column] == row[column]
        assert rules.loc[(*key, "Otsu's threshold of each tile"), "iou"] == row["iou_otsu"]
        shares = rules.sort_index().loc[key]["share_high"]
        assert shares["highest 10 % of each tile"] == pytest.approx(0.1, abs=0.01)
        assert shares["highest 25 % of each tile"] == pytest.approx(0.25, abs=0.01)
        expected = validation_share(evaluated.world, key[1])
        (share,) = (s for name, s in shares.items() if "target's share" in name)
        assert share == pytest.approx(expected, abs=0.01)


def validation_share(world, reference):
    """Share of the targets on the validation tiles."""
    classes = {"corine": world.landcover, "truth": world.truth}[reference]
    known = np.isfinite(world.attributions["gan"]) & (classes > 0) & validation(world)
    return np.isin(classes[known], [BOG, ROCK]).mean()


def validation(world):
    return (world.split == "val")[:, None, None]


def test_tiles_state_their_share_of_the_target(evaluated):
    world = evaluated.world
    table = evaluated.tables["tiles"].query("method == 'gan' and reference == 'truth'")
    position = {name: number for number, name in enumerate(world.names)}
    assert len(table) == 12
    for name, pixels, share in table[["tile", "pixels", "target_share"]].itertuples(index=False):
        number = position[name]
        valid = np.isfinite(world.attributions["gan"][number])
        assert pixels == valid.sum()
        expected = np.isin(world.truth[number][valid], [BOG, ROCK]).mean()
        assert share == pytest.approx(expected, rel=1e-5)


def test_differences_hold_all_pairs_and_metrics(evaluated):
    table = evaluated.tables["differences"]
    methods = evaluated.tables["methods"].set_index(["reference", "method"])
    assert len(table) == 2 * 3 * len(METRICS) and set(table["metric"]) == set(METRICS)
    for row in table.itertuples():
        one, other = (methods.loc[(row.reference, m), row.metric] for m in (row.method, row.other))
        assert row.difference == pytest.approx(one - other, abs=2e-6)
        assert row.low <= row.high
    pair = table.query("metric == 'iou' and method == 'gan'").set_index(["reference", "other"])
    for key, row in pair.iterrows():
        assert row["low"] == pytest.approx(-methods.loc[key, "iou_minus_gan_high"], abs=2e-6)
    clear = table.query("reference == 'truth' and method == 'gan' and other == 'random'")
    clear = clear.set_index("metric").drop("pointing_game")
    assert (clear["low"] > 0).all()  # the generated land makes this method the better one


def test_intervals_include_their_metric(evaluated):
    table = evaluated.tables["methods"]
    for figure in ("auroc", "average_precision", "auroc_tiles", "iou", "iou_tiles"):
        assert (table[f"{figure}_low"] <= table[figure] + 1e-3).all(), figure
        assert (table[f"{figure}_high"] >= table[figure] - 1e-3).all(), figure
        assert (table[f"{figure}_low"] < table[f"{figure}_high"]).all(), figure


def test_faithfulness_has_one_row_per_method(evaluated):
    table = evaluated.tables["faithfulness"]
    assert table["method"].tolist() == ["gan", "gradcam", "random"]
    assert table["tiles"].eq(2).all() and table["steps"].eq(3).all()
    assert table[["deletion_auc", "insertion_auc"]].stack().between(0, 1).all()


def test_completeness_gap_equals_a_naive_one():
    audit = {
        "contribution_sum": ("tile", [1.0, 2.5, -1.0]),
        "logit_difference": ("tile", [1.0, 2.0, -2.0]),
    }
    stores = {
        "deeplift": xr.Dataset(audit, attrs={"baseline": "zero"}),
        "gradcam": xr.Dataset({"attribution": ("tile", [0.0])}),
    }
    row = completeness_table(stores).set_index("method").loc["deeplift"]
    assert row["baseline"] == "zero" and row["tiles"] == 3
    assert row["mean_absolute_gap"] == pytest.approx(0.5) and row["largest_absolute_gap"] == 1
    assert row["relative_gap"] == pytest.approx(1.5 / 5)
    assert completeness_table({"gradcam": stores["gradcam"]}).empty
