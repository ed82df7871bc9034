"""classes.csv: the index of land-cover classes, beside what the maps give each class.

Confident naturalness explanation (Emam, Farag and Roscher 2024, arXiv 2311.08936): contribution of
a class to the label (the positive part of its logistic-regression coefficient) divided by the
uncertainty of the class, scaled so that the highest is 1. There the uncertainty is the standard
deviation over Monte Carlo dropout of a segmentation's output, summed over pixels. Here it is the
mean over the pixels of the class of their tile's uncertainty, since a sum grows with the area of
the class: the standard deviation of the members' scores, or the entropy of the mean score, which a
single training has, too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wildlens.confidence.contribution import Contribution, fit_contribution
from wildlens.confidence.map_statistics import TileStatistics
from wildlens.confidence.members import Scores
from wildlens.evaluate.intervals import ratio
from wildlens.legend import CORINE

ALL = "all"  # category: all protected tiles
COLUMNS = (  # of a table without rows, for which there are too few tiles
    "reference", "category", "class_code", "class_name", "tiles", "strength", "coefficient",
    "coefficient_low", "coefficient_high", "uncertainty_entropy", "index_entropy", "rank_entropy",
    "uncertainty_members", "index_members", "rank_members",
)  # fmt: skip


@dataclass(frozen=True)
class Tiles:
    """All tiles of the training set.

    Attributes (each (tile,)):
        split: 'train', 'val', 'test' or another; natural: bool, of the explained class; block: name
            of the spatial block; category: IUCN category, empty where unknown.
    """

    split: np.ndarray
    natural: np.ndarray
    block: np.ndarray
    category: np.ndarray


def class_index_rows(
    reference: str,
    tiles: Tiles,
    shares: np.ndarray,
    scores: Scores,
    maps: Sequence[TileStatistics],
    tested: np.ndarray,
) -> tuple[list[dict], list[str]]:
    """Rows of classes.csv by one reference; and categories that had too few tiles.

    For a category, its protected tiles are compared with all tiles that are not protected.

    Args:
        shares: (tile, LEVELS) of `class_shares`. maps: statistics of every method by this
            reference; tested: (test tile,) int, position of their tiles in the training set.
    """
    known = np.isfinite(shares).all(axis=1)
    rows, left_out = [], []
    for category in [ALL, *np.unique(tiles.category[tiles.category != ""])]:
        of_category = (tiles.category == category) | (category == ALL)
        chosen = known & (of_category | ~tiles.natural)
        training = chosen & (tiles.split == "train")
        found = fit_contribution(shares[training], tiles.natural[training], tiles.block[training])
        if found is None:
            left_out.append(str(category))
            continue
        unseen = chosen & np.isin(tiles.split, ("val", "test"))
        columns = index_columns(found, shares[unseen], _of_tiles(scores, unseen))
        in_maps = of_category[tested]
        for position, index in enumerate(found.classes):
            land = CORINE.of_index(int(index))
            rows.append(
                {
                    "reference": reference,
                    "category": str(category),
                    "class_code": land.code,
                    "class_name": land.name,
                    "tiles": int((shares[training, index] > 0).sum()),
                    "strength": found.strength,
                }
                | {name: values[position] for name, values in columns.items()}
                | _in_maps(maps, in_maps, int(index))
            )
    return rows, left_out


def index_columns(
    found: Contribution, shares: np.ndarray, uncertainties: dict[str, np.ndarray | None]
) -> dict[str, np.ndarray]:
    """Columns of contribution, uncertainty and index, (classes,) float64 each; NaN = undefined.

    Args:
        shares: (n, LEVELS) of tiles that the classifier was not trained on; uncertainties: name of
            the column -> (n,) of these tiles, or None.
    """
    columns = {
        "coefficient": found.coefficients,
        "coefficient_low": found.low,
        "coefficient_high": found.high,
    }
    for name, uncertainty in uncertainties.items():
        weights = shares[:, found.classes]
        values = np.full(len(found.classes), np.nan)
        if uncertainty is not None:
            values = ratio(uncertainty @ weights, weights.sum(axis=0))
        index = scaled_index(found.coefficients, values)
        _, _, suffix = name.partition("_")
        columns |= {name: values, f"index_{suffix}": index, f"rank_{suffix}": ranks(index)}
    return columns


def scaled_index(coefficients: np.ndarray, uncertainty: np.ndarray) -> np.ndarray:
    """Positive part of the coefficients divided by the uncertainty, the highest scaled to 1.

    Args:
        coefficients, uncertainty: (classes,) float64. The result is NaN where the uncertainty is 0
            or NaN, and 0 everywhere else if no coefficient is positive.
    """
    raw = ratio(np.maximum(coefficients, 0), uncertainty)
    highest = np.nanmax(raw, initial=0)
    return raw / highest if highest > 0 else raw


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value, 1 for the highest, equal ones alike, (n,) float64; NaN stays NaN."""
    above = (values[None, :] > values[:, None]).sum(axis=1)  # NaN compares as false
    return np.where(np.isfinite(values), 1.0 + above, np.nan)


def _of_tiles(scores: Scores, chosen: np.ndarray) -> dict[str, np.ndarray | None]:
    """The uncertainties of some tiles, by the name of their column."""
    spread = None if scores.sd is None else scores.sd[chosen]
    return {"uncertainty_entropy": scores.entropy[chosen], "uncertainty_members": spread}


def _in_maps(maps: Sequence[TileStatistics], chosen: np.ndarray, index: int) -> dict[str, float]:
    """Mean attribution of a class by each method, and its rank among all classes of the tiles."""
    row = {}
    for one in maps:
        means = ratio(one.attribution[chosen].sum(axis=0), one.pixels[chosen].sum(axis=0))
        row |= {f"{one.method}_mean": means[index], f"{one.method}_rank": ranks(means)[index]}
    return row
