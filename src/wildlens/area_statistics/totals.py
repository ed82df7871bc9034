"""Sums over the ground of a polygon, accumulated window by window and scene by scene."""

import math

import numpy as np

from wildlens.legend import CORINE

CLASSES = len(CORINE.classes) + 1  # position 0: land cover not known


class LayerTotals:
    """Sums over the ground where a map has a value; each pixel weighs the ground it covers, km².

    Attributes:
        weight, total: (45,) float64 by CORINE index: sum of weights, and of weighted values.
        square: weighted sum of squared values; marked: weight of marked pixels.
    """

    def __init__(self):
        self.weight = np.zeros(CLASSES)
        self.total = np.zeros(CLASSES)
        self.square = self.marked = 0.0

    def add(
        self, values: np.ndarray, marked: np.ndarray, km2: np.ndarray, classes: np.ndarray
    ) -> None:
        """Add pixels (n,): finite values, bool marks, weights, and uint8 CORINE indices."""
        weighted = km2 * values
        self.weight += np.bincount(classes, km2, CLASSES)
        self.total += np.bincount(classes, weighted, CLASSES)
        self.square += float(weighted @ values)
        self.marked += float(km2[marked].sum())

    @property
    def mean(self) -> float:
        """Mean value; NaN without any."""
        return _ratio(self.total.sum(), self.weight.sum())

    @property
    def sd(self) -> float:
        """Standard deviation over the ground; NaN without values."""
        return math.sqrt(max(_ratio(self.square, self.weight.sum()) - self.mean**2, 0.0))

    @property
    def share_marked(self) -> float:
        """Share of the ground that is marked; NaN without values."""
        return _ratio(self.marked, self.weight.sum())

    def class_mean(self, index: int) -> float:
        """Mean value of a CORINE index; NaN without any."""
        return _ratio(self.total[index], self.weight[index])


class ZoneTotals:
    """Sums over one polygon.

    Attributes:
        scenes: names of the scenes that saw it; pixels: sum of covered shares of seen pixels.
        seen: (45,) float64, seen ground by CORINE index, km²; layers: method -> its sums.
    """

    def __init__(self):
        self.scenes: dict[str, None] = {}
        self.pixels = 0.0
        self.seen = np.zeros(CLASSES)
        self.layers: dict[str, LayerTotals] = {}

    def add_seen(self, scene: str, shares: np.ndarray, km2: np.ndarray, classes: np.ndarray):
        """Add seen pixels (n,): covered shares, ground in km², CORINE indices."""
        if len(shares):
            self.scenes[scene] = None
            self.pixels += float(shares.sum())
            self.seen += np.bincount(classes, km2, CLASSES)

    def layer(self, method: str) -> LayerTotals:
        """Sums of a method, empty at first."""
        return self.layers.setdefault(method, LayerTotals())


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
