"""calibration.csv and reliability.csv: scores before and after the temperature."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

from wildlens.confidence.calibration import (
    Bins,
    brier,
    error_if_calibrated,
    fit_temperature,
    log_loss,
)
from wildlens.evaluate.intervals import interval, real_interval, with_interval
from wildlens.evaluate.tile_metrics import mean_replicates

SPLITS = ("val", "test")
BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Labelled:
    """Tiles of one split: (n,) float64 logits, (n,) bool labels, (n,) int blocks from 0."""

    logits: np.ndarray
    labels: np.ndarray
    blocks: np.ndarray

    @property
    def of_one_kind(self) -> bool:
        """Whether all tiles have one label, so that no temperature can be fitted."""
        return bool(self.labels.all() or not self.labels.any())


@dataclass(frozen=True)
class Temperature:
    """The temperature and its 95 % interval over the validation blocks; NaN if not fitted."""

    value: float
    low: float
    high: float


def choose_temperature(validation: Labelled, given: float | None) -> Temperature:
    """The given temperature, or that of the validation tiles; 1 if they have one label only."""
    if given is not None or validation.of_one_kind:
        return Temperature(1.0 if given is None else given, np.nan, np.nan)
    logits, labels, blocks = validation.logits, validation.labels, validation.blocks
    value = fit_temperature(logits, labels)
    without = [blocks != block for block in range(int(blocks.max()) + 1)]
    kinds = [len(np.unique(labels[kept])) for kept in without]
    if min(kinds) < 2:
        return Temperature(value, np.nan, np.nan)
    fitted = [fit_temperature(logits[kept], labels[kept]) for kept in without]
    low, high = real_interval(np.log(value), np.log(fitted))  # a factor: symmetric as a logarithm
    return Temperature(value, float(np.exp(low)), float(np.exp(high)))


def calibration_table(
    splits: Mapping[str, Labelled], temperature: Temperature, bins: int
) -> pd.DataFrame:
    """calibration.csv: one row per split, before and after the temperature."""
    rows = []
    for split, scores, logits, tiles, found in _forms(splits, temperature, bins):
        row = {
            "split": split,
            "scores": scores,
            "tiles": len(logits),
            "blocks": int(tiles.blocks.max()) + 1,
            "temperature": temperature.value if scores == AFTER else 1.0,
            "temperature_low": temperature.low if scores == AFTER else np.nan,
            "temperature_high": temperature.high if scores == AFTER else np.nan,
            "accuracy": np.mean((logits > 0) == tiles.labels),
        }
        row |= with_interval("ece", found.error(), found.error_replicates())
        row["ece_if_calibrated"] = error_if_calibrated(expit(logits), bins)
        for name, metric, ends in (("brier", brier, interval), ("nll", log_loss, real_interval)):
            of_tile = metric(logits, tiles.labels)
            replicates = mean_replicates(of_tile, tiles.blocks)
            row |= with_interval(name, float(of_tile.mean()), replicates, ends)
        rows.append(row)
    return pd.DataFrame(rows)


def reliability_table(
    splits: Mapping[str, Labelled], temperature: Temperature, bins: int
) -> pd.DataFrame:
    """reliability.csv: one row per split, form of the scores and bin."""
    rows = []
    for split, scores, _, _, found in _forms(splits, temperature, bins):
        means, shares, replicates = found.mean_scores(), found.shares(), found.share_replicates()
        for number in range(bins):
            # without both labels in a bin its blocks do not vary: an interval would have no width
            mixed = 0 < shares[number] < 1
            ends = replicates[:, number] if mixed else replicates[:0, number]
            rows.append(
                {
                    "split": split,
                    "scores": scores,
                    "bin_low": number / bins,
                    "bin_high": (number + 1) / bins,
                    "tiles": int(found.tiles[:, number].sum()),
                    "mean_score": means[number],
                }
                | with_interval("observed_share", shares[number], ends)
            )
    return pd.DataFrame(rows)


def _forms(splits: Mapping[str, Labelled], temperature: Temperature, bins: int):
    """Split, form, logits, tiles and their bins of every part of the tables."""
    for split in SPLITS:
        tiles = splits[split]
        for form, divisor in ((BEFORE, 1.0), (AFTER, temperature.value)):
            logits = tiles.logits / divisor
            yield split, form, logits, tiles, Bins(expit(logits), tiles.labels, tiles.blocks, bins)
