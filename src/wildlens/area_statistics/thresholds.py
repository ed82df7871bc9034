"""Thresholds of high attribution, from the table of the evaluation."""

import math
from pathlib import Path

import pandas as pd

from wildlens.errors import WildLensError, one_line

REFERENCE = "corine"  # whose thresholds apply: real land has no other


def read_thresholds(path: Path) -> dict[str, float]:
    """Method -> threshold on the validation tiles, in its unit; infinity where none separates.

    Raises:
        WildLensError: it is no methods.csv of the evaluation.
    """
    try:
        table = pd.read_csv(path)
        rows = table[table["reference"] == REFERENCE]
        pairs = zip(rows["method"], rows["threshold"].astype(float), strict=True)
        return {str(m): math.inf if math.isnan(value) else value for m, value in pairs}
    except (OSError, ValueError, KeyError) as error:
        raise WildLensError(
            f"{path}: has no thresholds: {one_line(error)}; give methods.csv of wildlens evaluate"
        ) from None
