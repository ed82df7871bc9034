"""Colours of maps, from low to high: the same in figures, QGIS and the page to explore."""

SEQUENTIAL = (  # viridis in nine steps
    "#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c",
    "#28ae80", "#5ec962", "#addc30", "#fde725",
)  # fmt: skip
DIVERGING = ("#5e3c99", "#b2abd2", "#f7f7f7", "#fdb863", "#e66101")  # zero is nearly white
