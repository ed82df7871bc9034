"""tiles.csv: score and confidence of each validation and test tile."""

import numpy as np
import pandas as pd
from scipy.special import expit

from wildlens.confidence.members import Scores

SPLITS = ("val", "test")


def tile_table(
    tiles: pd.DataFrame, scores: Scores, distances: np.ndarray | None, temperature: float
) -> pd.DataFrame:
    """One row per validation and test tile, in the order of the training set.

    Args:
        tiles: name, split, block, label and category of all tiles; scores, distances: of all tiles;
            cells are empty where there is one member, or no features.
    """
    missing = np.full(len(tiles), np.nan)
    table = tiles.assign(
        score=scores.mean,
        score_sd=missing if scores.sd is None else scores.sd,
        entropy_bits=scores.entropy,
        mutual_information_bits=missing if scores.information is None else scores.information,
        feature_distance=missing if distances is None else distances,
        calibrated_score=expit(scores.logits / temperature),
    )
    return table[table["split"].isin(SPLITS)]
