"""Warnings of an evaluation: each appears for its fault alone."""

import pandas as pd
import pytest

from wildlens.demo.covers import CODES, SHARED
from wildlens.evaluate.checks import LOOK_ALIKES, warnings_of
from wildlens.evaluate.rules import MARKS_ALL, MARKS_NOTHING


def tables(**changes):
    """Tables without a fault; `changes`: (table, row, column) as "table_row_column" -> value."""
    nan = float("nan")
    methods = pd.DataFrame(
        {
            "method": ["gan", "deeplift", "random"],
            "reference": "truth",
            "blocks": 30,
            "auroc": [0.9, 0.85, 0.5],
            "iou": [0.6, 0.55, 0.3],
            "note": "",
            "iou_minus_gan": [nan, -0.05, -0.3],
            "iou_minus_gan_low": [nan, -0.1, -0.4],
            "iou_minus_gan_high": [nan, 0.0, -0.2],
        }
    )
    classes = pd.DataFrame(
        {
            "method": "gan",
            "reference": ["truth", "truth", "corine", "truth"],
            "scene": "test tiles",
            "class_code": ["331", "412", "331", "targets"],
            "relative_attribution": [1.5, 3.0, 2.0, 2.5],
        }
    )
    scores = pd.DataFrame(
        {
            "image": ["X", "X+", "X-"],
            "tiles": 80,
            "mean_score": [0.8, 0.9, 0.3],
            "order_margin": 0.05,
            "share_beyond_margin": [nan, 0.55, 0.9],
        }
    )
    texture = pd.DataFrame(
        {
            "method": ["image", "gan", "deeplift", "random"],
            "tiles": 80,
            "periodic_tiles": [2, 4, 1, 70],
        }
    )
    found = {"methods": methods, "classes": classes, "scores": scores, "texture": texture}
    for place, value in changes.items():
        table, row, column = place.split("_", 2)
        found[table][column] = found[table][column].astype(object)
        found[table].loc[int(row), column] = value
    return found


def warnings(**changes):
    return warnings_of(**tables(**changes))


def test_a_sound_evaluation_has_no_warnings():
    assert warnings() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"methods_0_blocks": 29, "methods_1_blocks": 29}, ["29 spatial blocks", "fewer than 30"]),
        ({"methods_0_auroc": 0.3}, ["gan against truth is inverted (AUROC 0.30)", "gan.steps"]),
        ({"methods_1_note": MARKS_NOTHING}, ["deeplift against truth: no evidence: marks no"]),
        ({"methods_0_note": MARKS_ALL}, ["gan against truth: no evidence: marks every"]),
        (
            {"methods_1_iou": 0.7, "methods_1_iou_minus_gan": 0.1,
             "methods_1_iou_minus_gan_low": 0.01, "methods_1_iou_minus_gan_high": 0.19},
            ["deeplift finds the target group better than gan against truth", "0.01 to 0.19"],
        ),
        ({"classes_0_relative_attribution": 1.51}, ["gan gives", "1.51 times", "test tiles"]),
        ({"texture_1_periodic_tiles": 5}, ["gan: 5 of 80 map tiles", "of the images 2 of 80"]),
        ({"scores_2_share_beyond_margin": 0.49}, ["minimizer lowers", "only 49 % of 80", "0.05"]),
        ({"scores_1_share_beyond_margin": 0.0},
         ["maximizer raises", "only 0 % of 80", "score of X 0.80", "about |X - X-|"]),
    ],
)  # fmt: skip
def test_each_fault_has_its_warning(changes, said):
    (line,) = warnings(**changes)
    assert all(word in line for word in said) and "\n" not in line


@pytest.mark.parametrize(
    "changes",
    [
        {"methods_0_auroc": 0.5},
        {"methods_1_auroc": 0.3},  # only generators can be inverted
        {"methods_2_note": MARKS_ALL},  # a control
        {"methods_1_iou_minus_gan_low": 0.0},
        {"methods_1_iou_minus_gan": 0.009, "methods_1_iou_minus_gan_low": 0.001},
        {"methods_2_iou_minus_gan_low": 0.1},  # a control
        {"classes_2_relative_attribution": 9.0},  # CORINE tells no covers of both classes apart
        {"classes_1_relative_attribution": 9.0},  # a target
        {"texture_3_periodic_tiles": 80},
        {"texture_0_tiles": 0, "texture_1_periodic_tiles": 0},
    ],
)
def test_what_is_no_fault_is_not_warned_of(changes):
    assert warnings(**changes) == []


def test_fewer_tiles_are_compared_by_their_share():
    few = {"texture_0_tiles": 8, "texture_0_periodic_tiles": 0, "texture_1_tiles": 8}
    assert warnings(**few, texture_1_periodic_tiles=0) == []
    one = {"texture_0_tiles": 1, "texture_0_periodic_tiles": 1, "texture_1_tiles": 1}
    assert warnings(**one, texture_1_periodic_tiles=1) == []
    (line,) = warnings(**few, texture_1_periodic_tiles=1)
    assert "1 of 8 map tiles" in line


def test_periodic_texture_names_a_remedy_for_generators_only():
    (line,) = warnings(texture_1_periodic_tiles=5.0, texture_1_tiles=80.0)
    assert "gan: 5 of 80 map tiles" in line and line.endswith("(gan.lambda_tv)")
    (line,) = warnings(texture_2_periodic_tiles=5)
    assert "deeplift: 5 of 80 map tiles" in line and "generators" not in line


def test_empty_tables_are_no_fault():
    found = tables()
    found["classes"] = found["classes"].iloc[:0]
    found["texture"] = found["texture"].iloc[1:]
    assert warnings_of(**found) == []


def test_look_alikes_are_the_shared_covers_of_the_simulation_that_resemble_others():
    shared = {int(CODES[index]) for index in SHARED}
    assert set(LOOK_ALIKES) <= shared
