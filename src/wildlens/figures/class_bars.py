"""Figure of classes.csv: mean attribution of each method by land-cover class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle

from wildlens.figures.style import (
    INK,
    MARGIN,
    MISSING,
    MUTED,
    NORMAL,
    RELATIVE,
    SMALL,
    Sheet,
    reference_title,
)
from wildlens.legend import CORINE
from wildlens.registry.methods import title as method_title

LABELS, CELL, ROW = 3.35, 0.58, 0.23  # inches
HEAD, TITLES, BOTTOM = 0.72, 1.02, 0.3
GROUP = "targets"  # code of the target group's row
DOUBLINGS = 3  # colours saturate at 1/8 of the mean and at 8 times the mean
COLOURS = ScalarMappable(Normalize(-DOUBLINGS, DOUBLINGS), RELATIVE)


def draw_classes(table: pd.DataFrame, targets: Sequence[int], scene: str = "test tiles") -> Sheet:
    """One heat map per reference: mean attribution of a class divided by the overall mean.

    Args:
        table: classes.csv, with class codes as text.
        targets: CORINE codes of the target group.
        scene: the scene of the table that is shown.
    """
    table = table[table["scene"] == scene]
    methods = list(dict.fromkeys(table["method"]))
    panels = [(name, rows) for name, rows in table.groupby("reference", sort=True)]
    tall = [ROW * (rows["class_code"].nunique() + 0.4) for _, rows in panels]
    sheet = Sheet(
        2 * MARGIN + LABELS + CELL * len(methods) + 0.75,
        HEAD + sum(tall) + len(panels) * (TITLES + 0.15) + BOTTOM + 0.45,
        f"Mean attribution by land cover, {scene}",
        "Mean of a class divided by the mean of all pixels with known land cover.\nBold: target"
        " group. Below 0: evidence against natural (methods with signs).",
    )
    y = HEAD
    for (reference, rows), height in zip(panels, tall, strict=True):
        sheet.text(
            MARGIN,
            y + TITLES - 0.3,
            f"{reference_title(reference)}, share of area",
            fontsize=NORMAL,
            fontweight="bold",
        )
        axes = sheet.axes(MARGIN + LABELS, y + TITLES, CELL * len(methods), height)
        _draw_panel(axes, rows, methods, targets)
        y += TITLES + height + 0.15
    ticks = dict(
        zip(range(-DOUBLINGS, DOUBLINGS + 1), ("≤⅛", "¼", "½", "1", "2", "4", "≥8"), strict=True)
    )
    sheet.colour_key(MARGIN, y + 0.1, 2.8, RELATIVE, ticks, "Times the overall mean")
    return sheet


def _draw_panel(axes: Axes, rows: pd.DataFrame, methods: list[str], targets) -> None:
    """One row per class in ascending order of codes, and the target group's row below."""
    values = rows.pivot(index="class_code", columns="method", values="relative_attribution")
    values = values[methods].sort_index(key=lambda codes: codes.where(codes != GROUP, "~"))
    classes = rows.drop_duplicates("class_code").set_index("class_code")
    share = classes["pixels"] / classes["pixels"].drop(GROUP, errors="ignore").sum()
    for line, (code, line_values) in enumerate(values.iterrows()):
        y = line + (0.4 if code == GROUP else 0)
        for column, value in enumerate(line_values):
            _draw_cell(axes, column, y, value)
        target = code == GROUP or int(code) in targets
        _draw_label(axes, y, code, classes["class_name"][code], share[code], target)
    axes.set(xlim=(0, len(methods)), ylim=(len(values) + 0.4, 0), yticks=[])
    axes.set_xticks(
        np.arange(len(methods)) + 0.5,
        [method_title(method) for method in methods],
        rotation=38,
        ha="left",
        rotation_mode="anchor",
        fontsize=SMALL,
    )
    axes.tick_params(top=True, bottom=False, labeltop=True, labelbottom=False, length=0, pad=2)
    axes.spines[:].set_visible(False)


def _draw_cell(axes: Axes, column: int, y: float, value: float) -> None:
    missing = not np.isfinite(value)
    # means below 0 have no logarithm: they get the lowest colour
    doublings = -DOUBLINGS if missing or value <= 0 else np.log2(value)
    colour = MISSING if missing else COLOURS.to_rgba(doublings)
    axes.add_patch(Rectangle((column, y), 1, 1, edgecolor="white", linewidth=0.8, facecolor=colour))
    dark = not missing and abs(doublings) > 0.6 * DOUBLINGS
    axes.text(
        column + 0.5,
        y + 0.52,
        _number(value),
        ha="center",
        va="center",
        fontsize=SMALL,
        color="white" if dark else INK,
    )


def _number(value: float) -> str:
    if not np.isfinite(value):
        return "–"
    return f"{value:.2f}".replace("-", "−") if abs(value) < 9.995 else f"{value:.0f}"


def _draw_label(axes: Axes, y: float, code: str, name: str, share: float, target: bool) -> None:
    """Name, share of the area and colour of a class, to the left of its cells."""
    short = name if len(name) <= 34 else name[:33].rstrip() + "…"
    text = f"{short[0].upper()}{short[1:]}" if code == GROUP else f"{code} {short}"
    percent = f"{100 * share:.0f} %" if share >= 0.01 else "<1 %"
    weight = "bold" if target else "normal"
    right = {"ha": "right", "va": "center", "fontsize": SMALL}
    axes.text(-1.1, y + 0.52, text, fontweight=weight, **right)
    axes.text(-0.45, y + 0.52, percent, color=MUTED, **right)
    if code != GROUP:
        colour = np.array(CORINE.of_code(int(code)).rgb) / 255
        box = Rectangle((-0.34, y + 0.2), 0.22, 0.6, facecolor=colour, clip_on=False)
        box.set(edgecolor=MUTED, linewidth=0.4)
        axes.add_patch(box)
