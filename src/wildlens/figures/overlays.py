"""Figure of overlays: each method's map over the best, the median and the worst tile."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps

from wildlens.figures import imagery
from wildlens.figures.style import (
    ATTRIBUTION,
    MARGIN,
    NORMAL,
    Sheet,
    image_axes,
    reference_title,
)
from wildlens.registry.methods import title as method_title

PANEL, GAP, TITLE, HEAD, FOOT = 1.4, 0.08, 0.22, 0.95, 0.55  # inches
COLUMNS = 7  # images side by side at most: legible when printed on a page
LETTERS = 19  # of a title as wide as an image
PIXEL_M = 10  # of every scene
LEAST_SHARE = 0.02  # of the target group, and of the rest, in a tile that is ranked


@dataclass(frozen=True)
class Overlaid:
    """One tile, its target group and the maps that are drawn over it.

    Attributes:
        name, reason: of the tile; why it was chosen.
        image: (band, y, x) float32 reflectance; valid: (y, x) bool.
        target: (y, x) bool, pixels of the target group.
        attributions: method -> (y, x) float32, NaN = missing.
        signed: methods whose values below zero have a meaning.
    """

    name: str
    reason: str
    image: np.ndarray
    valid: np.ndarray
    target: np.ndarray
    attributions: dict[str, np.ndarray]
    signed: frozenset[str] = frozenset()


def fits_of(precision: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Fit of a map to the target group in each tile: average precision over the group's share.

    Divided by the share, since chance alone reaches the share.

    Args:
        precision, share: (tile,) average precision, and share of the group among known pixels.

    Returns:
        (tile,) float, 1 = no better than chance; NaN where target or rest are rare.
    """
    ranked = (share >= LEAST_SHARE) & (share <= 1 - LEAST_SHARE)
    return np.divide(precision, share, out=np.full(len(share), np.nan), where=ranked)


def choose_by_fit(fits: np.ndarray) -> dict[int, str]:
    """Best, median and worst tile of a ranking; fewer if it has fewer.

    Returns:
        Position of the tile -> why it was chosen.
    """
    order = [int(i) for i in np.argsort(-fits, kind="stable") if np.isfinite(fits[i])]
    chosen: dict[int, str] = {}
    for place, reason in ((0, "best"), (len(order) // 2, "median"), (len(order) - 1, "worst")):
        if order:
            chosen.setdefault(order[place], f"{reason}, {fits[order[place]]:.2f} × chance")
    return chosen


def draw_overlays(
    tiles: Sequence[Overlaid], ranked: int, method: str, bands: Sequence[str], reference: str
) -> Sheet:
    """One block per tile: the image, and the image in grey under each method's map.

    Args:
        ranked: number of tiles that were ranked; method: whose map ranked them.
        bands: names of the bands of the images.
        reference: name of the land cover that defines the target group.
    """
    if not tiles:
        return Sheet(
            6, 0.9, "Maps over the image",
            "No test tile holds both the target group and other land, so none can be ranked.",
        )  # fmt: skip
    methods = list(tiles[0].attributions)
    lines = -(-(1 + len(methods)) // COLUMNS)
    columns = -(-(1 + len(methods)) // lines)  # lines of nearly the same length
    block = 0.4 + lines * (PANEL + TITLE)
    sheet = Sheet(
        2 * MARGIN + COLUMNS * (PANEL + GAP) - GAP,
        HEAD + len(tiles) * block + FOOT,
        "Maps over the image: best, median and worst tile",
        f"Of {ranked} protected test tiles, ranked by how well {method_title(method)} finds the"
        " target group: average precision divided by the group's share (1 = chance).\nThe more"
        " colour, the higher the attribution within the tile (to its 99th percentile; of methods"
        " with a sign, from 0). White lines: borders of the target group"
        f" ({reference_title(reference)}).",
    )
    stretch = imagery.stretch_for(bands, [tile.image[:, tile.valid] for tile in tiles])
    for number, tile in enumerate(tiles):
        top = HEAD + number * block
        title = f"({chr(97 + number)}) Test tile {tile.name}: {tile.reason}"
        sheet.text(MARGIN, top, title, fontsize=NORMAL, fontweight="bold")
        picture = stretch(tile.image, tile.valid)
        panels = {"X": picture} | {
            method_title(name): overlay(picture, values, name in tile.signed)
            for name, values in tile.attributions.items()
        }
        for place, (name, shown) in enumerate(panels.items()):
            line, column = divmod(place, columns)
            x, y = MARGIN + column * (PANEL + GAP), top + 0.4 + line * (PANEL + TITLE)
            axes = image_axes(sheet.axes(x, y, PANEL, PANEL), name, LETTERS)
            axes.imshow(shown)
            imagery.outline(axes, tile.target)
            if place == 0:
                imagery.scale_bar(axes, PIXEL_M, tile.valid.shape)
    foot = HEAD + len(tiles) * block
    sheet.colour_key(
        MARGIN, foot, 2.2, ATTRIBUTION, {0: "low: the image in grey", 1: "high"}, "Attribution"
    )
    return sheet


def overlay(picture: np.ndarray, attribution: np.ndarray, signed: bool) -> np.ndarray:
    """An image in grey under a map whose opacity grows with the attribution.

    Args:
        picture: (y, x, 4) RGBA in 0..1; attribution: (y, x), NaN = missing.
        signed: whether its values below zero have a meaning; opacity then starts at zero.

    Returns:
        (y, x, 4) float32 RGBA.
    """
    strength = imagery.scale_of(attribution, signed).strength(attribution)[..., None]
    grey = picture[..., :3].mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    colours = colormaps[ATTRIBUTION](strength[..., 0])[..., :3]
    return np.dstack([(1 - strength) * grey + strength * colours, picture[..., 3]]).astype("f4")
