"""Colours of maps, from low to high: the same in figures, QGIS and the page to explore."""

import numpy as np

SEQUENTIAL = (  # viridis in nine steps
    "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c",
    "#28ae80", "#5ec962", "#addc30", "#fde725",
)  # fmt: skip
DIVERGING = ("#5e3c99", "#b2abd2", "#f7f7f7", "#fdb863", "#e66101")  # zero is nearly white


def limit_of(sizes: np.ndarray) -> float:
    """End of a scale: the 99th percentile of values of 0 and more; 1 if nothing is above 0."""
    return float(np.percentile(sizes, 99)) or 1.0 if sizes.size else 1.0
