"""Figure of area_statistics.csv: score and main land cover of each site, beside its ring."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from wildlens.figures.result_tables import SITE
from wildlens.figures.style import (
    BLUE,
    INK,
    MARGIN,
    MUTED,
    NORMAL,
    VERMILLION,
    Sheet,
    plain_axes,
    write_beside,
)

MOST_SITES = 20  # those with the most covered ground
LONGEST = 38  # letters of a name
LEFT, PANEL, TABLE, ROW = 3.3, 3.2, 3.9, 0.3  # inches
HEAD, AXIS, LEGEND = 1.25, 0.55, 0.4


def draw_areas(table: pd.DataFrame) -> Sheet:
    """Mean score inside each site and in the ring around it, the highest score first.

    Args:
        table: area_statistics.csv; without rows, a figure with a note.
    """
    table = table.fillna(dict.fromkeys(SITE, ""))
    inside = table[table["zone"] == "inside"].dropna(subset=["score_mean"])
    inside = inside.nlargest(MOST_SITES, "covered_km2").sort_values("score_mean", ascending=False)
    if inside.empty:
        return Sheet(6, 0.75, "Protected areas", "No protected area lies in a mapped scene.")
    sheet = Sheet(
        LEFT + PANEL + TABLE + MARGIN,
        HEAD + ROW * len(inside) + AXIS + LEGEND,
        "Score of each protected area, and of the ground around it",
        f"The {len(inside)} areas with the most mapped ground. Dots: mean over the pixels inside;"
        " lines: their standard deviation.\nA score of 1 looks natural to the classifier, 0"
        " anthropogenic.",
    )
    of_rings = table[table["zone"] == "ring"]
    axes = plain_axes(sheet.axes(LEFT, HEAD, PANEL, ROW * len(inside)), x="Mean score")
    rings = {_site(row): row["score_mean"] for row in of_rings.to_dict("records")}
    for y, row in enumerate(inside.to_dict("records")):
        _draw_row(axes, y, row, rings)
    _write_row(axes, -0.85, "mapped, km²", "of the area", "main land cover", color=MUTED)
    names = [_short(str(row["name"] or row["site_id"])) for row in inside.to_dict("records")]
    axes.set_yticks(range(len(inside)), names)
    for label in axes.get_yticklabels():
        label.set_parse_math(False)  # a name may hold dollar signs
    axes.set_ylim(len(inside) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.tick_params(axis="y", length=0, labelsize=NORMAL)
    axes.grid(False, axis="y")
    _draw_key(sheet, ring=bool(rings))
    return sheet


def _site(row: Mapping[str, str]) -> tuple[str, ...]:
    """What identifies a site: parcels of one id may have different categories."""
    return tuple(row[name] for name in SITE)


def _draw_row(axes: Axes, y: int, row: dict, rings: Mapping[tuple[str, ...], float]) -> None:
    low, high = row["score_mean"] - row["score_sd"], row["score_mean"] + row["score_sd"]
    axes.plot([max(low, 0), min(high, 1)], [y, y], color=VERMILLION, linewidth=1.6, alpha=0.7)
    axes.plot(row["score_mean"], y, "o", color=VERMILLION, markersize=6.5)
    if (ring := rings.get(_site(row))) is not None:
        axes.plot(ring, y, "|", color=BLUE, markersize=11, markeredgewidth=2)
    main = row.get("landcover_main")
    text = "–" if pd.isna(main) else f"{main} {row['landcover_main_share']:.0%}"
    _write_row(axes, y, f"{row['covered_km2']:.1f}", f"{row['covered_share']:.0%}", _short(text))


def _write_row(axes: Axes, y: float, *texts: str, color: str = INK) -> None:
    """Columns of text to the right of the axes."""
    aligned = zip((0.75, 1.55, 1.75), ("right", "right", "left"), texts, strict=True)
    for inches, side, text in aligned:
        write_beside(axes, inches, y, text, ha=side, color=color)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"


def _draw_key(sheet: Sheet, ring: bool) -> None:
    handles = [Line2D([], [], color=VERMILLION, marker="o", linewidth=1.6, label="inside")]
    if ring:
        mark = {"marker": "|", "markersize": 10, "markeredgewidth": 2, "linestyle": "none"}
        handles.append(Line2D([], [], color=BLUE, label="ring around it", **mark))
    sheet.legend(LEFT, sheet.height - LEGEND + 0.08, handles, ncols=2)
