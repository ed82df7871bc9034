"""Images from arrays: true colour, land cover and attribution; scale bar and outlines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from wildlens.colours import limit_of
from wildlens.figures.style import ATTRIBUTION, INK, MISSING, SIGNED, SMALL
from wildlens.legend import CORINE

TRUE_COLOUR = ("B04", "B03", "B02")
GAMMA = 1.5  # brightens forests and bogs without saturating rock


@dataclass(frozen=True)
class Stretch:
    """The bands that are shown, and the reflectances that are black and white.

    One pair of limits for all bands, so that colours stay true.
    """

    bands: tuple[int, ...]
    name: str
    low: float
    high: float

    def __call__(self, reflectance: np.ndarray, valid: np.ndarray) -> np.ndarray:
        """RGBA image of reflectance.

        Args:
            reflectance: (band, y, x) float32; valid: (y, x) bool.

        Returns:
            (y, x, 4) float32 RGBA in 0..1, transparent where invalid.
        """
        shown = np.moveaxis(reflectance[list(self.bands)], 0, -1)
        shown = np.clip((shown - self.low) / (self.high - self.low), 0, 1) ** (1 / GAMMA)
        return np.dstack([shown, valid]).astype(np.float32)


def stretch_for(bands: Sequence[str], samples: Iterable[np.ndarray]) -> Stretch:
    """One stretch for several images, from their joint 1st and 98th percentile.

    Args:
        bands: names of the bands; without red, green and blue the first band is shown in grey.
        samples: (band, pixel) float32 reflectance of the valid pixels of each image.
    """
    if all(band in bands for band in TRUE_COLOUR):
        shown, name = tuple(list(bands).index(band) for band in TRUE_COLOUR), "True colour"
    else:
        shown, name = (0, 0, 0), f"Band {bands[0]}"
    values = np.concatenate([sample[sorted(set(shown))].ravel() for sample in samples])
    low, high = np.percentile(values, [1, 98]) if values.size else (0.0, 1.0)
    return Stretch(shown, name, float(low), float(max(high, low + 1e-4)))


@dataclass(frozen=True)
class Scale:
    """Colours of an attribution, as options of `Axes.imshow`.

    Attributes:
        signed: whether values below zero have a meaning.
    """

    signed: bool
    limits: Normalize

    @property
    def options(self) -> dict:
        return {"cmap": SIGNED if self.signed else ATTRIBUTION, "norm": self.limits}

    def strength(self, values: np.ndarray) -> np.ndarray:
        """Evidence for natural in 0..1; 0 where it is missing, or against natural."""
        low = 0.0 if self.signed else self.limits.vmin
        return np.nan_to_num(np.clip((values - low) / (self.limits.vmax - low), 0, 1))


def scale_of(values: np.ndarray, signed: bool) -> Scale:
    """Colours from the 1st to the 99th percentile of the finite values of any shape.

    With a sign the colours diverge from zero, to the 99th percentile of the values' size.
    """
    finite = values[np.isfinite(values)]
    if signed:
        limit = limit_of(np.abs(finite))
        return Scale(True, Normalize(-limit, limit))
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    return Scale(False, Normalize(float(low), float(high if high > low else low + 1)))


def land_cover_picture(classes: np.ndarray) -> np.ndarray:
    """(y, x) uint8 CORINE index -> (y, x, 4) uint8 RGBA in the official colours, 0 transparent."""
    table = np.zeros((256, 4), np.uint8)
    for index, colour in CORINE.colormap.items():
        table[index] = colour
    return table[classes]


def scale_bar(axes: Axes, pixel_m: float, shape: tuple[int, int]) -> None:
    """A bar of a round length of up to 0.4 of the image's width, in its lower left corner."""
    height, width = shape
    length = round_length(0.4 * pixel_m * width)
    label = f"{length / 1000:g} km" if length >= 1000 else f"{length:g} m"
    left, bottom, thick = 0.05 * width, 0.95 * height, 0.02 * height
    axes.add_patch(
        Rectangle(
            (left, bottom - thick),
            length / pixel_m,
            thick,
            facecolor="white",
            edgecolor=INK,
            linewidth=0.5,
        )
    )
    axes.text(left, bottom - 1.8 * thick, label, va="bottom", **_HALO)


def round_length(metres: float) -> float:
    """The largest 1, 2 or 5 times a power of ten that does not exceed a length."""
    power = 10.0 ** np.floor(np.log10(metres))
    return float(max(m * power for m in (1, 2, 5) if m * power <= metres))


_HALO = {
    "fontsize": SMALL,
    "color": "white",
    "path_effects": [withStroke(linewidth=1.8, foreground=INK)],
}


def north_arrow(axes: Axes) -> None:
    """North arrow in the upper right corner; rows of all grids run from north to south."""
    axes.annotate(
        "N",
        xy=(0.94, 0.97),
        xytext=(0.94, 0.82),
        xycoords="axes fraction",
        ha="center",
        va="center",
        arrowprops={"arrowstyle": "-|>", "color": "white", "path_effects": _HALO["path_effects"]},
        **_HALO,
    )


def outline(axes: Axes, mask: np.ndarray) -> None:
    """Outline a mask (y, x) bool with thin light lines, visible on any background."""
    if mask.any() and not mask.all():
        lines = axes.contour(mask, levels=[0.5], colors="white", linewidths=0.6)
        lines.set_path_effects([withStroke(linewidth=1.3, foreground="black")])


def hatch_missing(axes: Axes) -> None:
    """Hatch the background, which is visible where an image is transparent: no data."""
    axes.add_patch(
        Rectangle(
            (0, 0),
            1,
            1,
            transform=axes.transAxes,
            zorder=-1,
            facecolor=MISSING,
            edgecolor="#bdbdbd",
            hatch="////",
            linewidth=0,
        )
    )
