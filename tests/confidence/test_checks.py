"""Warnings about the confidence: when each is given, and when not."""

import numpy as np
import pandas as pd

from wildlens.confidence.calibration_tables import Labelled, Temperature
from wildlens.confidence.checks import warnings_of

MIXED = Labelled(np.zeros(6), np.array([True, False] * 3), np.arange(6) // 2)
FITTED = Temperature(1.5, 1.0, 2.0)


def calibration(ece, by_chance=0.04):
    rows = [("val", "after", 0.5), ("test", "before", 0.5), ("test", "after", ece)]
    table = pd.DataFrame(rows, columns=["split", "scores", "ece"])
    return table.assign(tiles=50, ece_if_calibrated=by_chance)


def disagreement(last, method="gan", measure="member_sd"):
    return pd.DataFrame(
        {
            "method": method, "reference": "corine", "measure": measure, "group": [1, 2, 3],
            "error_rate": [0.2, 0.1, 0.2 + last], "error_minus_first": [np.nan, -0.1, last],
            "error_minus_first_low": last - 0.1, "error_minus_first_high": last + 0.1,
        }
    )  # fmt: skip


def warnings(validation=MIXED, temperature=FITTED, given=False, ece=0.05, members=None, **options):
    return warnings_of(validation, temperature, given, calibration(ece, **options), members)


def test_sound_confidence_has_no_warning():
    assert warnings() == [] and warnings(members=disagreement(0.1)) == []


def test_scores_that_are_not_calibrated_are_a_warning_unless_it_may_be_chance():
    (said,) = warnings(ece=0.15)
    assert "off by 0.15" in said and "0.04 by chance" in said
    assert warnings(ece=0.15, by_chance=0.11) == []


def test_temperature_that_cannot_be_fitted_is_a_warning_unless_it_was_given():
    alike = Labelled(np.zeros(6), np.ones(6, bool), MIXED.blocks)
    at_end = Temperature(0.05, np.nan, np.nan)
    assert "all have one label" in warnings(alike)[0]
    assert "end of the range" in warnings(temperature=at_end)[0]
    assert warnings(alike, given=True) == warnings(temperature=at_end, given=True) == []


def test_disagreement_without_errors_is_a_warning_of_methods_but_not_of_controls():
    (said,) = warnings(members=disagreement(-0.05))
    assert said.startswith("gan: pixels") and "difference -0.05" in said
    assert warnings(members=disagreement(-0.05, "gradcam_randomised")) == []
    assert warnings(members=disagreement(-0.05, measure="minority")) == []
