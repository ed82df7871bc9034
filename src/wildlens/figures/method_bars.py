"""Figure of methods.csv: IoU of each method with its interval, AUROC and average precision."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from wildlens.figures.style import (
    BLUE,
    INK,
    MARGIN,
    MUTED,
    NORMAL,
    VERMILLION,
    Sheet,
    method_colour,
    plain_axes,
    reference_title,
    write_beside,
)
from wildlens.registry.methods import title as method_title

LEFT, PANEL, TABLE, ROW = 2.3, 3.0, 2.85, 0.3  # inches
HEAD, TITLE, AXIS, LEGEND = 0.95, 0.5, 0.62, 0.55
OTSU = 0.3  # of a row: below the dot, which may be at nearly the same IoU
DASHES = {"color": INK, "linewidth": 0.9, "linestyle": (0, (4, 2))}


def draw_methods(table: pd.DataFrame, group: str) -> Sheet:
    """One panel per reference: IoU with the validation threshold, and with Otsu's threshold.

    Args:
        table: methods.csv.
        group: title of the target group.
    """
    references = list(dict.fromkeys(table["reference"]))
    methods = list(dict.fromkeys(table["method"]))
    block = TITLE + ROW * len(methods) + AXIS
    sheet = Sheet(
        LEFT + PANEL + TABLE + MARGIN,
        HEAD + len(references) * block + LEGEND,
        f"Agreement of high attribution with {group}",
        f"{table['tiles'].iloc[0]} protected test tiles in {table['blocks'].iloc[0]} spatial"
        " blocks. Each method has one threshold, chosen on validation tiles.\nBars and brackets:"
        " 95 % intervals of a jackknife over blocks. AUROC and AP (average precision) need no"
        " threshold.",
    )
    top = table[["iou_high", "iou", "iou_otsu", "target_share"]].max(axis=None)
    for number, reference in enumerate(references):
        y = HEAD + number * block
        sheet.text(MARGIN, y, reference_title(reference), fontsize=NORMAL, fontweight="bold")
        axes = plain_axes(
            sheet.axes(LEFT, y + TITLE, PANEL, ROW * len(methods)), x="Intersection over union, IoU"
        )
        _draw_rows(axes, table[table["reference"] == reference])
        axes.set_xlim(0, min(1.03, 1.08 * top))
    _draw_key(sheet)
    return sheet


def _draw_rows(axes: Axes, rows: pd.DataFrame) -> None:
    for y, row in enumerate(rows.to_dict("records")):
        colour = method_colour(row["method"])
        axes.plot([row["iou_low"], row["iou_high"]], [y, y], color=colour, linewidth=2)
        axes.plot(row["iou"], y, "o", color=colour, markersize=6.5)
        axes.plot(row["iou_otsu"], y + OTSU, "D", color=colour, markersize=3.6, fillstyle="none")
        _write_row(axes, y, f"{row['auroc']:.2f}", f"{row['average_precision']:.2f}", _paired(row))
    _write_row(axes, -0.85, "AUROC", "AP", "IoU minus GAN", color=MUTED)
    share = rows["target_share"].iloc[0]
    axes.axvline(share, **DASHES)
    axes.set_yticks(range(len(rows)), [method_title(method) for method in rows["method"]])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelsize=NORMAL)
    axes.grid(False, axis="y")


def _paired(row: dict) -> str:
    """Difference to the paper's map with its interval, with explicit signs."""
    if pd.isna(row["iou_minus_gan"]):
        return "–"
    value, low, high = (
        # three decimals: with two, an interval that excludes 0 could seem to include it
        f"{round(row[f'iou_minus_gan{end}'], 3) + 0.0:+.3f}".replace("-", "−")
        for end in ("", "_low", "_high")
    )
    return value if pd.isna(row["iou_minus_gan_low"]) else f"{value} [{low}, {high}]"


def _write_row(axes: Axes, y: float, *texts: str, color: str = INK) -> None:
    """Columns of text to the right of the axes."""
    for inches, text in zip((0.5, 0.95, 2.6), texts, strict=True):
        write_beside(axes, inches, y, text, color=color)


def _draw_key(sheet: Sheet) -> None:
    handles = [
        Line2D([], [], color=INK, marker="o", linewidth=2, label="validation threshold"),
        Line2D([], [], label="the paper's method", color=VERMILLION, linewidth=5),
        Line2D(
            [], [], color=INK, marker="D", fillstyle="none", linestyle="none", markersize=3.6,
            label="Otsu's threshold of each tile",
        ),
        Line2D([], [], label="other methods", color=BLUE, linewidth=5),
        Line2D([], [], label="every pixel marked", **DASHES),
        Line2D([], [], label="controls", color=MUTED, linewidth=5),
    ]  # fmt: skip
    sheet.legend(LEFT, sheet.height - LEGEND + 0.08, handles, ncols=3, handlelength=1.8)
