"""Figure of example tiles: the image, its generated images, and each method's map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from wildlens.figures import imagery
from wildlens.figures.land_cover_legend import LandCoverLegend
from wildlens.figures.style import (
    MARGIN,
    NORMAL,
    Sheet,
    image_axes,
    reference_title,
)
from wildlens.legend import CORINE
from wildlens.registry.methods import title as method_title

PANEL, GAP, LINE = 1.4, 0.08, 1.6  # inches: image, gap, distance of two rows
HEAD, BAND, FOOT = 1.05, 3.65, 1.2
KEY = 2.8  # inches from the left edge to the legend of the land cover
PIXEL_M = 10  # of every scene
LETTERS = 19  # of a title as wide as an image
FEWEST_COLUMNS = 6  # space for the title and the legend
MOST_CLASSES = 18


@dataclass(frozen=True)
class Example:
    """One tile with its images, land cover and attributions.

    Attributes:
        name, reason: of the tile; why it was chosen.
        images: (3, band, y, x) float32 reflectance, X, X+ and X-; scores: (3,) in 0..1.
        valid: (y, x) bool.
        references: "corine" and, if known, "truth" -> (y, x) uint8, CORINE index, 0 = unknown.
        attributions: method -> (y, x) float32, NaN = missing.
        signed: methods whose values below zero have a meaning.
    """

    name: str
    reason: str
    images: np.ndarray
    scores: np.ndarray
    valid: np.ndarray
    references: dict[str, np.ndarray]
    attributions: dict[str, np.ndarray]
    signed: frozenset[str] = frozenset()


def draw_examples(
    examples: Sequence[Example], bands: Sequence[str], targets: Sequence[int]
) -> Sheet:
    """Two rows of images per tile: generated images and land cover, and attributions below.

    Args:
        bands: names of the bands of the images.
        targets: CORINE codes of the target group.
    """
    methods, references = list(examples[0].attributions), list(examples[0].references)
    columns = max(len(methods), 4 + len(references), FEWEST_COLUMNS)
    width = 2 * MARGIN + columns * (PANEL + GAP)
    classes = [classes for e in examples for classes in e.references.values()]
    legend = LandCoverLegend(classes, targets, MOST_CLASSES, width - KEY - MARGIN)
    sheet = Sheet(
        width,
        HEAD + len(examples) * BAND + max(FOOT, legend.height) + MARGIN,
        "Example tiles with generated images and attributions",
        "Protected test tiles, chosen by the classifier's scores alone. Images share one stretch;"
        " each method has one colour scale for all tiles\n(to the 99th percentile)."
        " X+ − X− (± reflectance): grey for no change, else the colour in which X+ is"
        " higher.\n"
        f"Lines: borders of the target group ({', '.join(map(str, targets))}); on attributions, in"
        f" the {reference_title(references[-1]).lower().replace('corine', 'CORINE')}."
        f" Light grey: no data.",
    )
    stretch = imagery.stretch_for(bands, [e.images[0][:, e.valid] for e in examples])
    change = _change_limit(examples, stretch)
    scales = {
        method: imagery.scale_of(
            np.stack([e.attributions[method] for e in examples]), method in examples[0].signed
        )
        for method in methods
    }
    for number, example in enumerate(examples):
        top = HEAD + number * BAND
        title = f"({chr(97 + number)}) Test tile {example.name}: {example.reason}"
        sheet.text(MARGIN, top, title, fontsize=NORMAL, fontweight="bold")
        masks = {
            name: np.isin(classes, CORINE.indices_of(targets))
            for name, classes in example.references.items()
        }
        _draw_images(sheet, top + 0.36, example, stretch, change, masks)
        for column, method in enumerate(methods):
            axes = _picture(sheet, top + 0.36 + LINE, column, method_title(method))
            axes.imshow(example.attributions[method], **scales[method].options)
            imagery.outline(axes, masks[references[-1]])
    foot = HEAD + len(examples) * BAND
    sheet.attribution_keys(MARGIN, foot, 2.2, any(scale.signed for scale in scales.values()))
    legend.draw(sheet, KEY, foot)
    return sheet


def _picture(sheet: Sheet, y: float, column: int, title: str) -> Axes:
    return image_axes(sheet.axes(MARGIN + column * (PANEL + GAP), y, PANEL, PANEL), title, LETTERS)


def _draw_images(
    sheet: Sheet,
    y: float,
    example: Example,
    stretch: imagery.Stretch,
    limit: float,
    masks: Mapping[str, np.ndarray],
) -> None:
    """The first row: images, their difference, land cover with the borders of `masks`."""
    for column, name in enumerate(("X", "X+", "X−")):
        axes = _picture(sheet, y, column, f"{name}, score {example.scores[column]:.2f}")
        axes.imshow(stretch(example.images[column], example.valid))
        if column == 0:
            imagery.scale_bar(axes, PIXEL_M, example.valid.shape)
    change = (example.images[1] - example.images[2])[list(stretch.bands)]
    change = np.clip(0.5 + 0.5 * np.moveaxis(change, 0, -1) / limit, 0, 1)
    axes = _picture(sheet, y, 3, f"X+ − X−, ±{limit:.2g}")
    axes.imshow(np.dstack([change, example.valid]).astype(np.float32))
    for column, (reference, classes) in enumerate(example.references.items(), start=4):
        axes = _picture(sheet, y, column, reference_title(reference))
        axes.imshow(imagery.land_cover_picture(classes), interpolation="nearest")
        imagery.outline(axes, masks[reference])


def _change_limit(examples: Sequence[Example], stretch: imagery.Stretch) -> float:
    """Reflectance at which the image of X+ - X- is saturated, the same for all tiles."""
    shown = sorted(set(stretch.bands))
    change = [np.abs(e.images[1] - e.images[2])[shown][:, e.valid].ravel() for e in examples]
    values = np.concatenate(change)
    return max(float(np.percentile(values, 99)), 1e-4) if values.size else 1.0
