"""Completeness gap: sum of contributions against the difference of logits; completeness.csv.

Methods that distribute the difference to a baseline over the pixels claim completeness: their
contributions, before the sign rule, sum to it. A gap comes from the method's rule for a layer, from
too few steps of an integral, or from rounding.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from wildlens.attribution.contributions import AUDIT, relative_gap

COLUMNS = [
    "method", "baseline", "tiles", "mean_logit_difference", "mean_contribution_sum",
    "mean_absolute_gap", "largest_absolute_gap", "relative_gap",
]  # fmt: skip


def completeness_table(stores: Mapping[str, xr.Dataset]) -> pd.DataFrame:
    """One row for each method that claims completeness, over all attributed tiles.

    `relative_gap` is the sum of absolute gaps over the sum of absolute differences.

    Args:
        stores: method -> attribution store, see `attribute.step`.
    """
    rows = []
    for method, store in stores.items():
        if not all(name in store for name in AUDIT):
            continue
        total, difference = (store[name].values.astype(np.float64) for name in AUDIT)
        gap = np.abs(total - difference)
        numbers = (len(gap), difference.mean(), total.mean(), gap.mean(), gap.max())
        relative = relative_gap(total, difference)
        row = (method, store.attrs.get("baseline", ""), *numbers, relative)
        rows.append(dict(zip(COLUMNS, row, strict=True)))
    return pd.DataFrame(rows, columns=COLUMNS)
