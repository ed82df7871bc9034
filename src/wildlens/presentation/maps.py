"""Figure of whole scenes: true colour, land cover, and the map of each method."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from wildlens.presentation import imagery
from wildlens.presentation.style import (
    ATTRIBUTION,
    MARGIN,
    NORMAL,
    Sheet,
    image_axes,
    method_title,
    reference_title,
)

PANEL, GAP, TITLE, COLUMNS = 2.7, 0.12, 0.26, 4  # inches, inches, inches, pictures
HEAD, SCENE_HEAD, KEY, ENTRY = 0.75, 0.45, 0.6, 0.165
MOST_CLASSES = 12


@dataclass(frozen=True)
class SceneView:
    """A scene, thinned for display.

    Attributes:
        name: of the scene; crs: name of its reference system.
        pixel_m: metres of a displayed pixel.
        reflectance: (band, y, x) float32; valid: (y, x) bool; bands: names of the bands.
        landcover: (y, x) uint8, CORINE index, 0 = not known; None if there is none.
        maps: method -> (y, x) float32, NaN = no data.
    """

    name: str
    crs: str
    pixel_m: float
    reflectance: np.ndarray
    valid: np.ndarray
    bands: Sequence[str]
    landcover: np.ndarray | None
    maps: dict[str, np.ndarray]

    @property
    def aspect(self) -> float:
        """Height by width."""
        return self.valid.shape[0] / self.valid.shape[1]


def draw_maps(scenes: Sequence[SceneView], targets: Sequence[int]) -> Sheet:
    """A block of pictures for each scene; without scenes, a figure that says so.

    Args:
        targets: CORINE codes of the target group, bold in the legend.
    """
    if not scenes:
        return Sheet(
            6, 0.75, "Maps of whole scenes", "No scene was mapped: inputs.mapping is empty."
        )
    blocks = [_block_height(scene) for scene in scenes]
    sheet = Sheet(
        2 * MARGIN + COLUMNS * PANEL + (COLUMNS - 1) * GAP,
        HEAD + sum(blocks),
        "Maps of whole scenes",
        "Attribution from the 1st to the 99th percentile of the scene (in brackets), in the unit of"
        " each method. North is up. Hatched: no data.",
    )
    y = HEAD
    for scene, block in zip(scenes, blocks, strict=True):
        _draw_scene(sheet, y, scene, targets)
        y += block
    return sheet


def _block_height(scene: SceneView) -> float:
    # the legend takes the place of one more picture
    pictures = 1 + (scene.landcover is not None) + len(scene.maps)
    lines, legend_column = divmod(pictures, COLUMNS)
    tall, legend = PANEL * scene.aspect + TITLE, KEY
    if scene.landcover is not None:
        classes = np.count_nonzero(np.unique(scene.landcover))
        legend += ENTRY * (min(classes, MOST_CLASSES) + 3)  # and a title of two lines
    last = max(tall * (legend_column > 0), legend)
    return SCENE_HEAD + lines * tall + last + 0.1


def _draw_scene(sheet: Sheet, y: float, scene: SceneView, targets: Sequence[int]) -> None:
    sheet.text(MARGIN, y, f"Scene {scene.name} ({scene.crs})", fontsize=NORMAL, fontweight="bold")

    def place(number: int) -> tuple[float, float]:
        line, column = divmod(number, COLUMNS)
        top = y + SCENE_HEAD + line * (PANEL * scene.aspect + TITLE)
        return MARGIN + column * (PANEL + GAP), top

    def picture(number: int, title: str) -> Axes:
        axes = image_axes(sheet.axes(*place(number), PANEL, PANEL * scene.aspect), title)
        imagery.hatch_missing(axes)
        return axes

    stretch = imagery.stretch_for(scene.bands, [scene.reflectance[:, scene.valid]])
    axes = picture(0, stretch.name)
    axes.imshow(stretch(scene.reflectance, scene.valid))
    imagery.scale_bar(axes, scene.pixel_m, scene.valid.shape)
    imagery.north_arrow(axes)
    number = 1
    if scene.landcover is not None:
        image = imagery.land_cover_picture(scene.landcover)
        picture(number, reference_title("corine")).imshow(image, interpolation="nearest")
        number += 1
    for method, values in scene.maps.items():
        limits = imagery.robust_limits(values)
        span = f"{limits.vmin:.2g} to {limits.vmax:.2g}".replace("-", "−")
        picture(number, f"{method_title(method)} ({span})").imshow(values, ATTRIBUTION, norm=limits)
        number += 1
    x, top = place(number)
    sheet.colour_key(
        x, top, 1.9, ATTRIBUTION, {0: "low", 1: "high"}, "Attribution (evidence for natural)"
    )
    if scene.landcover is not None:
        imagery.land_cover_legend(sheet, x, top + KEY, [scene.landcover], targets, MOST_CLASSES)
