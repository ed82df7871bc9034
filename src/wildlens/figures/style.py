"""Style of all figures: sizes, fonts, colours, titles, and how a figure is saved.

Colours are from Okabe and Ito's palette, which is safe for colour-blind readers, and matplotlib's
perceptually uniform maps. No pyplot: figures are objects, nothing is global.
"""

import json
import textwrap
from collections.abc import Mapping
from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from wildlens.colours import DIVERGING
from wildlens.files.atomic import atomic
from wildlens.registry import methods

DPI = 150
SMALL, NORMAL, LARGE = 8.0, 9.5, 12.0  # points
MARGIN = 0.14  # inches
SECOND_KEY = 0.6  # inches from one colour bar to the next below
LETTER, LINE = 0.066, 0.155  # inches: width of a letter, height of a line, of small text
INK, MUTED, FAINT, MISSING = "#222222", "#666666", "#d9d9d9", "#ececec"
BLUE, VERMILLION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#aa4499"
CLASS_COLOURS = (VERMILLION, GREEN, BLUE, PURPLE, "#e69f00", "#56b4e9")  # of tiles, by label
ATTRIBUTION = "viridis"  # attribution: low to high
RELATIVE = "PuOr_r"  # below to above the mean
# attribution with a sign: evidence against natural to evidence for it
SIGNED = LinearSegmentedColormap.from_list("signed", DIVERGING)

REFERENCE_TITLES = {"corine": "CORINE land cover", "truth": "Reference land cover"}
ROLE_COLOURS = {"paper": VERMILLION, "rival": BLUE, "control": MUTED, "layer": BLUE}


def class_colour(label: int) -> str:
    """Colour of the tiles of a class; six colours are repeated."""
    return CLASS_COLOURS[label % len(CLASS_COLOURS)]


def reference_title(reference: str) -> str:
    """Title of a reference in figures."""
    return REFERENCE_TITLES.get(reference, reference)


def method_colour(method: str) -> str:
    """Colour of a method by its role."""
    record = methods.records().get(method)
    return ROLE_COLOURS[record.role] if record else BLUE


def write_beside(axes: Axes, inches: float, y: float, text: str, **options) -> None:
    """Text at a row of the axes, some inches to the right of them."""
    width = axes.get_position().width * axes.figure.get_figwidth()
    options = {"ha": "right", "fontsize": SMALL, "color": INK, "parse_math": False} | options
    place = axes.get_yaxis_transform()
    axes.text(1 + inches / width, y, text, transform=place, va="center", **options)


class Sheet:
    """A figure whose elements are placed in inches from its upper left corner.

    Args:
        width, height: inches.
        title: content of the figure; subtitle: how to read it, may have several lines.
    """

    def __init__(self, width: float, height: float, title: str, subtitle: str = ""):
        self.width, self.height = width, height
        self.figure = Figure((width, height), dpi=DPI, facecolor="white")
        self.text(MARGIN, 0.12, title, fontsize=LARGE, fontweight="bold")
        self.text(MARGIN, 0.4, subtitle, fontsize=SMALL, color=MUTED, linespacing=1.35)

    def text(self, x: float, y: float, text: str, **options) -> Text:
        """Text with its upper left corner at (x, y)."""
        options = {"va": "top", "fontsize": SMALL, "color": INK} | options
        return self.figure.text(x / self.width, 1 - y / self.height, text, **options)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes with their upper left corner at (x, y)."""
        bottom = self.height - y - height
        return self.figure.add_axes(
            (x / self.width, bottom / self.height, width / self.width, height / self.height)
        )

    def legend(self, x: float, y: float, handles: list, **options) -> Legend:
        """A frameless legend with its upper left corner at (x, y)."""
        return self.figure.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(x / self.width, 1 - y / self.height),
            borderaxespad=0,
            borderpad=0,
            frameon=False,
            fontsize=SMALL,
            title_fontsize=SMALL,
            alignment="left",
            **({"handlelength": 1.4, "labelspacing": 0.35, "columnspacing": 1.4} | options),
        )

    def colour_key(
        self, x: float, y: float, width: float, colours: str | Colormap,
        ticks: Mapping[float, str], title: str,
    ) -> None:  # fmt: skip
        """A horizontal colour bar from the first to the last tick, with its title above."""
        self.text(x, y, title)
        bar = self.axes(x, y + 0.2, width, 0.11)
        scale = ScalarMappable(Normalize(min(ticks), max(ticks)), colours)
        key = self.figure.colorbar(scale, cax=bar, orientation="horizontal")
        key.set_ticks(list(ticks), labels=list(ticks.values()))
        key.ax.tick_params(labelsize=SMALL, length=2, width=0.5, pad=1.5)
        labels = key.ax.get_xticklabels()
        labels[0].set_horizontalalignment("left")
        labels[-1].set_horizontalalignment("right")
        key.outline.set_linewidth(0.4)

    def attribution_keys(self, x: float, y: float, width: float, signed: bool) -> None:
        """Colour bar of attributions; `signed`: below it, that of methods with a sign."""
        self.colour_key(x, y, width, ATTRIBUTION, {0: "low", 1: "high"}, "Attribution")
        if signed:
            ticks = {-1: "against natural", 0: "0", 1: "for natural"}
            self.colour_key(x, y + SECOND_KEY, width, SIGNED, ticks, "Attribution with a sign")

    def save(self, path: Path, provenance: Mapping[str, str], footer: str = "") -> None:
        """Write a PNG, with its provenance as text chunks, and a PDF of the same stem, atomically.

        In the PDF text and lines stay sharp at any size; its provenance is JSON under Keywords.

        Args:
            footer: text below the figure, which is extended for it.
        """
        FigureCanvasAgg(self.figure)
        box = self._add_footer(footer)
        options = {"dpi": DPI, "bbox_inches": box}
        with atomic(path) as temporary:
            self.figure.savefig(temporary, format="png", metadata=dict(provenance), **options)
        # without a date, so that the same figure gives the same file
        metadata = {"Keywords": json.dumps(dict(provenance)), "CreationDate": None}
        with atomic(path.with_suffix(".pdf")) as temporary, rc_context({"pdf.fonttype": 42}):
            self.figure.savefig(temporary, format="pdf", metadata=metadata, **options)

    def _add_footer(self, text: str) -> Bbox:
        """Write text below the figure; the box of both, inches."""
        lines = textwrap.wrap(text, int((self.width - 2 * MARGIN) / LETTER))
        # in whole pixels, so that the figure itself does not change
        tall = round((LINE * len(lines) + MARGIN) * DPI) / DPI if lines else 0.0
        below = Rectangle((0, -tall / self.height), 1, tall / self.height, clip_on=False)
        below.set(transform=self.figure.transFigure, facecolor="white", zorder=-1)
        self.figure.add_artist(below)
        self.text(MARGIN, self.height, "\n".join(lines), color=MUTED, linespacing=1.35)
        return Bbox.from_extents(0, -tall, self.width, self.height)


def plain_axes(axes: Axes, title: str = "", x: str = "", y: str = "") -> Axes:
    """Style axes: two thin spines, a faint grid behind the data, common font sizes."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(color=MUTED, linewidth=0.7)
    axes.tick_params(labelsize=SMALL, color=MUTED, width=0.7, length=3)
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_title(title, fontsize=NORMAL, loc="left", color=INK)
    axes.set_xlabel(x, fontsize=SMALL)
    axes.set_ylabel(y, fontsize=SMALL)
    return axes


def image_axes(axes: Axes, title: str = "", letters: int = 1000) -> Axes:
    """Style axes of an image: thin frame, no ticks, transparent pixels in the colour of no data.

    A title of more than `letters`, the width of an image, gets a smaller font.
    """
    axes.set(xticks=[], yticks=[], facecolor=MISSING)
    size = SMALL * min(1, letters / max(1, len(title)))
    axes.set_title(title, fontsize=size, color=INK, pad=2.5)
    for spine in axes.spines.values():
        spine.set(linewidth=0.4, color=MUTED)
    return axes
