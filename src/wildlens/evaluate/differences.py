"""Paired differences between methods with their intervals: differences.csv.

Both methods are compared on the same blocks, so that blocks that are hard for every method do not
widen the interval.
"""

import itertools

import pandas as pd

from wildlens.evaluate.comparison import Comparison
from wildlens.evaluate.intervals import difference_interval
from wildlens.evaluate.tables import in_order

METRICS = ("iou", "iou_tiles", "auroc", "auroc_tiles", "average_precision", "pointing_game")
COLUMNS = ["reference", "metric", "method", "other", "difference", "low", "high"]


def differences_table(comparisons: list[Comparison]) -> pd.DataFrame:
    """One row per metric and pair of methods: metric of `method` minus metric of `other`."""
    rows = []
    chosen = in_order(comparisons, of_targets=True)
    for metric, (one, other) in itertools.product(METRICS, itertools.combinations(chosen, 2)):
        reference = one.group.reference
        if reference != other.group.reference:
            continue
        difference = one.metrics[metric] - other.metrics[metric]
        replicates = one.replicates[metric] - other.replicates[metric]
        low, high = difference_interval(difference, replicates)
        row = (reference, metric, one.method, other.method, difference, low, high)
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return pd.DataFrame(rows, columns=COLUMNS)
