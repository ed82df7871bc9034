"""Figure of whole scenes: true colour, land cover, and the map of each method."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from wildlens.figures import imagery
from wildlens.figures.land_cover_legend import LandCoverLegend
from wildlens.figures.style import (
    MARGIN,
    NORMAL,
    SECOND_KEY,
    Sheet,
    image_axes,
    reference_title,
)
from wildlens.legend import CORINE
from wildlens.registry.methods import title as method_title

PANEL, GAP, TITLE, COLUMNS = 2.7, 0.12, 0.42, 4  # inches, inches, inches, images
HEAD, SCENE_HEAD, KEY = 0.9, 0.6, 0.6
MOST_CLASSES = 12


@dataclass(frozen=True)
class SceneView:
    """A scene, thinned for display.

    Attributes:
        name: of the scene; crs: name of its reference system.
        pixel_m: metres of a displayed pixel.
        reflectance: (band, y, x) float32; valid: (y, x) bool; bands: names of the bands.
        landcover: (y, x) uint8, CORINE index, 0 = unknown; None if there is none.
        maps: method -> (y, x) float32, NaN = no data; units: method -> its unit, if known.
        signed: methods whose values below zero have a meaning.
    """

    name: str
    crs: str
    pixel_m: float
    reflectance: np.ndarray
    valid: np.ndarray
    bands: Sequence[str]
    landcover: np.ndarray | None
    maps: dict[str, np.ndarray]
    units: dict[str, str] = field(default_factory=dict)
    signed: frozenset[str] = frozenset()

    @property
    def aspect(self) -> float:
        """Height by width."""
        return self.valid.shape[0] / self.valid.shape[1]


def draw_maps(scenes: Sequence[SceneView], targets: Sequence[int]) -> Sheet:
    """One block of images per scene; without scenes, a figure with a note.

    Args:
        targets: CORINE codes of the target group, bold in the legend.
    """
    if not scenes:
        return Sheet(
            6, 0.75, "Maps of whole scenes", "No scene was mapped: inputs.mapping is empty."
        )
    legends = [_legend(scene, targets) for scene in scenes]
    blocks = [_block_height(scene, legend) for scene, legend in zip(scenes, legends, strict=True)]
    sheet = Sheet(
        2 * MARGIN + COLUMNS * PANEL + (COLUMNS - 1) * GAP,
        HEAD + sum(blocks),
        "Maps of whole scenes",
        "Colours range to the 99th percentile of the scene, given above each map in the method's"
        " unit.\nNorth is up. Hatched: no data."
        + (" Lines on the land cover: borders of the target group." if any(legends) else ""),
    )
    y = HEAD
    for scene, block, legend in zip(scenes, blocks, legends, strict=True):
        _draw_scene(sheet, y, scene, targets, legend)
        y += block
    return sheet


def _legend(scene: SceneView, targets: Sequence[int]) -> LandCoverLegend | None:
    if scene.landcover is None:
        return None
    return LandCoverLegend([scene.landcover], targets, MOST_CLASSES, PANEL)


def _block_height(scene: SceneView, classes: LandCoverLegend | None) -> float:
    # the legend takes the place of one more image
    pictures = 1 + (scene.landcover is not None) + len(scene.maps)
    lines, legend_column = divmod(pictures, COLUMNS)
    tall, legend = PANEL * scene.aspect + TITLE, _keys(scene)
    if classes is not None:
        legend += classes.height
    last = max(tall * (legend_column > 0), legend)
    return SCENE_HEAD + lines * tall + last + 0.1


def _keys(scene: SceneView) -> float:
    """Height of the colour bars, inches."""
    return KEY + SECOND_KEY * bool(scene.signed)


def _draw_scene(
    sheet: Sheet,
    y: float,
    scene: SceneView,
    targets: Sequence[int],
    legend: LandCoverLegend | None,
) -> None:
    sheet.text(MARGIN, y, f"Scene {scene.name} ({scene.crs})", fontsize=NORMAL, fontweight="bold")

    def place(number: int) -> tuple[float, float]:
        line, column = divmod(number, COLUMNS)
        top = y + SCENE_HEAD + line * (PANEL * scene.aspect + TITLE)
        return MARGIN + column * (PANEL + GAP), top

    def picture(number: int, title: str) -> Axes:
        axes = image_axes(sheet.axes(*place(number), PANEL, PANEL * scene.aspect), title)
        axes.title.set_linespacing(1.25)
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
        axes = picture(number, reference_title("corine"))
        axes.imshow(image, interpolation="nearest")
        imagery.outline(axes, np.isin(scene.landcover, CORINE.indices_of(targets)))
        number += 1
    for method, values in scene.maps.items():
        scale = imagery.scale_of(values, method in scene.signed)
        title = f"{method_title(method)}\n{span(scale.limits, scene.units.get(method, ''))}"
        picture(number, title).imshow(values, **scale.options)
        number += 1
    x, top = place(number)
    sheet.attribution_keys(x, top, 1.9, bool(scene.signed))
    if legend is not None:
        legend.draw(sheet, x, top + _keys(scene))


def span(limits: Normalize, unit: str) -> str:
    """Both ends of a scale, with two significant digits of the larger one."""
    largest = max(abs(limits.vmin), abs(limits.vmax))
    decimals = max(0, 1 - int(np.floor(np.log10(largest)))) if largest > 0 else 0
    low, high = (
        f"{value:.{decimals}f}" if round(value, decimals) else "0"
        for value in (limits.vmin, limits.vmax)
    )
    return f"{low} to {high} {unit}".strip().replace("-", "−")
