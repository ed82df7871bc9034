"""Figure of the training set: locations and splits of the labelled tiles."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch, Rectangle

from wildlens.figures.style import (
    MARGIN,
    SMALL,
    Sheet,
    class_colour,
    plain_axes,
)
from wildlens.settings import TWO_CLASSES, classes_in_order

PANEL, ACROSS, DOWN = 2.9, 3.65, 3.75  # inches
LEFT, HEAD, LEGEND = 0.65, 1.0, 0.7
MOST_SCENES = 6
PIXEL_KM = 0.01  # scenes have pixels of 10 m


@dataclass(frozen=True)
class Kind:
    """Tiles of one label in one split, and their fill: hue by label, tint by split."""

    label: int
    split: str
    name: str
    colour: str
    strength: float
    hatch: str | None = None

    @property
    def style(self) -> dict:
        """Arguments of a patch."""
        tint = 1 - self.strength * (1 - np.array(to_rgb(self.colour)))
        edge = "white" if self.strength == 1 else self.colour
        return {"facecolor": tint, "edgecolor": edge, "hatch": self.hatch, "linewidth": 0.5}


SPLITS = (
    ("train", "training", 0.28, None),
    ("val", "validation", 0.5, "/////"),
    ("test", "test", 1.0, None),
)


def kinds(classes: Sequence[str]) -> list[Kind]:
    """All kinds of tiles of some classes (by label), protected ones first."""
    return [
        Kind(label, split, f"{name}, {title}", class_colour(label), strength, hatch)
        for label, name in classes_in_order(classes)
        for split, title, strength, hatch in SPLITS
    ]


@dataclass(frozen=True)
class Picture:
    """A scene as background: (y, x, 4) RGBA of any size, and the scene's own shape in pixels."""

    image: np.ndarray
    shape: tuple[int, int]


def shown_scenes(tiles: pd.DataFrame) -> list[str]:
    """The scenes with the most tiles, by name: those that have a panel.

    Args:
        tiles: one row per tile, with its scene.
    """
    return sorted(tiles["scene"].value_counts().index[:MOST_SCENES])


def draw_tiles(
    tiles: pd.DataFrame,
    size: int,
    pictures: Mapping[str, Picture] | None = None,
    classes: Sequence[str] = TWO_CLASSES,
) -> Sheet:
    """One panel for each of the scenes with the most tiles, footprints to scale.

    Args:
        tiles: one row per tile: scene, row, col (offset of its upper left pixel), label, split.
        size: side of the tiles, px.
        pictures: scene -> background of its tiles, if known; see `shown_scenes`.
        classes: names of the classes, by label.
    """
    counts, shown = tiles["scene"].value_counts(), kinds(classes)
    scenes = shown_scenes(tiles)
    columns = 2 if len(scenes) in (1, 2, 4) else 3
    lines = -(-len(scenes) // columns)
    subtitle = f"{len(tiles)} tiles of {size} × {size} px ({size * PIXEL_KM:g} km) in"
    subtitle += f" {len(counts)} scene{'s' * (len(counts) > 1)}; a spatial block is in one split."
    if len(counts) > MOST_SCENES:
        subtitle += f"\nShown: the {MOST_SCENES} scenes with the most tiles."
    sheet = Sheet(
        LEFT + columns * ACROSS - 0.5,
        HEAD + lines * DOWN + LEGEND - 0.15,
        "Labelled tiles and their split",
        subtitle,
    )
    for number, scene in enumerate(scenes):
        line, column = divmod(number, columns)
        axes = sheet.axes(LEFT + column * ACROSS, HEAD + line * DOWN, PANEL, PANEL)
        rows = tiles[tiles["scene"] == scene]
        plain_axes(axes, f"{scene}: {len(rows)} tiles", "km east of the scene's corner")
        axes.set_ylabel("km south of the scene's corner", fontsize=SMALL)
        _draw_footprints(axes, rows, size, (pictures or {}).get(scene), shown)
    handles = [
        Patch(**kind.style, label=f"{kind.name}: {_select(tiles, kind).sum()}") for kind in shown
    ]
    sheet.legend(MARGIN, sheet.height - LEGEND, handles, ncols=len(classes), handleheight=1.1)
    return sheet


def _draw_footprints(
    axes: Axes, rows: pd.DataFrame, size: int, picture: Picture | None, shown: Sequence[Kind]
) -> None:
    axes.grid(False)
    south = (rows["row"].max() + size) * PIXEL_KM
    east = (rows["col"].max() + size) * PIXEL_KM
    if picture is not None:
        south, east = (PIXEL_KM * side for side in picture.shape)
        axes.imshow(picture.image, extent=(0, east, south, 0), alpha=0.5)
    side = size * PIXEL_KM
    for kind in shown:
        chosen = rows[_select(rows, kind)]
        corners = zip(chosen["col"] * PIXEL_KM, chosen["row"] * PIXEL_KM, strict=True)
        squares = [Rectangle(corner, side, side) for corner in corners]
        axes.add_collection(PatchCollection(squares, **kind.style))
    reach = max(south, east)
    axes.set(xlim=(-0.02 * reach, 1.02 * reach), ylim=(1.02 * reach, -0.02 * reach), aspect="equal")


def _select(rows: pd.DataFrame, kind: Kind) -> pd.Series:
    return (rows["label"] == kind.label) & (rows["split"] == kind.split)
