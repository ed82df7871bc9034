"""Figures of the confidence: reliability diagram, and maps by the share of the surest tiles."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from wildlens.figures.style import (
    FAINT,
    INK,
    MUTED,
    NORMAL,
    SMALL,
    VERMILLION,
    Sheet,
    method_colour,
    plain_axes,
    reference_title,
)
from wildlens.registry import methods as registry
from wildlens.registry.methods import title as method_title

PANEL, COUNTS, LEFT, ACROSS, HEAD = 2.9, 0.7, 0.7, 3.7, 1.3  # inches
FOOT, GAP = 0.55, 0.12
SMALLER, NEXT, DOWN, KEY = 2.45, 3.15, 3.3, 2.0  # of the maps of the surest tiles
ABOVE = 30  # points between axes and title, for a legend of two lines
SPLITS = {"val": "Validation tiles", "test": "Test tiles"}
FORMS = {"before": (MUTED, "score"), "after": (VERMILLION, "after the temperature")}
MEASURES = {
    "entropy": "Entropy of the score",
    "mutual_information": "Mutual information",
    "feature_distance": "Distance in feature space",
}
MOST_CURVES = 8  # methods in a panel
DASHES = {"color": MUTED, "linewidth": 0.9, "linestyle": (0, (4, 2))}
MARKERS = "osD^vP*X"


def draw_reliability(reliability: pd.DataFrame, calibration: pd.DataFrame) -> Sheet:
    """Reliability diagram: observed share of natural tiles by mean score, a panel per split.

    Args:
        reliability: reliability.csv; calibration: calibration.csv.
    """
    temperature = calibration.loc[calibration["scores"] == "after", "temperature"].iloc[0]
    sheet = Sheet(
        LEFT + 2 * ACROSS - 0.6,
        HEAD + PANEL + GAP + COUNTS + FOOT,
        "Can the classifier's scores be read as probabilities?",
        "Calibrated scores lie on the dashed line. Bars: 95 % intervals of a jackknife over blocks,"
        " where a bin has both labels.\n"
        f"Below: number of tiles. The temperature is {temperature:.2f}.",
    )
    for number, (split, title) in enumerate(SPLITS.items()):
        x = LEFT + number * ACROSS
        above, below = sheet.axes(x, HEAD, PANEL, PANEL), sheet.axes(
            x, HEAD + PANEL + GAP, PANEL, COUNTS
        )  # fmt: skip
        plain_axes(above, title, "", "Observed share of natural tiles")
        plain_axes(below, "", "Score (1 = natural)", "Tiles")
        above.plot([0, 1], [0, 1], **DASHES)
        for form, (colour, label) in FORMS.items():
            rows = reliability[(reliability["split"] == split) & (reliability["scores"] == form)]
            one = calibration[(calibration["split"] == split) & (calibration["scores"] == form)]
            error = f"{label}: calibration error {one['ece'].iloc[0]:.3f}"
            _draw_bins(above, rows[rows["tiles"] > 0], colour, error)
            _draw_counts(below, rows, colour)
        above.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticklabels=[])
        below.set(xlim=(-0.02, 1.02))
        above.set_title(title, fontsize=NORMAL, loc="left", color=INK, pad=ABOVE)
        above.legend(
            fontsize=SMALL, frameon=False, borderpad=0, borderaxespad=0.4, loc="lower left",
            bbox_to_anchor=(0, 1), handlelength=1.2, labelspacing=0.3,
        )  # fmt: skip
    return sheet


def _draw_bins(axes: Axes, rows: pd.DataFrame, colour: str, label: str) -> None:
    x, y = rows["mean_score"], rows["observed_share"]
    ends = rows[["observed_share_low", "observed_share_high"]].to_numpy().T
    axes.vlines(x, *ends, color=colour, linewidth=1.1, alpha=0.6)
    axes.plot(x, y, "o-", color=colour, markersize=4, linewidth=1.2, label=label)


def _draw_counts(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    edges = [*rows["bin_low"], rows["bin_high"].iloc[-1]]
    axes.stairs(rows["tiles"], edges, color=colour, linewidth=1.2)


def draw_filtered(filtered: pd.DataFrame) -> Sheet:
    """AUROC of each method's map on the surest tiles, a panel per measure and reference.

    Args:
        filtered: filtered.csv. Up to MOST_CURVES methods that are no controls are drawn.
    """
    controls = registry.names("control")
    shown = [m for m in dict.fromkeys(filtered["method"]) if m not in controls][:MOST_CURVES]
    measures = [m for m in MEASURES if (filtered["measure"] == m).any()]
    references = list(dict.fromkeys(filtered["reference"]))
    sheet = Sheet(
        LEFT + NEXT * len(measures) + KEY - 0.4,
        HEAD + DOWN * len(references) - 0.2,
        "Are maps worse where the classifier is unsure?",
        "AUROC for the target group on the surest test tiles by each measure. Bars: 95 % intervals"
        " of a jackknife over blocks.\nDotted, right axis: share of the target group in these"
        " tiles.",
    )
    handles = []
    for line, reference in enumerate(references):
        for column, measure in enumerate(measures):
            axes = sheet.axes(LEFT + column * NEXT, HEAD - 0.2 + line * DOWN, SMALLER, SMALLER)
            title = f"{MEASURES[measure]}\n{reference_title(reference)}"
            plain_axes(axes, "", "Surest tiles, %", "AUROC" if column == 0 else "")
            axes.set_title(title, fontsize=SMALL, loc="left", color=INK)
            rows = filtered[(filtered["measure"] == measure) & (filtered["reference"] == reference)]
            handles = _draw_curves(axes, rows, shown)
            axes.set_ylim(_range(filtered[filtered["reference"] == reference], shown))
    sheet.legend(LEFT + NEXT * len(measures) - 0.2, HEAD - 0.2, handles)
    return sheet


def _range(rows: pd.DataFrame, shown: list[str]) -> tuple[float, float]:
    """Ends of the y axis of one reference, which its panels share."""
    values = rows.loc[rows["method"].isin(shown), ["auroc", "auroc_low", "auroc_high"]]
    low, high = values.min(axis=None), values.max(axis=None)
    return (low - 0.02, high + 0.02) if np.isfinite(low) else (0.0, 1.0)


def _draw_curves(axes: Axes, rows: pd.DataFrame, shown: list[str]) -> list:
    handles = []
    for number, method in enumerate(shown):
        of_method = rows[rows["method"] == method]
        # side by side, so that intervals do not hide each other
        x = 100 * of_method["share"] + 1.2 * (number - (len(shown) - 1) / 2)
        colour = method_colour(method)
        ends = of_method[["auroc_low", "auroc_high"]].to_numpy().T
        axes.vlines(x, *ends, color=colour, linewidth=0.9, alpha=0.5)
        handles += axes.plot(
            x, of_method["auroc"], marker=MARKERS[number], color=colour, markersize=4,
            linewidth=1.0, label=method_title(method),
        )  # fmt: skip
    share = rows.drop_duplicates("share")
    other = axes.twinx()
    other.plot(100 * share["share"], share["target_share"], color=MUTED, linestyle=":", linewidth=1)
    other.set_ylim(0, 1)
    other.tick_params(labelsize=SMALL, color=MUTED, labelcolor=MUTED, length=3)
    for spine in other.spines.values():
        spine.set(color=FAINT, linewidth=0.5)
    axes.set_xticks(100 * np.unique(rows["share"]))
    return handles
