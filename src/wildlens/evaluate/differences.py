"""Is one method better than another? differences.csv: paired differences with their intervals.

Both methods are looked at on the same drawn blocks, so that what makes a block hard for all does
not blur the difference.
"""

import itertools

import pandas as pd

from wildlens.evaluate.bootstrap import interval
from wildlens.evaluate.metrics import Comparison, in_order

FIGURES = ("iou", "iou_tiles", "auroc", "auroc_tiles", "average_precision", "pointing_game")
COLUMNS = ["reference", "figure", "method", "other", "difference", "low", "high"]


def differences_table(comparisons: list[Comparison]) -> pd.DataFrame:
    """One row for each figure and pair of methods: figure of `method` minus figure of `other`."""
    rows = []
    chosen = in_order(comparisons, of_targets=True)
    for figure, (one, other) in itertools.product(FIGURES, itertools.combinations(chosen, 2)):
        if one.question.reference != other.question.reference:
            continue
        difference = one.figures[figure] - other.figures[figure]
        samples = one.resampled[figure] - other.resampled[figure]
        low, high = interval(samples, one.figures["blocks"])
        reference = one.question.reference
        row = (reference, figure, one.method, other.method, difference, low, high)
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return pd.DataFrame(rows, columns=COLUMNS)
