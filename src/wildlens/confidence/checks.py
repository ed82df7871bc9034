"""Warnings: scores that are not calibrated, disagreement of members that tells nothing."""

import pandas as pd

from wildlens.confidence.calibration import at_bound
from wildlens.confidence.calibration_tables import AFTER, Labelled, Temperature
from wildlens.files.member_bands import SD
from wildlens.registry import methods as registry

MOST_ERROR = 0.1  # expected calibration error of the test tiles, above which it is a warning
BEYOND_CHANCE = 1.5  # multiple of the error by chance alone that it must exceed, too
JUDGED = "corine"  # reference of the test of disagreement: real land has no other


def warnings_of(
    validation: Labelled,
    temperature: Temperature,
    given: bool,
    calibration: pd.DataFrame,
    disagreement: pd.DataFrame | None,
) -> list[str]:
    """One line per problem, with what to change.

    Args:
        given: whether the temperature is that of the settings; disagreement: None for one member.
    """
    found = [] if given else _not_fitted(validation, temperature)
    found += _not_calibrated(calibration)
    return found if disagreement is None else [*found, *_uninformative(disagreement)]


def _not_fitted(validation: Labelled, temperature: Temperature) -> list[str]:
    if validation.of_one_kind:
        return [
            f"the {len(validation.labels)} validation tiles all have one label: no temperature can"
            " be fitted, and scores are not calibrated; give tiles.validation a larger share"
        ]
    if at_bound(temperature.value):
        return [
            f"the temperature of the validation tiles is at the end of the range that is searched"
            f" ({temperature.value:.2g}): their scores separate the labels, or tell nothing of"
            " them; give tiles.validation a larger share, or set confidence.temperature: 1"
        ]
    return []


def _not_calibrated(calibration: pd.DataFrame) -> list[str]:
    """The error of the calibrated scores of the test tiles, if it is large and not chance."""
    rows = calibration[(calibration["split"] == "test") & (calibration["scores"] == AFTER)]
    return [
        f"scores of the {row.tiles} test tiles are off by {row.ece:.2f} in the mean (expected"
        f" calibration error; {row.ece_if_calibrated:.2f} by chance alone): do not read them as"
        " probabilities; see reliability.csv, and train on more land"
        for row in rows.itertuples()
        if row.ece > MOST_ERROR and row.ece > BEYOND_CHANCE * row.ece_if_calibrated
    ]


def _uninformative(disagreement: pd.DataFrame) -> list[str]:
    """Methods (not controls) whose error rate does not rise with the members' spread."""
    rows = disagreement[
        (disagreement["measure"] == SD)
        & (disagreement["reference"] == JUDGED)
        & ~disagreement["method"].isin(registry.names("control"))
    ]
    last = rows[rows["error_minus_first"].notna()].groupby("method", sort=False).tail(1)
    return [
        f"{row.method}: pixels on which members disagree most are not wrong more often than those"
        f" on which they agree (error rate {row.error_rate:.2f}, difference"
        f" {row.error_minus_first:+.2f}, 95 % interval {row.error_minus_first_low:+.2f} to"
        f" {row.error_minus_first_high:+.2f}): do not take its member_sd for reliability"
        for row in last.itertuples()
        if row.error_minus_first <= 0
    ]
